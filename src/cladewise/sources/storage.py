"""Reading files from storage through fsspec: whole objects and ranges, with retries, from any number of threads."""

from __future__ import annotations

import errno
import functools
import io
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from cladewise.datasets.files.decoding import UnreadableImageError, read_file
from cladewise.errors import InputError, MissingExtraError
from cladewise.sources.places import local, scheme

TRIES = 6
"""Default number of attempts to read an object."""

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}
_OF_ONE_THREAD = ("ftp",)
"""Protocols whose file systems answer one request at a time, on one connection."""
_PACKAGES = {"s3": "s3fs", "gcs": "gcsfs", "http": "aiohttp"}
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds
_BLOCK = 1 << 23  # bytes per request when a file is read in parts
_BLOCKS = 4  # kept per file
_WHOLE = 1 << 28  # bytes of the largest file that is kept whole where a server does not serve parts
_AT_ONCE = 16  # requests for the state of files
_AGAIN = (408, 425, 429)  # HTTP statuses below 500 that may pass
_REFUSED = (errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENAMETOOLONG)  # as s3fs translates answers from 400 to 499
_DROPPED = (
    ("aiohttp.client_exceptions", "ClientError"),
    ("botocore.exceptions", "HTTPClientError"),
    ("botocore.exceptions", "IncompleteReadError"),
    ("botocore.exceptions", "ResponseStreamingError"),
    ("google.auth.exceptions", "TransportError"),
)
_NO_LOGIN = (
    ("botocore.exceptions", "NoCredentialsError"),
    ("botocore.exceptions", "PartialCredentialsError"),
    ("botocore.exceptions", "ProfileNotFound"),
    ("google.auth.exceptions", "DefaultCredentialsError"),
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Storage:
    """Access to files on disk and, through fsspec, to objects behind any ``protocol://``.

    Dropped connections, time-outs and the answers 408, 425, 429 and 5xx are retried with growing pauses; an object that
    is missing or forbidden is an error at once. A body that ends before its announced length counts as dropped, so that
    a cut image is never decoded.

    Args:
        options: Options of the fsspec file systems, such as ``{"endpoint_url": "http://localhost:9000"}``. A value
            under the name of a protocol applies to that one only: ``{"s3": {"anon": True}}``.
        tries: Attempts per object.

    Example:
        >>> path = getfixture("tmp_path") / "a.jpg"
        >>> _ = path.write_bytes(b"bytes")
        >>> Storage().read_image(f"file://{path}")
        b'bytes'
    """

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tries: int = TRIES

    def read_image(self, place: str, name: str | None = None) -> bytes:
        """The bytes of an image.

        Args:
            place: Its path or URI.
            name: How errors call it; the place by default.

        Raises:
            UnreadableImageError: It is missing or forbidden, or the storage failed in every attempt.
            InputError: The storage cannot be used at all: no such protocol, or no credentials.
        """
        try:
            if not scheme(place):
                return read_file(local(place))
            return self._attempts(place, lambda system: system.cat_file(place))
        except UnreadableImageError as error:
            raise UnreadableImageError(name or place, error.reason) from error

    def read_part(self, place: str, start: int, stop: int) -> bytes:
        """The bytes of a remote object in a range; all of it where the server does not serve parts.

        Raises:
            InputError: It cannot be read.
        """
        try:
            return self._attempts(place, lambda system: system.cat_file(place, start=start, end=stop))
        except UnreadableImageError as error:
            raise unusable(error) from error

    def read_end(self, place: str, size: int) -> bytes:
        """The last bytes of a remote object; all of it if it is no larger.

        Raises:
            InputError: It cannot be read.
        """
        try:
            return self._attempts(place, lambda system: system.cat_file(place, start=-size))
        except UnreadableImageError as error:
            raise unusable(error) from error

    def read_all(self, place: str) -> bytes:
        """The bytes of a file that is not an image.

        Raises:
            InputError: It cannot be read.
        """
        with self.open(place) as file:
            return file.read()

    def write(self, place: str, content: bytes) -> None:
        """Write a remote object, which its readers see whole or not at all.

        Raises:
            InputError: The storage refuses it.
        """
        try:
            self._attempts(place, lambda system: system.pipe_file(place, content))
        except UnreadableImageError as error:
            raise InputError("a place to write to", error.reason, at=place) from error

    def read_if_there(self, place: str) -> bytes | None:
        """The bytes of a remote object, or ``None`` if there is none.

        Raises:
            InputError: It cannot be read.
        """
        try:
            return self._attempts(place, lambda system: system.cat_file(place))
        except UnreadableImageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise unusable(error) from error

    def names(self, folder: str) -> list[str]:
        """Sorted names of the objects in a remote folder of our own, as they are now; none if there is no such folder.

        Raises:
            InputError: It cannot be listed.
        """

        def listed(system: Any) -> list[str]:
            system.invalidate_cache()  # other processes write here
            return sorted(str(path).rsplit("/", 1)[-1] for path in system.ls(folder, detail=False))

        try:
            return self._attempts(folder, listed)
        except UnreadableImageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return []
            raise unusable(error) from error

    def mark(self, place: str) -> dict[str, Any]:
        """Size and time or tag of a file: equal as long as it has not changed.

        Raises:
            InputError: It is missing or cannot be read.
        """
        try:
            if not scheme(place):
                return _mark_of_file(local(place))
            info = self._attempts(place, lambda system: system.info(place))
        except UnreadableImageError as error:
            raise unusable(error) from error
        found = {"file": place, "size": info.get("size")}
        tag = next((info[key] for key in ("ETag", "etag", "md5Hash") if info.get(key)), None)
        time_ = next(
            (info[key] for key in ("LastModified", "Last-Modified", "mtime", "updated") if info.get(key)), None
        )
        return found | ({"tag": str(tag)} if tag else {"modified": str(time_)} if time_ else {})

    def marks(self, places: Sequence[str]) -> tuple[dict[str, Any], ...]:
        """The state of many files, asked for at the same time."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(pool.map(self.mark, places))

    def open(self, place: str) -> BinaryIO:
        """A file to read from any position; a remote one in requests of 8 MiB.

        Raises:
            InputError: It cannot be read.
        """
        try:
            if not scheme(place):
                return open(local(place), "rb")
            size = self.mark(place)["size"]
            if size is None:
                return io.BytesIO(self._attempts(place, lambda system: system.cat_file(place)))
            return io.BufferedReader(_Remote(self, place, size), 1 << 16)
        except UnreadableImageError as error:
            raise unusable(error) from error
        except OSError as error:
            raise InputError("a file that can be read", reason(error), at=place) from error

    def _attempts(self, place: str, action: Callable[[Any], Result]) -> Result:
        """The result of an action on a file system, retried while the failure may pass."""
        protocol = scheme(place)
        options = _options_for(protocol, self.options, _options_in(place))
        owner = os.getpid(), threading.get_ident() if protocol in _OF_ONE_THREAD else 0
        for attempt in range(1, self.tries + 1):
            try:
                return action(_file_system(protocol, options, owner))  # some connect when they are made
            except (InputError, MissingExtraError):
                raise
            except TypeError as error:  # of an option that is passed on and seen only at the first request
                raise InputError(f"storage options that {protocol} takes", str(error)) from error
            except Exception as raised:  # every file system has its own
                error = _cause(raised)
                if _is_one_of(error, _NO_LOGIN):
                    raise _no_login(place, error) from raised
                if not _may_pass(error):
                    raise UnreadableImageError(place, _reason(error)) from raised
                if attempt == self.tries:
                    failed = f"an object that could not be read in {self.tries} attempts ({_detail(error)})"
                    raise UnreadableImageError(place, failed) from raised
            pause = min(_FIRST_WAIT * 2 ** (attempt - 1), _LONGEST_WAIT)
            time.sleep(pause * random.uniform(0.5, 1.0))  # so that many readers do not come back at once
        raise AssertionError("unreachable")


def storage_options(words: Iterable[str]) -> dict[str, Any]:
    """Options for :class:`Storage` from texts ``key=value``; values are JSON or texts, dots nest.

    Raises:
        InputError: A text has no ``=``.

    Example:
        >>> storage_options(["endpoint_url=http://localhost:9000", "s3.anon=true"])
        {'endpoint_url': 'http://localhost:9000', 's3': {'anon': True}}
    """
    options: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key.strip("."):
            raise InputError("a storage option as key=value", repr(word), advice="For example 'anon=true'.")
        *outer, last = key.split(".")
        inner = options
        for name in outer:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise InputError("one value for each storage option", f"{word!r} beside {name}={inner}")
        try:
            inner[last] = json.loads(text)
        except ValueError:
            inner[last] = text
    return options


def reason(error: OSError | ValueError) -> str:
    """Why a local file cannot be read."""
    if isinstance(error, IsADirectoryError):
        return "a folder"
    return ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()


def unusable(error: UnreadableImageError) -> InputError:
    """The error of a file that is not an image, such as a table."""
    return InputError("a file that can be read", error.reason, at=error.path)


class _Remote(io.RawIOBase):
    """A remote object as a file; the last blocks are kept, and the next one is fetched while one is read in order."""

    def __init__(self, storage: Storage, place: str, size: int) -> None:
        self._storage, self._place, self._size = storage, place, size
        self._position, self._blocks, self._whole = 0, dict[int, bytes](), b""
        self._ahead: tuple[int, Future[bytes]] | None = None
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="cladewise-storage")

    def close(self) -> None:
        self._fetching.shutdown(wait=False, cancel_futures=True)
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        number, skipped = divmod(self._position, _BLOCK)
        if self._position >= self._size:
            return 0
        content = self._block(number)[skipped : skipped + len(buffer)]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _block(self, number: int) -> bytes:
        if self._whole:
            return self._whole[number * _BLOCK : (number + 1) * _BLOCK]
        if number not in self._blocks:
            fetched, self._ahead = self._ahead, None
            content = fetched[1].result() if fetched is not None and fetched[0] == number else self._fetch(number)
            start, stop = self._range(number)
            if len(content) == self._size > stop - start:
                self._whole = content
                return content[start:stop]
            while len(self._blocks) >= _BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[number] = content
            if number - 1 in self._blocks and stop < self._size:
                self._ahead = number + 1, self._fetching.submit(self._fetch, number + 1)
        return self._blocks[number]

    def _range(self, number: int) -> tuple[int, int]:
        return number * _BLOCK, min((number + 1) * _BLOCK, self._size)

    def _fetch(self, number: int) -> bytes:
        """A block; the whole object where it is not too large and the server sends no parts."""
        start, stop = self._range(number)
        content = self._storage.read_part(self._place, start, stop)
        if len(content) == self._size > stop - start:
            if self._size > _WHOLE:
                raise InputError("a server that serves parts of files", "one that sends the whole", at=self._place)
        elif len(content) != stop - start:
            got = f"{len(content):,} bytes where {stop - start:,} were asked for; the file may have changed"
            raise InputError("a file that can be read", got, at=self._place)
        return content


def _mark_of_file(path: str) -> dict[str, Any]:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise InputError("a file that can be read", reason(error), at=path) from error
    return {"file": path, "size": status.st_size, "modified": status.st_mtime_ns}


def _options_in(place: str) -> dict[str, Any]:
    """The options that a URI itself gives, such as the host of ``sftp://``; those with an extra need none."""
    import fsspec

    protocol = scheme(place)
    if protocol in _EXTRAS:
        return {}
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError):  # told where the file system is made
        return {}
    return dict(kind._get_kwargs_from_urls(place))  # as fsspec's own functions do


