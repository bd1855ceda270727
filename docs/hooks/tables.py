"""Generates tables from the code when the pages are built, so that they cannot go stale.

A page requests a table with a comment on a line of its own: ``<!-- generated: methods -->``.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

MARKER = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page; MkDocs calls this with the text of every page."""
    return MARKER.sub(lambda found: TABLES[found[1]](), markdown)


def methods() -> str:
    """One section per method: its description, options and citation."""
    from cladewise import methods as package

    return "\n".join(line for name, method in package.available().items() for line in _method(name, method))


def _method(name: str, method: type[Any]) -> Iterator[str]:
    yield f"## {method.title} {{ #{name} }}\n"
    yield f"`{name}`: {_first_paragraph(method)}\n"
    fields = dataclasses.fields(method)
    if fields:
        yield "| option | default | meaning | values searched in the paper |"
        yield "|---|---|---|---|"
    for field in fields:
        grid = ", ".join(f"`{value}`" for value in field.metadata["grid"]) or "–"
        yield f"| `{field.name}` | `{field.default}` | {field.metadata['help']} | {grid} |"
    source = method.citation
    yield f"\n{source.authors}. [*{source.title}*]({source.url}). {source.venue} {source.year}.\n"


def decisions() -> str:
    """One row per decision rule."""
    from cladewise import decisions as package

    return _parts(package.available())


def inferences() -> str:
    """One row per inference rule."""
    from cladewise import inference as package

    return _parts(package.available())


def _parts(available: dict[str, type[Any]]) -> str:
    from cladewise.catalogue import options_of

    rows = ["| name | parameters | what it does |", "|---|---|---|"]
    for name, part in available.items():
        parameters = ", ".join(f"`{field.name}={field.default}`" for field in options_of(part).values()) or "–"
        rows.append(f"| `{name}` | {parameters} | {_first_paragraph(part)} |")
    return "\n".join(rows)


def datasets() -> str:
    """One row per named dataset."""
    from cladewise import datasets as package

    rows = [f"| `{name}` | {text} |" for name, text in package.available().items()]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def published_datasets() -> str:
    """One section per published dataset: its levels, splits, licence, files and source."""
    from cladewise.datasets.published.registry import PUBLISHED

    return "\n".join(line for entry in PUBLISHED.values() for line in _published(entry))


def _published(entry: Any) -> Iterator[str]:
    facts = entry.facts
    yield f"## `{entry.name}` {{ #{entry.name} }}\n"
    yield f"{entry.description[:1].upper()}{entry.description[1:]}.\n"
    levels = ", ".join(f"{count:,} {level}" for level, count in facts.levels.items())
    if facts.num_leaves is not None:
        nodes = f" of {facts.num_nodes:,} nodes" if facts.num_nodes is not None else ""
        levels = ", ".join([*([levels] if levels else []), f"{facts.num_leaves:,} leaves{nodes}"])
    rows = {
        "classes": levels,
        "images": ", ".join(f"{count:,} {split}" for split, count in facts.images.items()),
        "options": ", ".join(f"`{option}`" for option in entry.options),
        "licence": facts.licence,
        "source": facts.citation,
        "files": facts.where,
    }
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {title} | {text} |" for title, text in rows.items() if text)
    yield ""
    if facts.files:
        yield "| read | content |"
        yield "|---|---|"
        yield from (f"| `{file}` | {text} |" for file, text in facts.files.items())
        yield ""
    yield from (f"{note}\n" for note in facts.notes)


def configuration() -> str:
    """One table of settings for each table of ``config.toml`` with fields of its own."""
    from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig

    tables = {"backbone": BackboneConfig, "training": TrainingConfig, "ablation": AblationConfig}
    return "\n".join(line for name, table in tables.items() for line in _settings(name, table))


