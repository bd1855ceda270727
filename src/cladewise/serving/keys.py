"""API keys, read from a file, compared in constant time, and never logged or stored."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from cladewise.errors import InputError

SHORTEST = 16
"""Smallest number of characters of a key."""


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys in a text file, one per line; blank lines and lines that begin with ``#`` are skipped.

    Raises:
        InputError: There is no such file, it has no key, or one of them is too short or has blanks.

    Example:
        >>> path = getfixture("tmp_path") / "keys.txt"
        >>> _ = path.write_text("# the museum\\n0123456789abcdef\\n")
        >>> len(read_keys(path))
        1
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("a text file of API keys, one per line", reason, at=str(path)) from None
    keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise InputError("at least one API key", "none", at=str(path))
    for place, key in enumerate(keys, start=1):
        if len(key) < SHORTEST or not (key.isascii() and key.isprintable() and " " not in key):
            raise InputError(
                f"keys of at least {SHORTEST} ASCII characters without blanks",
                f"another one as key {place}",
                at=str(path),
                advice="Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
    return tuple(keys)


class Keyring:
    """The keys of a server, kept as hashes.

    Example:
        >>> ring = Keyring(["0123456789abcdef"])
        >>> ring.admits(b"Bearer 0123456789abcdef"), ring.admits(b"Bearer x"), Keyring([]).admits(b"")
        (True, False, True)
    """

    def __init__(self, keys: list[str] | tuple[str, ...]) -> None:
        self._hashes = [hashlib.sha256(key.encode()).digest() for key in keys]

    def admits(self, authorization: bytes) -> bool:
        """Whether a header ``Authorization: Bearer KEY`` has one of the keys; any header where there are none."""
        if not self._hashes:
            return True
        scheme, _, key = authorization.partition(b" ")
        given = hashlib.sha256(key.strip()).digest()
        found = [hmac.compare_digest(given, known) for known in self._hashes]  # all, so that the time tells nothing
        return scheme.lower() == b"bearer" and any(found)
