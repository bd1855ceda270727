"""JSON and YAML files of nested names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.taxonomy.formats.files import read_text
from cladewise.taxonomy.formats.nested import nested_from_taxonomy, taxonomy_from_nested
from cladewise.taxonomy.tree import Taxonomy


def read_json(path: Path) -> Taxonomy:
    """Read a tree from nested JSON, in either form of :mod:`cladewise.taxonomy.formats.nested`.

    Raises:
        InputError: The text is not JSON, a key repeats in one object, or the nesting is not a tree of names.
    """

    def once(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise InputError("each name once in an object", f"{key!r} twice", at=str(path))
            found[key] = value
        return found

    try:
        document = json.loads(read_text(path), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InputError("JSON", f"an error: {error.msg}", at=f"{path}:{error.lineno}") from error
    except RecursionError as error:
        raise _too_deep(path) from error
    return taxonomy_from_nested(document, source=str(path))


def write_json(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as nested JSON: mappings where they can hold it, else children with all there is.

    Raises:
        InputError: The tree is too deep to nest.
    """
    write_text(path, json.dumps(nested_from_taxonomy(taxonomy), indent=2, ensure_ascii=False) + "\n")


def read_yaml(path: Path) -> Taxonomy:
    """Read a tree from nested YAML. Every scalar is a name as it is written: ``no`` and ``1`` too.

    Raises:
        InputError: The text is not YAML, a key repeats in one mapping, or the nesting is not a tree of names.
    """
    try:
        document = yaml.load(read_text(path), Loader=_NameLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError("YAML", f"an error: {error.problem}", at=f"{path}{line}") from error
    except yaml.YAMLError as error:
        raise InputError("YAML", f"an error: {str(error).splitlines()[0]}", at=str(path)) from error
    except RecursionError as error:
        raise _too_deep(path) from error
    return taxonomy_from_nested(document, source=str(path))


def write_yaml(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as nested YAML, in the same form as :func:`write_json`.

    Raises:
        InputError: The tree is too deep to nest.
    """
    document = nested_from_taxonomy(taxonomy)
    write_text(path, yaml.dump(document, Dumper=_NameDumper, allow_unicode=True, sort_keys=False, width=2**20))


class _NameLoader(yaml.BaseLoader):
    """Makes texts, lists and mappings, never objects, and refuses a mapping that has one key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is not a name", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the name {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _NameDumper(yaml.SafeDumper):
    """Writes a node without children as a bare key, and never abbreviates."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _no_value(dumper: yaml.SafeDumper, _: None) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:null", "")


_NameDumper.add_representer(type(None), _no_value)


def _too_deep(path: Path) -> InputError:
    return InputError("a nesting that a parser can follow", "one that is too deep", at=str(path))
