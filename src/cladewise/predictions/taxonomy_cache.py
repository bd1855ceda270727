"""Values derived from a taxonomy, computed once and kept as long as the taxonomy lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch

from cladewise.taxonomy import Taxonomy

Value = TypeVar("Value")

_KEPT: weakref.WeakKeyDictionary[Taxonomy, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def cached_for(taxonomy: Taxonomy, key: Hashable, build: Callable[[], Value]) -> Value:
    """The result of ``build()``, computed on the first call with this key.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b")])
        >>> cached_for(t, "sizes", lambda: [t.num_nodes]) is cached_for(t, "sizes", lambda: [t.num_nodes])
        True
    """
    kept = _KEPT.setdefault(taxonomy, {})
    if key not in kept:
        built = build()
        if torch.compiler.is_exporting():  # its tensors are stand-ins, for this export alone
            return built
        kept[key] = built
    return kept[key]
