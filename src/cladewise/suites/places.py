"""Places in a suite file, for errors."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from cladewise.errors import InputError


@contextlib.contextmanager
def within(at: str) -> Generator[None, None, None]:
    """Add the part of the file to errors raised inside.

    Example:
        >>> with within("mine.toml [search]"):
        ...     raise InputError("a metric", "'app'")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a metric, but got 'app' at mine.toml [search].
    """
    try:
        yield
    except InputError as error:
        where = f"{at}, {error.at}" if error.at else at
        raise InputError(error.expected, error.got, at=where, advice=error.advice) from None
