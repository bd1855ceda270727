"""The command line: parse, call, print."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cladewise.cli.wording import Wording
    from cladewise.errors import InputError

INTERRUPTED = 130
GARBAGE_THRESHOLD = 50_000
"""Objects made, less those freed, between two searches for cycles; Python's own number is 700."""


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    try:
        _run()
    except KeyboardInterrupt:
        _fail("interrupted", code=INTERRUPTED)


def _run() -> None:
    _collect_less_garbage()
    import typer

    from cladewise.cli.app import app
    from cladewise.errors import InputError, InputWarning, MissingExtraError

    warnings.simplefilter("always", InputWarning)  # all of them, even if one line of code gives several
    warnings.showwarning = _show_warning
    _open_closed_streams()
    usage_error: Any = typer.BadParameter.__bases__[0]  # of the click that typer brings, which has no public name
    try:
        code = app(prog_name="cladewise", standalone_mode=False)
        if code == INTERRUPTED:  # what typer makes of Ctrl-C
            _fail("interrupted", code=INTERRUPTED)
        sys.stdout.flush()  # while an error can still be told
        sys.exit(code)
    except InputError as error:
        _fail(str(_in_options(error)))
    except MissingExtraError as error:
        _fail(str(error))
    except usage_error as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            sys.exit(2)
        _fail(str(_as_input_error(error)))
    except typer.Abort:  # what typer makes of a file that ends too early, since we ask for no input
        _fail(str(InputError("whole files", "one that is cut off")))
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # no permission, no space, no such folder: for the user to mend
        _fail(str(_of_the_system(error)))


def _collect_less_garbage() -> None:
    """Look for cycles less often, and not at all when the process ends.

    Importing torch makes hundreds of thousands of objects that live until the end. Searching them again and again while
    they are made, and once more at the end, costs a third of the time that the import takes.
    """
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """Print a warning about the input as one line, and any other as Python does."""
    from cladewise.errors import InputWarning
    from cladewise.escapes import escaped

    if isinstance(message, InputWarning):
        worded = _wording()
        shown = f"cladewise: warning: {InputWarning(worded(message.found), message.at, worded(message.advice))}\n"
    else:
        shown = escaped(warnings.formatwarning(message, category, filename, lineno, line))
    (file or sys.stderr).write(shown)


def _fail(text: str, *, code: int = 2) -> None:
    from cladewise.escapes import escaped

    with contextlib.suppress(OSError):  # where that cannot be written either, the code tells
        print(f"cladewise: {escaped(text)}", file=sys.stderr, flush=True)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Replace closed outputs, so that the next file opened does not take their place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- for the whole process


def _of_the_system(error: OSError) -> InputError:
    """An operating-system error as one line."""
    from cladewise.errors import InputError

    reason = (error.strerror or str(error)).lower()
    if error.filename is not None:
        return InputError("a file or folder that can be used", reason, at=os.fsdecode(error.filename))
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF):  # files have names
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at its end
        return InputError("a place to write to", reason, at="standard output", advice="Send it elsewhere.")
    return InputError("files and folders that can be used", reason)


def _in_options(error: InputError) -> InputError:
    """The mistake with options instead of arguments. The value given stays as it was."""
    from cladewise.errors import InputError

    worded = _wording()
    return InputError(worded(error.expected), error.got, at=error.at, advice=worded(error.advice))


def _wording() -> Wording:
    """Wording for the command that is running."""
    from typer.main import get_command

    from cladewise.cli.app import app
    from cladewise.cli.wording import Wording, command_of

    return Wording(command_of(get_command(app), sys.argv[1:]))


def _as_input_error(error: Any) -> InputError:
    """Convert an argument-parsing error to an :class:`InputError`, so that it is printed in one line."""
    from cladewise.errors import InputError

    command = error.ctx.command_path if error.ctx else "cladewise"
    text = error.format_message().rstrip(".")
    text = re.sub(r"^Got ", "", text)  # the error says so itself
    text = re.sub(r"(?:\. Did you mean (.+)\?| \(Possible options: (.+)\))$", r" (did you mean \1\2?)", text)
    return InputError(
        f"valid arguments for {command}", f"{text[:1].lower()}{text[1:]}", advice=f"See: {command} --help"
    )