def _options_for(protocol: str, options: Mapping[str, Any], of_place: Mapping[str, Any]) -> str:
    """The options of one protocol as JSON, which can be compared and hashed."""
    from fsspec.registry import known_implementations, registry

    protocols = {*known_implementations, *registry}
    plain = {key: value for key, value in options.items() if key not in protocols or not isinstance(value, Mapping)}
    try:
        return json.dumps({**of_place, **plain, **options.get(protocol, {})}, sort_keys=True)
    except TypeError as error:
        raise InputError("storage options that are JSON values", str(error)) from error


@functools.lru_cache(maxsize=128)
def _file_system(protocol: str, options: str, owner: tuple[int, int]) -> Any:
    """A file system for a process, since connections do not survive a fork, and where needed for one of its threads."""
    import fsspec

    given = json.loads(options)
    extra = _EXTRAS.get(protocol)
    try:
        kind = fsspec.get_filesystem_class(protocol)
        if extra == "http":
            given = _with_time_limits_http(given)
        system = kind(skip_instance_cache=True, **(_with_time_limits_s3(given) if extra == "s3" else given))
    except ImportError as error:
        if extra:
            raise MissingExtraError(_PACKAGES[extra], extra) from error
        raise InputError(f"a package that reads {protocol}://", "none that is installed", advice=str(error)) from error
    except ValueError as error:
        if "not known" not in str(error).lower():
            raise InputError("storage options that can be used", str(error)) from error
        known = ", ".join(f"{name}://" for name in ("s3", "gs", "https", "file"))
        expected = f"a protocol such as {known} or another one that fsspec reads"
        raise InputError(expected, f"{protocol}://") from error
    except TypeError as error:
        raise InputError(f"storage options that {protocol} takes", str(error)) from error
    if extra == "s3":
        system.retries = 1  # s3fs would repeat each of our attempts five times
    return system


