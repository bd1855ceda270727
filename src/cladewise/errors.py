"""Errors and warnings about user input: what was expected, what was found, where, and what to do."""

from __future__ import annotations

import warnings

from cladewise.escapes import escaped

LONGEST = 4000
"""Most characters of a value that a message repeats; a field of a broken file may have millions."""


def shortened(text: str) -> str:
    """A text, with its middle left out if it is very long.

    Example:
        >>> shortened("short"), len(shortened("x" * 10**6)) < 2 * LONGEST
        ('short', True)
    """
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} ... ({len(text):,} characters) ... {text[-half:]}"


class InputError(ValueError):
    """User input that the library cannot accept.

    The message is always one line: ``Expected <the rule>, but got <value> at <where>. <What to do.>`` The command line
    prints it as it is and exits with 2; in Python it is a :class:`ValueError`.

    Example:
        >>> print(InputError("a dilution in (0, 1]", "1.5", advice="Pass 0.5, the paper's middle setting."))
        Expected a dilution in (0, 1], but got 1.5. Pass 0.5, the paper's middle setting.
    """

    def __init__(self, expected: str, got: object, *, at: str = "", advice: str = "") -> None:
        self.expected, self.got, self.at, self.advice = expected, got, at, advice
        where = f" at {at}" if at else ""
        text = f"Expected {expected}, but got {shortened(str(got))}{where}. {advice}".rstrip()
        super().__init__(escaped(" ".join(text.split())))

    def __reduce__(self) -> tuple[object, ...]:  # keyword arguments survive the trip between worker processes
        return (_rebuild, (type(self), self.expected, str(self.got), self.at, self.advice))


def _rebuild(kind: type[InputError], expected: str, got: str, at: str, advice: str) -> InputError:
    return kind(expected, got, at=at, advice=advice)


class MissingExtraError(ImportError):
    """A required optional dependency is not installed; the message names the extra that provides it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f"Expected the package {package}, but it is not installed. Run: pip install 'cladewise[{extra}]'"
        )


class InputWarning(UserWarning):
    """User input that can be used, but is probably not what was meant.

    The message is one line: ``<What was found> at <where>. <What to do.>``
    """

    def __init__(self, found: str, at: str = "", advice: str = "") -> None:
        self.found, self.at, self.advice = found, at, advice
        where = f" at {at}" if at else ""
        super().__init__(escaped(" ".join(f"{found}{where}. {advice}".split())))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.found, self.at, self.advice)


def warn(text: str, *, at: str = "", advice: str = "") -> None:
    """Warn about input that was read, but probably not as the user meant it.

    The message is one line: ``<What was found> at <where>. <What to do.>`` In Python it is an :class:`InputWarning`;
    the command line prints it to standard error.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warn("2 names with zero-width characters", at="classes.csv", advice="Remove them.")
        >>> print(caught[0].message)
        2 names with zero-width characters at classes.csv. Remove them.
    """
    warnings.warn(InputWarning(text, at, advice), stacklevel=3)
