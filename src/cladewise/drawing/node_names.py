"""Names of nodes for the axes of a figure: short but unique."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy

SEPARATOR = " › "


def axis_names(nodes: NDArray[np.int64], taxonomy: Taxonomy) -> list[str]:
    """The node's own name if no other of the nodes shares it, otherwise its path; a number if even that repeats.

    Example:
        >>> tree = Taxonomy.from_paths([("fruit", "apple"), ("juice", "apple"), ("juice", "pear")])
        >>> axis_names(tree.leaf_nodes, tree)
        ['fruit › apple', 'juice › apple', 'pear']
    """
    short = taxonomy.names[nodes].tolist()
    repeated = Counter(short)
    names = [
        name if name and repeated[name] == 1 else SEPARATOR.join(taxonomy.path_names(node)) or "the root"
        for name, node in zip(short, nodes.tolist(), strict=True)
    ]
    times: Counter[str] = Counter()
    for place, name in enumerate(names):
        times[name] += 1
        if times[name] > 1:
            names[place] = f"{name} ({times[name]})"
    return names


def shortened(name: str, longest: int) -> str:
    """A name cut to so many characters, the last one an ellipsis.

    Example:
        >>> shortened("Golden-Delicious", 8), shortened("Kiwi", 8)
        ('Golden-…', 'Kiwi')
    """
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def block_names(names: list[str], size: int) -> list[str]:
    """Names of blocks of neighbours, by their first and last members.

    Example:
        >>> block_names(["a", "b", "c", "d", "e"], 2)
        ['a … b', 'c … d', 'e']
    """
    if size == 1:
        return names
    blocks = [names[start : start + size] for start in range(0, len(names), size)]
    return [block[0] if len(block) == 1 else f"{block[0]} … {block[-1]}" for block in blocks]
