"""Paths of all nodes of a tree as texts."""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy.arrays import StrArray, sealed
from cladewise.taxonomy.names.paths import SEPARATOR, path_text
from cladewise.taxonomy.tree import Taxonomy


def path_texts(taxonomy: Taxonomy) -> StrArray:
    r"""The path of every node as one text, as :meth:`Taxonomy.path_name` gives it for one; blank at an unnamed root.

    Example:
        >>> path_texts(Taxonomy.from_paths([("bags", "cases/trunks")])).tolist()
        ['', 'bags', 'bags/cases\\/trunks']
    """
    texts = taxonomy.names.copy()
    special = np.strings.find(texts, SEPARATOR) >= 0
    special |= np.strings.find(texts, "\\") >= 0
    for node in np.flatnonzero(special).tolist():
        texts[node] = path_text([str(texts[node])])
    for nodes in taxonomy.nodes_by_depth[2 if taxonomy.synthetic_root else 1 :]:
        above = np.strings.add(texts[taxonomy.parents[nodes]], SEPARATOR)
        texts[nodes] = np.strings.add(above, texts[nodes])
    return sealed(texts)
