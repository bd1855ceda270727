"""Paths and URIs: which of them are local, how relative ones are resolved, and how they end."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

from cladewise.datasets.files.same_files import existing

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")


def scheme(place: str) -> str:
    """The protocol of a URI; empty for a local path.

    Example:
        >>> scheme("s3://museum/a.jpg"), scheme("C:/a.jpg"), scheme("file:///a.jpg")
        ('s3', '', '')
    """
    found = _SCHEME.match(place)
    name = found[1].lower() if found else ""
    return "" if name in ("file", "local") else name


def local(place: str) -> str:
    """A local place as a path, without ``file://``.

    Example:
        >>> local("file:///data/a.jpg"), local("a.jpg")
        ('/data/a.jpg', 'a.jpg')
    """
    return place.partition("://")[2] if _SCHEME.match(place) else place


def suffix(place: str) -> str:
    """The last extension in lower case, ``.gz`` together with the one before; of a URL without its query.

    Example:
        >>> suffix("https://x.org/A.TAR.GZ?sig=b.c"), suffix("a.v2.JPG"), suffix("a")
        ('.tar.gz', '.jpg', '')
    """
    path = urlsplit(place).path if scheme(place) in ("http", "https") else place
    suffixes = [each.lower() for each in PurePosixPath(path.rsplit("/", 1)[-1]).suffixes]
    if suffixes[-1:] == [".gz"]:
        return "".join(suffixes[-2:])
    return suffixes[-1] if suffixes else ""


def folder(place: str) -> str:
    """The folder of a file: the part before its last slash.

    Example:
        >>> folder("s3://museum/2024/list.csv"), folder("list.csv")
        ('s3://museum/2024', '')
    """
    return os.path.dirname(place)


def resolved(root: str, path: str) -> str:
    r"""A path in a table as a place: URIs and absolute paths as they are, others below the root.

    A relative local path that does not exist is also tried with ``/`` for ``\`` and in the other Unicode composition.

    Example:
        >>> resolved("https://x.org/p", "a b#1.jpg"), resolved("s3://m", "a.jpg"), resolved("d", "/a.jpg")
        ('https://x.org/p/a%20b%231.jpg', 's3://m/a.jpg', '/a.jpg')
    """
    if _SCHEME.match(path) or os.path.isabs(path):
        return path
    protocol = scheme(root)
    if protocol:
        return f"{root.rstrip('/')}/{quote(path) if protocol in ('http', 'https') else path}"
    base = local(root)
    return os.path.join(base, existing(base, path))