def _settings(name: str, table: type[Any]) -> Iterator[str]:
    yield f"## `[{name}]`\n"
    yield f"{inspect.getdoc(table)}\n"
    yield "| setting | default | meaning |"
    yield "|---|---|---|"
    for field in dataclasses.fields(table):
        default = json.dumps(field.default)
        rule = ""
        if field.metadata["choices"]:
            rule = f" One of {', '.join(f'`{choice}`' for choice in field.metadata['choices'])}."
        elif field.metadata["most"] is not None:
            rule = f" From {field.metadata['least']} to {field.metadata['most']}."
        elif field.metadata["least"] is not None:
            rule = f" At least {field.metadata['least']}."
        yield f"| `{field.name}` | `{default}` | {_sentence(field.metadata['help'])}{rule} |"
    yield ""


def commands() -> str:
    """One section per command: its purpose, arguments and options."""
    import typer.main

    from cladewise.cli.app import app

    return "\n".join(_command("cladewise", typer.main.get_command(app), 2))


def verbs() -> str:
    """One row per command, with its function in Python."""
    rows = ["| command | function | what it does |", "|---|---|---|"]
    for command, function in functions().items():
        words = inspect.cleandoc(_commands()[tuple(command.split())].help or "").split("\n\n")[0].replace("\n", " ")
        rows.append(f"| `cladewise {command}` | {function} | {words} |")
    return "\n".join(rows)


OTHER_FUNCTIONS = {
    "taxonomy check": "`cladewise.taxonomy.check`",
    "taxonomy show": "`cladewise.taxonomy.outline.draw_tree`",
    "taxonomy convert": "`cladewise.taxonomy.read`, then `cladewise.taxonomy.write`",
    "taxonomy diff": "`cladewise.taxonomy.diff`",
    "taxonomy match": "`cladewise.taxonomy.match`",
    "taxonomy induce": "`cw.induce`",
    "embed taxonomy": "`cw.embed`",
    "datasets show": "`cw.datasets.facts`, `cw.datasets.check`",
    "corrections": "`cladewise.interchange.read_corrected_labels`",
    "cache": "`cladewise.engine.cache_entries`, `cladewise.engine.clear_cache`",
    "list": "`cw.methods.available`, `cw.decisions.available`, and so on",
}
"""Functions of commands without a verb of the same name."""


def functions() -> dict[str, str]:
    """Map every command (its words) to its function."""
    from cladewise.verbs import VERBS

    found: dict[str, str] = {}
    for path in _commands():
        command, name = " ".join(path), "_".join(path).replace("-", "_")
        found[command] = f"`cw.{name}`" if name in VERBS else OTHER_FUNCTIONS[command]
    return found


def _commands() -> dict[tuple[str, ...], Any]:
    """Commands by their words, without the groups that contain them."""
    import typer.main

    from cladewise.cli.app import app

    def leaves(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command
        for name, child in (inner or {}).items():
            yield from leaves((*path, name), child)

    return dict(leaves((), typer.main.get_command(app)))


def _command(path: str, command: Any, level: int) -> Iterator[str]:
    purpose, *examples = inspect.cleandoc(command.help or "").split("\n\n")
    yield f"{'#' * level} `{path}` {{ #{path.replace(' ', '-')} }}\n"
    yield f"{purpose.replace(chr(10), ' ')}\n"
    for example in examples:
        yield f"```sh\n{example}\n```\n"
    shown = [p for p in command.params if not getattr(p, "hidden", False) and not p.name.endswith("_completion")]
    if not hasattr(command, "commands"):
        yield "| argument or option | default | meaning |"
        yield "|---|---|---|"
        for parameter in shown:
            yield _parameter(parameter)
        yield ""
    for name, child in getattr(command, "commands", {}).items():
        yield from _command(f"{path} {name}", child, level + 1 if level > 2 else level)


def _parameter(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    words = [*parameter.opts, *parameter.secondary_opts] if is_option else [parameter.name.upper()]
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    if isinstance(default, bool):
        default = json.dumps(default)
    required = parameter.required and "required"
    shown = required or (f"`{default}`" if default not in (None, "", ()) and not callable(default) else "–")
    return f"| {', '.join(f'`{word}`' for word in words)} | {shown} | {parameter.help} |"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _first_paragraph(part: type[Any]) -> str:
    return (inspect.getdoc(part) or "").split("\n\n")[0].replace("\n", " ")


TABLES = {
    table.__name__: table
    for table in (methods, decisions, inferences, datasets, published_datasets, configuration, commands, verbs)
}
