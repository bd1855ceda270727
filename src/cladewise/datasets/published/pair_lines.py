"""Files with two entries per line."""

from __future__ import annotations

from pathlib import Path

from cladewise.errors import InputError


def read_pairs(file: Path, separator: str | None = None, *, advice: str = "") -> list[tuple[str, str]]:
    """The two entries of every line that is not blank.

    Args:
        file: The file.
        separator: What separates them; blanks by default. The second entry may contain it.
        advice: Advice if a line has one entry.

    Raises:
        InputError: A line has one entry.

    Example:
        >>> file = getfixture("tmp_path") / "isa.txt"
        >>> _ = file.write_text("bird wren\\n\\nbird great tit\\n")
        >>> read_pairs(file)
        [('bird', 'wren'), ('bird', 'great tit')]
    """
    rows: list[tuple[str, str]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.strip().split(separator, 1)
        if len(parts) == 2:
            rows.append((parts[0], parts[1].strip()))
        elif line.strip():
            raise InputError("two entries per line", repr(line), at=f"{file}:{number}", advice=advice)
    return rows
