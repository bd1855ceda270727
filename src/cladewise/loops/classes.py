"""Nodes of the classes of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

READ = "names in the order of their index, class_to_idx, id2label, or a dataset with classes"
"""Description of the classes that are accepted, for messages."""


def class_nodes(classes: Any, taxonomy: Taxonomy) -> Int[np.ndarray, " class"]:
    """The node of every class of a dataset, by class index.

    Two libraries can number the classes of one folder differently: torchvision sorts names as texts, timm with numbers
    by value and in any case. Pass the dataset whose targets are trained on, or its own mapping.

    Args:
        classes: Names in the order of their index; a mapping from names to indices (``class_to_idx``, ``label2id``) or
            from indices to names (``id2label``); or an object that has one of these as ``classes``, ``names``,
            ``class_to_idx`` or ``reader.class_to_idx``: a torchvision dataset, a ``ClassLabel`` of Hugging Face
            ``datasets``, a timm dataset, or a ``Subset`` of one of them.
        taxonomy: The label tree. Names are found as by :meth:`Taxonomy.find`: names, ids, paths; internal nodes too.

    Raises:
        InputError: A class names no node or several, two classes name the same node, or the indices are not
            0, 1, 2, … each once.

    Example:
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> class_nodes({"moth": 1, "wren": 0}, t)
        array([2, 4])
        >>> class_nodes(["wren", "bird/wren"], t)
        Traceback (most recent call last):
        ...
        cladewise.errors.InputError: Expected a node for each class, but got bird/wren for 'wren' and 'bird/wren' ...
    """
    names = _names(classes)
    nodes = taxonomy.find(names, at="classes")
    first: dict[int, str] = {}
    for node, name in zip(nodes.tolist(), names, strict=True):
        if node in first:
            path = taxonomy.path_name(node) or "the root"
            raise InputError("a node for each class", f"{path} for {first[node]!r} and {name!r}", at="classes")
        first[node] = name
    return nodes


def _names(classes: Any) -> list[str]:
    """Names in the order of their index."""
    found = _listed(classes)
    if isinstance(found, Mapping):
        found = _in_order(found)
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise InputError(f"classes: {READ}", f"{type(classes).__name__}")
    names = list(found)
    if not names:
        raise InputError("at least one class", "none")
    return names


def _listed(classes: Any) -> Any:
    """The list or mapping of an object that has one, or the object itself."""
    for owner in (classes, getattr(classes, "reader", None), getattr(classes, "dataset", None)):
        for name in ("classes", "class_to_idx", "names"):
            found = getattr(owner, name, None)
            if found is not None and not callable(found):
                return found
    inner = getattr(classes, "dataset", None)
    return classes if inner is None else _listed(inner)


def _in_order(index_by_name: Mapping[Any, Any]) -> list[Any]:
    """Names by index, from a mapping in either direction."""
    by_name = all(isinstance(value, int) for value in index_by_name.values())
    pairs = [(i, name) if by_name else (name, i) for name, i in index_by_name.items()]
    try:
        by_index = {int(i): name for i, name in pairs}
    except (TypeError, ValueError):
        raise InputError("a mapping between class names and indices", f"{dict(pairs[:2])}") from None
    if sorted(by_index) != list(range(len(pairs))):
        raise InputError(f"the class indices 0 to {len(pairs) - 1}, each once", str(sorted(i for i, _ in pairs)))
    return [by_index[i] for i in range(len(pairs))]
