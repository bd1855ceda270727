"""Commands with further options that are generated from the library's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., None])
Kind = inspect.Parameter


def extended(
    command: Command, added: Sequence[inspect.Parameter], into: str | None, gathered: Callable[[dict[str, Any]], Any]
) -> Command:
    """A command with further options, whose values reach it as one argument.

    Args:
        command: The command.
        added: The options.
        into: Argument of the command that takes their values, and that is not an option itself; ``None`` for its
            ``**``.
        gathered: Function from the values of the options, by name, to that argument; to a mapping of keywords for
            ``**``.

    Example:
        >>> def greet(name: str, how: dict[str, str]) -> None:
        ...     print(how["word"], name)
        >>> word = inspect.Parameter("word", Kind.KEYWORD_ONLY, annotation=str)
        >>> extended(greet, [word], "how", dict)(name="wren", word="hello")
        hello wren
    """
    signature = inspect.signature(command, eval_str=True)
    names = [parameter.name for parameter in added]
    kept = [p for p in signature.parameters.values() if p.name != into]
    fixed = [p.replace(kind=Kind.KEYWORD_ONLY) for p in kept if p.kind is not Kind.VAR_KEYWORD]
    open_ended = [p for p in kept if p.kind is Kind.VAR_KEYWORD and into is not None]
    parameters = [*fixed, *added, *open_ended]

    def wrapped(**values: Any) -> None:
        made = gathered({name: values.pop(name) for name in names})
        further: Mapping[str, Any] = made if into is None else {into: made}
        command(**values, **further)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped  # type: ignore[return-value]


def listed(values: Mapping[str, Any], lists: Sequence[str]) -> dict[str, Any]:
    """The options that were given, with comma-separated lists split.

    Example:
        >>> listed({"levels": "genus, species", "name": "label", "header": None}, ["levels"])
        {'levels': ['genus', 'species'], 'name': 'label'}
    """
    given = {name: value for name, value in values.items() if value not in (None, False)}
    return {
        name: [part.strip() for part in str(value).split(",")] if name in lists else value
        for name, value in given.items()
    }
