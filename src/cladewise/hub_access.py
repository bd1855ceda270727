"""Repositories on the Hugging Face Hub: their addresses, and errors of the hub's client as one line each."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike
from urllib.parse import unquote

from cladewise.errors import InputError

_SCHEME = re.compile(r"^hf:[/\\]{1,2}")
"""Start of an address; a :class:`~pathlib.Path` made of it has a single slash."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CLIENTS = ("httpx", "httpx2", "requests", "urllib3", "hf_xet")
"""Packages whose errors mean that the hub could not be reached or did not answer as it should."""
_LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN."


@dataclasses.dataclass(frozen=True)
class HubAddress:
    """A repository on the hub, at a revision.

    Args:
        repo: Owner and name, as in ``user/name``.
        revision: A branch, a tag or a commit; empty for the main branch.

    Example:
        >>> address = HubAddress.parse("hf://jane/birds@v1")
        >>> address.repo, address.revision, str(address)
        ('jane/birds', 'v1', 'hf://jane/birds@v1')
        >>> HubAddress.parse("hf://datasets/jane/birds")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected hf://user/name or hf://user/name@revision, but got 'hf://datasets/jane/birds'.
    """

    repo: str
    revision: str = ""

    @classmethod
    def parse(cls, text: str) -> HubAddress:
        """Read an address, or ``user/name`` alone.

        Raises:
            InputError: The text is not the address of a repository.
        """
        place, at, revision = _SCHEME.sub("", text).partition("@")
        parts = place.rstrip("/").split("/")
        if len(parts) != 2 or not all(map(_NAME.fullmatch, parts)) or (at and not revision):
            raise InputError("hf://user/name or hf://user/name@revision", repr(text))
        return cls("/".join(parts), unquote(revision))

    @property
    def name(self) -> str:
        """Name of the repository without its owner."""
        return self.repo.partition("/")[2]

    def __str__(self) -> str:
        return f"hf://{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_on_hub(path: str | PathLike[str]) -> bool:
    """Whether a path is the address of a repository on the hub.

    Example:
        >>> from pathlib import Path
        >>> is_on_hub("hf://jane/birds"), is_on_hub(Path("hf://jane/birds")), is_on_hub("runs/birds")
        (True, True, False)
    """
    return _SCHEME.match(os.fspath(path)) is not None


def address_or_path(path: str | PathLike[str]) -> str:
    """A path as its user wrote it: an address on the hub with both of its slashes.

    Example:
        >>> from pathlib import Path
        >>> address_or_path(Path("hf://jane/birds")), address_or_path(Path("runs/birds"))
        ('hf://jane/birds', 'runs/birds')
    """
    return _SCHEME.sub("hf://", os.fspath(path))


@contextmanager
def asking_hub(address: HubAddress) -> Generator[None]:
    """Turn an error of the hub or of its client into one line that says what to do; other errors pass through.

    Where standard error is no terminal, the client shows no progress.

    Raises:
        InputError: The repository or revision does not exist, the token is missing, wrong or not permitted, the hub
            cannot be reached, or it answered with an error.
    """
    try:
        with _progress_on_terminals():
            yield
    except InputError:
        raise
    except Exception as error:
        found = _explained(error, address)
        if found is None:
            raise
        raise found from error


@contextmanager
def _progress_on_terminals() -> Generator[None]:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hides = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if hides:
        disable_progress_bars()
    try:
        yield
    finally:
        if hides:
            enable_progress_bars()


def _explained(error: Exception, address: HubAddress) -> InputError | None:
    from huggingface_hub import constants, errors

    at, hub = str(address), constants.ENDPOINT
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        advice = f"Ask for it at {hub}/{address.repo}."
        return InputError("a repository that your token may read", "one that asks for permission", at=at, advice=advice)
    if isinstance(error, errors.RevisionNotFoundError):
        advice = f"See the branches and tags at {hub}/{address.repo}/tree/main."
        return InputError("a branch, tag or commit of the repository", repr(address.revision), at=at, advice=advice)
    if isinstance(error, errors.RepositoryNotFoundError):
        advice = f"Check its name; if it is private, log in. {_LOG_IN}"
        return InputError(f"a repository of {hub}", "none of that name that can be read", at=at, advice=advice)
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        got = "none" if status is None else "one that it refuses"
        return InputError(f"a token of {hub}", got, at=at, advice=_LOG_IN)
    if status == 403:
        advice = f"Give it write access to {address.repo}, or choose a name of your own."
        return InputError("a token that may do this", "one that may not", at=at, advice=advice)
    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        # an error of the hub is the cause if the client looked into its cache after one
        cause = error.__cause__
        if isinstance(cause, Exception) and not isinstance(cause, errors.OfflineModeIsEnabled):
            return _explained(cause, address) or _unreachable(cause, hub, at)
        got = "none, and the hub is not asked (HF_HUB_OFFLINE)"
        return InputError("a complete copy in the hub's cache", got, at=at, advice="Open it once while online.")
    if isinstance(error, errors.HFValidationError):
        return InputError("the name of a repository, user/name", _line(error), at=at)
    if status is not None:
        return InputError(
            f"an answer of {hub}", f"the error {status} ({_line(error)})", at=at, advice="Try again later."
        )
    if type(error).__module__.partition(".")[0] in _CLIENTS or isinstance(error, ConnectionError):
        return _unreachable(error, hub, at)
    if isinstance(error, OSError) and error.errno is None:  # the client compares the sizes of files
        return InputError("a whole download", _line(error), at=at, advice="Try again.")
    cause = error.__cause__  # of an upload
    return _explained(cause, address) if isinstance(cause, Exception) else None


def _unreachable(error: Exception, hub: str, at: str) -> InputError:
    advice = "Check the connection, and HF_ENDPOINT if it is set."
    return InputError(f"an answer of {hub}", f"none ({_line(error)})", at=at, advice=advice)


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
