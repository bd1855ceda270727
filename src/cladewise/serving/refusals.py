"""Requests that are refused: a status, and an error that says what was expected, what was found and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from cladewise.errors import InputError

Value = TypeVar("Value")


class Refused(Exception):
    """A request that is refused.

    Args:
        status: The HTTP status.
        expected: The rule.
        got: What the request had instead.
        advice: What to do.
        kind: Short name for metrics.
        headers: Further headers of the response.

    Example:
        >>> Refused(413, "a body of at most 10 bytes", "20 bytes", kind="bytes").error["message"]
        'Expected a body of at most 10 bytes, but got 20 bytes.'
    """

    def __init__(
        self,
        status: int,
        expected: str,
        got: object,
        *,
        advice: str = "",
        kind: str = "invalid",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.kind, self.headers = status, kind, headers or {}
        self.problem = InputError(expected, got, advice=advice)
        super().__init__(str(self.problem))

    @classmethod
    def of(cls, error: InputError, status: int = 422, kind: str = "invalid") -> Refused:
        """The refusal for a mistake in a request."""
        refused = cls(status, error.expected, error.got, advice=error.advice, kind=kind)
        refused.problem = error
        return refused

    @property
    def error(self) -> dict[str, str]:
        """The error as it is answered."""
        return error_body(self.problem)


def refusing(function: Callable[..., Value], *arguments: Any) -> Value:
    """The result of a function whose input errors are errors of the request.

    Raises:
        Refused: The function raised an InputError.
    """
    try:
        return function(*arguments)
    except InputError as error:
        raise Refused.of(error) from error


def error_body(error: InputError) -> dict[str, str]:
    """The text of an error, in parts and as one message.

    Example:
        >>> error_body(InputError("a top of at most 100", "1000"))["got"]
        '1000'
    """
    message = str(error)
    parts = {"expected": error.expected, "got": str(error.got), "advice": error.advice}
    return {name: text if len(text) <= len(message) else message for name, text in parts.items()} | {"message": message}


def too_busy(expected: str, got: object, *, kind: str) -> Refused:
    """The refusal of a server that has too much to do, to be repeated after a second."""
    return Refused(503, expected, got, advice="Try again in a second.", kind=kind, headers={"retry-after": "1"})


def to_json(content: Any) -> bytes:
    """A JSON text; numbers that JSON does not have are an error rather than written."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        errors="backslashreplace"
    )
