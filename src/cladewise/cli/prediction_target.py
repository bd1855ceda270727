"""The place of a prediction: standard output, a file in the format of a table or another tool, or a folder of parts.

A file is written from parts next to it, so that an interrupted command can be repeated.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cladewise.cli import INTERRUPTED
from cladewise.cli.printing import say
from cladewise.cli.tables import FORMAT_HELP, Write, table_format, table_writer
from cladewise.errors import InputError
from cladewise.interchange.formats import FORMATS as OF_OTHER_TOOLS
from cladewise.interchange.formats import PredictionFormat

if TYPE_CHECKING:
    from cladewise.interchange import About

OTHER_FORMATS = {form.name: form for form in OF_OTHER_TOOLS}
FORMATS_HELP = f"{FORMAT_HELP} With --out FILE also those of other tools: {', '.join(OTHER_FORMATS)}."


class Target:
    """The place of the result: standard output, a file, or a folder of parts."""

    def __init__(self, format_: str, file: Path | None = None, folder: str | None = None) -> None:
        self.format_, self.file, self.folder = format_, file, folder
        self.other: PredictionFormat | None = OTHER_FORMATS.get(format_)

    @classmethod
    def of(cls, format_: str | None, out: str | None) -> Target:
        """The target that ``--format`` and ``--out`` name."""
        if out is not None and _is_folder(format_, out):
            if format_ not in (None, "parquet"):
                raise InputError("--format parquet for a folder", repr(format_))
            return cls("parquet", folder=out)
        file = None if out is None else Path(out)
        if format_ not in OTHER_FORMATS:
            return cls(table_format(format_, file, also=OTHER_FORMATS), file)
        if file is None:
            raise InputError(f"--out FILE with --format {format_}", "standard output")
        return cls(format_, file)

    def check(self, source: Any) -> None:
        """Check before any work that the input has the columns that the format needs."""
        columns = getattr(source, "columns", None)
        if self.other is not None and columns is not None:
            self.other.check(columns)

    def writer(self, about: Callable[[], About]) -> contextlib.AbstractContextManager[Write]:
        """A function that appends tables to the file or to standard output.

        Args:
            about: The tree and the model, for formats of other tools.
        """
        if self.other is None or self.file is None:
            return table_writer(self.format_, self.file)
        from cladewise.interchange import prediction_writer

        return prediction_writer(self.other, self.file, about())


def _is_folder(format_: str | None, out: str) -> bool:
    return "://" in out or out.endswith("/") or Path(out).is_dir() or (format_ is None and not Path(out).suffix)


def parts_of(file: Path) -> Path:
    """The folder with the parts of a file that is not complete."""
    return file.with_name(f"{file.name}.parts")


@contextlib.contextmanager
def telling_how_to_resume(target: Target) -> Generator[None]:
    """On Ctrl-C, say what repeating the command will do."""
    try:
        yield
    except KeyboardInterrupt:
        place = target.folder if target.file is None else str(parts_of(target.file))
        if place is None:
            raise
        say(f"cladewise: interrupted. Repeat the command to predict the parts that are not yet in {place}.")
        raise SystemExit(INTERRUPTED) from None


@contextlib.contextmanager
def only_writer(file: Path | None) -> Generator[None]:
    """Hold the parts of a file, and remove them when it has been written."""
    if file is None:
        yield
        return
    import filelock

    from cladewise.atomic import explaining
    from cladewise.scale.folder import JOB_FILE
    from cladewise.scale.parts import SUBFOLDER

    folder = parts_of(file)
    lock = filelock.FileLock(folder / "lock")
    with explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            advice = "Wait for it, or give another file; a folder can be shared."
            raise InputError(
                "a file that no other command is writing", "one that is", at=str(file), advice=advice
            ) from None
        except NotImplementedError:  # storage without locks
            pass
    try:
        yield
        shutil.rmtree(folder / SUBFOLDER, ignore_errors=True)
        (folder / JOB_FILE).unlink(missing_ok=True)
    finally:
        lock.release()
        if not (folder / JOB_FILE).exists():  # complete, or never begun
            with contextlib.suppress(OSError):
                (folder / "lock").unlink()
                folder.rmdir()
