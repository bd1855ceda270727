"""Values derived from a taxonomy, computed once and kept while they are used, at most as long as the taxonomy lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch

from cladewise.taxonomy import Taxonomy

Value = TypeVar("Value")

MOST_KEPT = 1024
"""Values kept per taxonomy: more than a tree has levels, fewer than a server is sent sets of allowed labels."""

_NONE: Any = object()
_KEPT: weakref.WeakKeyDictionary[Taxonomy, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def cached_for(taxonomy: Taxonomy, key: Hashable, build: Callable[[], Value]) -> Value:
    """The result of ``build()``, computed on the first call with this key.

    The value that was not used for longest is dropped when there are :data:`MOST_KEPT` of a taxonomy.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b")])
        >>> cached_for(t, "sizes", lambda: [t.num_nodes]) is cached_for(t, "sizes", lambda: [t.num_nodes])
        True
    """
    kept = _KEPT.setdefault(taxonomy, {})
    value = kept.pop(key, _NONE)
    if value is _NONE:
        with torch.inference_mode(False):  # it is kept, and gradients may be needed later
            value = build()
        if torch.compiler.is_exporting():  # its tensors are stand-ins, for this export alone
            return value
    kept[key] = value  # now the last
    if len(kept) > MOST_KEPT:
        kept.pop(next(iter(kept)), None)
    return value
