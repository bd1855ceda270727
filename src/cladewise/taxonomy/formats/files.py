"""Text files as taxonomies come in them."""

from __future__ import annotations

from pathlib import Path

from cladewise.errors import InputError


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
