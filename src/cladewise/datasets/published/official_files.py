"""Files of a published dataset's official layout, with messages that say what is missing and where to get it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from cladewise.datasets.files.walking import existing_folder
from cladewise.errors import InputError


@dataclasses.dataclass(frozen=True)
class OfficialFiles:
    """The folder with a published dataset's files.

    Args:
        root: The folder.
        title: Name of the dataset in messages.
        advice: Where to get the files.
    """

    root: Path
    title: str
    advice: str

    @classmethod
    def at(
        cls,
        path: str | PathLike[str],
        title: str,
        advice: str,
        find: Callable[[Path], Path | None] = lambda folder: None,
    ) -> OfficialFiles:
        """The files in a folder.

        Args:
            path: The folder, or one above it.
            title: Name of the dataset in messages.
            advice: Where to get the files.
            find: The folder with the files, from the given one; None if there is none, so that the given one is used.

        Raises:
            InputError: There is no such folder.
        """
        return cls(existing_folder(find(Path(path).expanduser().absolute()) or path), title, advice)

    def file(self, *names: str) -> Path:
        """The first of some files that exists, by its path relative to the folder.

        Raises:
            InputError: None of them exists.
        """
        return self._first(names, "file", [self.root / name for name in names if (self.root / name).is_file()])

    def folder(self, *names: str) -> Path:
        """The first of some folders that exists.

        Raises:
            InputError: None of them exists.
        """
        return self._first(names, "folder", [self.root / name for name in names if (self.root / name).is_dir()])

    def lines(self, *names: str) -> list[str]:
        """Lines of a text file, without blank ones and without blanks around them.

        Raises:
            InputError: The file does not exist or is not UTF-8 text.
        """
        file = self.file(*names)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError("UTF-8 text", f"{error.reason} at byte {error.start}", at=str(file)) from None
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _first(self, names: tuple[str, ...], what: str, found: list[Path]) -> Path:
        if not found:
            raise InputError(
                f"the {what} {' or '.join(names)} of {self.title}", "none", at=str(self.root), advice=self.advice
            )
        return found[0]
