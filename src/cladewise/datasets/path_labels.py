"""Nodes of a given tree for labels that are paths of names, such as those of folders and of labelling tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.lookup import (
    SHOWN,
    Match,
    complaint,
    in_common,
    look_up,
    tell_doubtful,
    tell_inexact,
    tell_others,
)
from cladewise.taxonomy.names.paths import path_text

Names = tuple[str, ...]


def nodes_of_paths(
    taxonomy: Taxonomy, paths: Sequence[Names], at: str, *, what: str = "labels", instead: str = "the labels"
) -> dict[Names, int]:
    """The node of each path: that with the path, otherwise that of its last name below all its others that are nodes.

    A path may therefore leave out levels, and have levels that the tree has not.

    Args:
        taxonomy: The tree.
        paths: Different paths.
        at: The place of the paths, for messages.
        what: What the paths are, in the plural, for messages.
        instead: What makes up the tree if none is given, for messages.

    Raises:
        InputError: A path names no node, or several; the message lists all.

    Example:
        >>> tree = Taxonomy.from_paths([("animal", "bird", "wren"), ("animal", "bird", "crane"), ("machine", "crane")])
        >>> nodes_of_paths(tree, [("bird", "wren"), ("animal", "crane")], "here")
        {('bird', 'wren'): 3, ('animal', 'crane'): 4}
    """
    found = {names: _match(taxonomy, names) for names in paths}
    unknown = [names for names, match in found.items() if not match.nodes]
    if unknown:
        shown = [complaint(taxonomy, names) for names in unknown[:SHOWN]]
        advice = f"Rename them, add them to the taxonomy, or leave the taxonomy out to use {instead} as the tree."
        raise InputError(
            f"{what} that are named as nodes of the taxonomy",
            f"{len(unknown)} that are not: {', '.join(shown)}" + (", ..." if len(unknown) > SHOWN else ""),
            at=at,
            advice=" ".join([*in_common(taxonomy, unknown), advice]),
        )
    unclear = {path_text(names): match.nodes for names, match in found.items() if len(match.nodes) > 1}
    if unclear:
        name, nodes = next(iter(unclear.items()))
        listed = ", ".join(taxonomy.path_name(v) for v in nodes[:SHOWN])
        raise InputError(
            f"{what} that name one node each",
            f"{len(unclear)} that name several, such as {name!r}",
            at=at,
            advice=f"Put them into folders by path: {listed}." if what == "folders" else f"Use a path: {listed}.",
        )
    nodes = {names: match.nodes[0] for names, match in found.items()}
    tell_inexact((match.told for match in found.values()), at=at)
    other = {names: nodes[names] for names, match in found.items() if match.other}
    tell_others(taxonomy, other, at=at)
    tell_doubtful(taxonomy, list(nodes), list(nodes.values()), other, at=at)
    return nodes


def _match(taxonomy: Taxonomy, names: Names) -> Match:
    """Nodes with the path, otherwise those with its name below all its other names that are nodes."""
    exact = look_up(taxonomy, names)
    if exact.nodes or len(names) == 1:
        return exact
    last = look_up(taxonomy, names[-1:])
    above = [nodes for name in names[:-1] if (nodes := taxonomy.matches((name,)))]
    fitting = [v for v in last.nodes if all(taxonomy.contains(nodes, v).any() for nodes in above)]
    return dataclasses.replace(last, nodes=fitting)
