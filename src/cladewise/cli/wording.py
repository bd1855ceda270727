"""Rewrites the library's messages for the shell: arguments, ``roots="join"``, become options, ``--roots join``."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cladewise.cli import reading_options

PREFIX = f"{reading_options.PREFIX}_"
_ARGUMENT = re.compile(
    r"""(?P<kept>--[\w-]+[ =]\S+)"""  # an option with its value, already as the shell wants it
    r"""|(?<![\w:,+./='"-])(?P<name>[a-z][a-z0-9_]*)="""
    r"""(?P<value>"[^"]*"|'[^']*'|\[[^\]]*\]|\.\.\.|[\w:+-]+(?:[./][\w:+-]+)*)?"""
)


class Wording:
    """Rewrites the arguments in a text as options of one command.

    Args:
        command: A command of the command line, or a group of them.

    Example:
        >>> from cladewise.cli.app import app
        >>> from typer.main import get_command
        >>> train = Wording(command_of(get_command(app), ["train", "photos"]))
        >>> train('Give overwrite=True, out="runs/b", or split_folders=False; freeze=False, lr= stay.')
        'Give --overwrite, --out runs/b, or --data-option split_folders=false; --no-freeze, --lr stay.'
        >>> train("rule.fit(x=1), into=..., threshold:threshold=0.9, --set dilution=0.7")
        'rule.fit(x=1), into=..., threshold:threshold=0.9, --set dilution=0.7'
    """

    def __init__(self, command: Any) -> None:
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        self.options = {option.name.rstrip("_"): option for option in options}
        # messages from readers of trees mean their own arguments, not options of the command with the same name
        of_trees = {o.name.removeprefix(PREFIX): o for o in options if o.name.startswith(PREFIX)}
        self.options |= of_trees

    def __call__(self, text: str) -> str:
        """The text with every argument that is an option of the command, or is given by one, as such."""
        return _ARGUMENT.sub(self._option, text)

    def _option(self, found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        if found["kept"]:
            return found[0]
        if name in self.options:
            return _as_option(self.options[name], value) or found[0]
        for flag, names in (("data_option", self._of_data), ("set", self._of_methods)):
            if flag in self.options and name in names:
                return f"--{flag.replace('_', '-')} {name}={_word(value or '...')}"
        return found[0]

    @cached_property
    def _of_data(self) -> set[str]:
        """Options of the readers of datasets."""
        from cladewise import datasets

        readers = [getattr(datasets, name) for name in datasets.__all__ if name.startswith("from_")]
        parameters = [p for reader in readers for p in inspect.signature(reader).parameters.values()]
        return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} | {"path"}

    @cached_property
    def _of_methods(self) -> set[str]:
        """Hyper-parameters of methods, if methods were imported at all."""
        methods = sys.modules.get("cladewise.methods")
        if methods is None:
            return set()
        from cladewise.catalogue import options_of

        return {option for method in methods.available().values() for option in options_of(method)}


def command_of(group: Any, words: Sequence[str]) -> Any:
    """The command that a command line calls, following its words through groups of commands."""
    command = group
    for word in words:
        inner = getattr(command, "commands", {})
        if word not in inner:
            break
        command = inner[word]
    return command


def _as_option(option: Any, value: str | None) -> str | None:
    """An argument as an option of the command; ``None`` if no option corresponds to it."""
    flag = max(option.opts, key=len)
    if option.is_flag:
        if value == "False":
            return option.secondary_opts[0] if option.secondary_opts else None
        return flag
    return flag if value in (None, "...") else f"{flag} {_quoted(_word(value))}"


def _word(value: str) -> str:
    """A Python value as the shell's text."""
    if value in ("True", "False", "None"):
        return value.lower()
    if value.startswith("["):
        return ",".join(_word(item.strip()) for item in value[1:-1].split(","))
    return value.strip("\"'")


def _quoted(word: str) -> str:
    """A word quoted for the shell if it must be."""
    return word if re.fullmatch(r"[\w@%+=:,./*-]+", word) else shlex.quote(word)
