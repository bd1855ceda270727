"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cladewise.errors import InputError


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """A temporary path beside ``path`` that takes its name once the block has succeeded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with plain line feeds."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """Read UTF-8 text, with or without a byte order mark.

    Raises:
        InputError: There is no such file, or a byte is not UTF-8; the text names the line and the byte.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("a file that can be read", error.strerror or "an error", at=str(path)) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "UTF-8 text", f"byte 0x{data[error.start]:02X}", at=f"{path}:{line}", advice="Save the file as UTF-8."
        ) from error