def _with_time_limits_http(options: dict[str, Any]) -> dict[str, Any]:
    """Limits on pauses, not on the whole transfer: a slow server is no failure, a silent one is."""
    import aiohttp

    client = {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60), "trust_env": True}
    return {**options, "client_kwargs": {**client, **options.get("client_kwargs", {})}}


def _with_time_limits_s3(options: dict[str, Any]) -> dict[str, Any]:
    """One attempt per request, without asking for the size first, which would be a second request per image."""
    once = {"connect_timeout": 20, "read_timeout": 60, "retries": {"max_attempts": 0}, "max_pool_connections": 64}
    configured = {**once, **options.get("config_kwargs", {})}
    return {"max_concurrency": 1, **options, "config_kwargs": configured}


def _cause(error: Exception) -> BaseException:
    """The answer of the server, where fsspec says "not found" for whatever went wrong."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and cause is not None:
        return cause if _status(cause) not in (None, 404) or _may_pass(cause) else error
    return error


def _status(error: BaseException) -> int | None:
    found = getattr(error, "status", None) or getattr(error, "code", None)
    return found if isinstance(found, int) else None


def _may_pass(error: BaseException) -> bool:
    status = _status(error)
    if status is not None and status >= 400:
        return status >= 500 or status in _AGAIN
    if isinstance(error, (ValueError, FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)):
        return False
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return False
    return isinstance(error, (OSError, EOFError)) or _is_one_of(error, _DROPPED)


def _is_one_of(error: BaseException, kinds: Iterable[tuple[str, str]]) -> bool:
    """Whether an error is of a class of a package that may not be installed."""
    loaded = [getattr(sys.modules.get(module), name, None) for module, name in kinds]
    return isinstance(error, tuple(kind for kind in loaded if isinstance(kind, type)))


def _reason(error: BaseException) -> str:
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return "no such file"
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"a file that may not be read ({_detail(error)})"
    if isinstance(error, IsADirectoryError):
        return "a folder"
    return f"a file that cannot be read ({_detail(error)})"


def _detail(error: BaseException) -> str:
    status = _status(error)
    text = getattr(error, "message", "") if status is not None else str(error)
    text = " ".join(str(text).split())[:200] or type(error).__name__
    return f"{status} {text}" if status is not None else text


def _no_login(place: str, error: BaseException) -> InputError:
    advice = "Log in as for the provider's own tools, or pass the storage option anon=true for public data."
    return InputError("credentials for the storage", _detail(error), at=place, advice=advice)
