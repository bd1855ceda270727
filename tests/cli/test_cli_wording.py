"""Every text that advises something advises what there is: arguments in the library, options on the command line."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import cladewise
from cladewise.cli.app import app
from cladewise.cli.wording import _ARGUMENT, Wording, command_of

SOURCE = Path(cladewise.__file__).parent
SAYING = {"InputError": ("expected", "advice"), "warn": ("text", "advice"), "InputWarning": ("found", "advice")}
PLACE = {"InputError": 0, "warn": 0, "InputWarning": 0}
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def text_of(node: ast.AST) -> str:
    """The constant parts of a text; what is filled in is an X."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "X" for part in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body)} {text_of(node.orelse)}"
    if isinstance(node, ast.BoolOp):
        return " ".join(map(text_of, node.values))
    return ""


def texts() -> Iterator[tuple[str, str]]:
    """Texts of all calls of errors and warnings, apart from words of the user, and their places."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called not in SAYING:
                continue
            assert isinstance(node, ast.Call)
            parts = [node.args[0]] if node.args else []
            parts += [word.value for word in node.keywords if word.arg in SAYING[called]]
            where = f"{file.relative_to(SOURCE).as_posix()}:{node.lineno}"
            yield from ((where, text) for part in parts if (text := text_of(part)))


TEXTS = dict.fromkeys(texts())


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    found = {" ".join(path): group} if path else {}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, (*path, name))
    return found


COMMANDS = commands(get_command(app))
COMMAND = re.compile(rf"cladewise ({'|'.join(sorted(COMMANDS, key=len, reverse=True))})\b(.*?)(?:\.(?: |$)|$)")
ADVISED = re.compile(r": cladewise ([a-z-]+)")


def options(command: Any) -> set[str]:
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


def arguments() -> set[str]:
    """Every argument that somebody can give: of functions, of rules and methods, of settings."""
    found: set[str] = set()
    for module in pkgutil.walk_packages(cladewise.__path__, "cladewise."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if dataclasses.is_dataclass(value):
                found |= {field.name for field in dataclasses.fields(value)}
            if inspect.isclass(value):
                methods = [method for _, method in inspect.getmembers(value, inspect.isroutine)]
            else:
                methods = [value] if inspect.isroutine(value) else []
            for method in methods:
                if str(getattr(method, "__module__", "")).startswith("cladewise"):
                    found |= set(inspect.signature(method).parameters)
    return found


def test_there_are_texts_to_look_at() -> None:
    assert len(TEXTS) > 400
    assert {"train", "evaluate", "taxonomy check", "list"} <= COMMANDS.keys()


def test_library_texts_name_no_options_but_those_of_whole_commands() -> None:
    wrong: list[str] = []
    for where, text in TEXTS:
        if where.startswith("cli/"):
            continue
        rest = text
        wrong += [f"{where}: no command {name!r}" for name in ADVISED.findall(text) if name not in COMMANDS]
        for whole in COMMAND.finditer(text):
            missing = {flag for flag in OPTION.findall(whole[2]) if flag not in options(COMMANDS[whole[1]])}
            wrong += [f"{where}: {whole[1]} has no {flag}" for flag in missing]
            rest = rest.replace(whole[0], "")
        wrong += [f"{where}: {flag}" for flag in OPTION.findall(rest)]
    assert not wrong, "\n".join(wrong)


def test_command_line_texts_name_options_that_there_are() -> None:
    every = {"--help"} | {flag for command in COMMANDS.values() for flag in options(command)}
    wrong = [
        f"{where}: {flag}"
        for where, text in TEXTS
        if where.startswith("cli/")
        for flag in OPTION.findall(text)
        if flag not in every
    ]
    assert not wrong, "\n".join(wrong)


def test_every_argument_that_is_advised_exists() -> None:
    there = arguments()
    wrong = [
        f"{where}: {found['name']}="
        for where, text in TEXTS
        for found in _ARGUMENT.finditer(text)
        if found["name"] and found["name"] not in there
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("words", "text", "worded"),
    [
        ("taxonomy check", "Pass roots=\"join\", or format='edges'.", "Pass --roots join, or --format edges."),
        ("train", "pass split_folders=False if so", "pass --data-option split_folders=false if so"),
        ("train", "Give overwrite=True, or out=.", "Give --overwrite, or --out."),
        ("train", "freeze=False needs backbone_lr=0.001.", "--no-freeze needs --backbone-lr 0.001."),
        ("train", "set text=open_clip:MODEL/WEIGHTS", "set --set text=open_clip:MODEL/WEIGHTS"),
        ("evaluate", 'split="val+test", decision="greedy:x=1"', "--split val+test, --decision greedy:x=1"),
        ("evaluate", 'Pass roots="join", into=...', 'Pass roots="join", into=...'),
        ("evaluate", "greedy:threshold=0.9, --threshold 0.9.", "greedy:threshold=0.9, --threshold 0.9."),
        ("taxonomy show", 'levels=["a", "b"]', "--levels a,b"),
        ("taxonomy show", 'separator=";"', "--separator ';'"),
        ("train", 'Pass name="common", or format="edges".', "Pass --taxonomy-name common, or --taxonomy-format edges."),
    ],
)
def test_arguments_become_options_of_the_command(words: str, text: str, worded: str) -> None:
    from cladewise import methods

    assert methods.available()  # a hyper-parameter is told of by a method that was looked at
    assert Wording(command_of(get_command(app), words.split()))(text) == worded
