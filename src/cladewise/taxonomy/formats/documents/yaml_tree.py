"""YAML files that hold a tree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.documents.nesting import nested_from_taxonomy, taxonomy_from_nested
from cladewise.taxonomy.formats.documents.values import Plain, too_deep
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.tree import Taxonomy

MAX_BYTES = 2**24  # YAML's parser takes far more memory and time than JSON's
MAX_ALIASED = 100_000
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map", "null", "int", "float", "bool")}
_NULL = "tag:yaml.org,2002:null"
_ITEMS = re.compile(r"\n\s*-\s")
_PLAIN = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|(?i:true|false)")


def read_yaml_tree(path: Path, options: ReadOptions = PLAIN) -> Taxonomy:
    """Read a tree from YAML, in any form of :mod:`cladewise.taxonomy.formats.documents.nesting`.

    Every scalar is a name as written, including ``no`` and ``1``; only ``null`` and ``~`` are null.

    Raises:
        InputError: The text is not YAML, a key repeats in a mapping, aliases expand to too many values, or the
            document is not a tree.
    """
    try:
        document = yaml.load(read_text(path, limit=MAX_BYTES), Loader=_NameLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem)
        told = f"{error.context}, {problem}" if problem.startswith("but ") else problem
        raise InputError("YAML", f"an error: {told}", at=f"{path}:{mark.line + 1}" if mark else str(path)) from error
    except yaml.YAMLError as error:
        raise InputError("YAML", f"an error: {str(error).splitlines()[0]}", at=str(path)) from error
    except RecursionError as error:
        raise too_deep(path) from error
    return taxonomy_from_nested(document, source=str(path), options=options)


def write_yaml_tree(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as nested YAML, in the form in which JSON is written.

    Raises:
        InputError: The tree is too deep to nest.
    """
    document = nested_from_taxonomy(taxonomy)
    write_text(path, yaml.dump(document, Dumper=_NameDumper, allow_unicode=True, sort_keys=False, width=2**20))


class _NameLoader(yaml.BaseLoader):
    """A loader for texts, lists and mappings only; refuses repeated keys and exploding aliases."""

    def compose_document(self) -> yaml.Node | None:
        document = super().compose_document()
        if document is not None:
            _refuse_expansion(document)
        return document

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node.tag not in _TAGS:
            raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag!r}", node.start_mark)
        if node.tag == _NULL and isinstance(node, yaml.ScalarNode):
            return None
        if isinstance(node, yaml.ScalarNode) and node.style is None and _ITEMS.search(_written(node)):
            problem = "a name that goes on over a list, which needs a ':' behind the name"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        if isinstance(node, yaml.ScalarNode) and node.style is None and _PLAIN.fullmatch(node.value):
            return Plain(node.value)
        return super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is not a name", key.start_mark)
            if key.tag == _NULL:
                raise yaml.constructor.ConstructorError(None, None, "a null for a name", key.start_mark)
            if key.value == "<<" and key.style is None:
                raise yaml.constructor.ConstructorError(None, None, "a merge key, '<<'", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the name {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _written(node: yaml.ScalarNode) -> str:
    """The source text of a scalar, with line ends."""
    return (node.start_mark.buffer or "")[node.start_mark.pointer : node.end_mark.pointer]


_NameLoader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])


def _refuse_expansion(document: yaml.Node) -> None:
    """Refuse aliases that expand to more than :data:`MAX_ALIASED` nodes beyond those written.

    Ten lines of aliases of aliases can expand to a billion names.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    waiting = [document]
    while waiting:
        node = waiting[-1]
        below = _below(node)
        if id(node) not in open_nodes:
            open_nodes.add(id(node))
            for child in below:
                if id(child) in open_nodes and id(child) not in sizes:
                    problem = "an alias for something that it is part of"
                    raise yaml.constructor.ConstructorError(None, None, problem, child.start_mark)
            waiting += [child for child in below if id(child) not in sizes]
            continue
        waiting.pop()
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in below)
    if sizes[id(document)] > len(sizes) + MAX_ALIASED:
        problem = f"aliases that stand for {sizes[id(document)]} values"
        raise yaml.constructor.ConstructorError(None, None, problem, document.start_mark)


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class _NameDumper(yaml.SafeDumper):
    """A dumper that writes a node without children as a bare key, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _no_value(dumper: yaml.SafeDumper, _: None) -> yaml.ScalarNode:
    return dumper.represent_scalar(_NULL, "")


_NameDumper.add_representer(type(None), _no_value)
