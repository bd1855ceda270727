"""A tree as an outline on the terminal, and one-line summaries of its size."""

from __future__ import annotations

import numpy as np
from rich.console import Group
from rich.markup import escape
from rich.table import Table as RichTable
from rich.tree import Tree

from cladewise.taxonomy.arrays import StrArray
from cladewise.taxonomy.tree import Taxonomy

MOST_LEVELS = 20


def draw_tree(
    taxonomy: Taxonomy, *, node: int = 0, depth: int = 3, max_children: int = 10, names: StrArray | None = None
) -> Tree:
    """Draw the tree under a node, with a count of the children left out.

    A node with several parents is drawn under the primary one, and listed with that place under the others.

    Args:
        taxonomy: The tree.
        node: Node to start from.
        depth: Number of levels below it.
        max_children: Most children of a node to show.
        names: Name of every node to show, as from :meth:`Taxonomy.names_in`; their own by default.

    Example:
        >>> from rich.console import Console
        >>> tree = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear"), ("fish",)])
        >>> Console(width=40).print(draw_tree(tree, max_children=1))
        (root)  3 leaves
        ├── fruit  2 leaves
        │   ├── apple
        │   └── ... 1 more
        └── ... 1 more
        >>> names = ["food", "fruit", "fig", "vegetable", "tomato"]
        >>> graph = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1)])
        >>> Console(width=40).print(draw_tree(graph))
        food  2 leaves
        ├── fruit  1 leaf
        │   ├── fig
        │   └── tomato  at food/vegetable/tomato
        └── vegetable  1 leaf
            └── tomato
    """
    shown = taxonomy.names if names is None else names
    edges = taxonomy.further_parents
    top = Tree(_label(taxonomy, node, shown))
    waiting = [(node, top, 0)]
    while waiting:
        current, branch, below = waiting.pop()
        children = taxonomy.children(current)
        if below == depth:
            continue
        others = edges[edges[:, 1] == current, 0]
        for child in children[:max_children].tolist():
            waiting.append((child, branch.add(_label(taxonomy, child, shown)), below + 1))
        if children.size > max_children:
            branch.add(f"[dim]... {children.size - max_children:,} more[/dim]")
        for child in others[:max_children].tolist():
            branch.add(f"{escape(str(shown[child]))}  [dim]at {escape(taxonomy.path_name(child))}[/dim]")
        if others.size > max_children:
            branch.add(f"[dim]... {others.size - max_children:,} more from elsewhere[/dim]")
    return top


def summarise(taxonomy: Taxonomy) -> Group:
    """Counts of the whole tree and of each level.

    Example:
        >>> from rich.console import Console
        >>> tree = Taxonomy.from_paths([("fruit", "apple"), ("fish",)], level_names=["group", "kind"])
        >>> Console(width=60).print(summarise(tree))
        4 nodes, 2 leaves, depth 1 to 2
         level  nodes  leaves
         group      2       1
         kind       1       1
    """
    depth = taxonomy.depth[taxonomy.leaf_nodes]
    table = RichTable(box=None, pad_edge=True)
    for name in ("level", "nodes", "leaves"):
        table.add_column(name, justify="left" if name == "level" else "right")
    for level, name in enumerate(taxonomy.level_names, start=1):
        here = taxonomy.level == level
        table.add_row(escape(name), f"{here.sum():,}", f"{(here & taxonomy.is_leaf).sum():,}")
    span = f"{depth.min()} to {depth.max()}" if depth.min() < depth.max() else f"{depth.max()}"
    more = f", {_several(taxonomy)}" if taxonomy.has_further_parents else ""
    return Group(f"{taxonomy.num_nodes:,} nodes, {taxonomy.num_leaves:,} leaves, depth {span}{more}", table)


def size_line(taxonomy: Taxonomy) -> str:
    """Counts of the whole tree and of each level, in one line.

    Example:
        >>> size_line(Taxonomy.from_paths([("fruit", "apple"), ("fish",)], level_names=["group", "kind"]))
        '4 nodes, 2 leaves, 2 levels (group 2, kind 1)'
    """
    counts = np.bincount(taxonomy.level, minlength=taxonomy.num_levels + 1)
    shown = [f"{name} {count:,}" for name, count in zip(taxonomy.level_names, counts[1:].tolist(), strict=True)]
    if len(shown) > MOST_LEVELS:
        shown = [*shown[:MOST_LEVELS], "..."]
    levels = f"{taxonomy.num_levels} level" + ("" if taxonomy.num_levels == 1 else "s")
    leaves = f"{taxonomy.num_leaves:,} lea" + ("f" if taxonomy.num_leaves == 1 else "ves")
    more = f", {_several(taxonomy)}" if taxonomy.has_further_parents else ""
    return f"{taxonomy.num_nodes:,} nodes, {leaves}, {levels}" + (f" ({', '.join(shown)})" if shown else "") + more


def _several(taxonomy: Taxonomy) -> str:
    return f"{np.unique(taxonomy.further_parents[:, 0]).size:,} with several parents"


def _label(taxonomy: Taxonomy, node: int, names: StrArray) -> str:
    name = escape(str(names[node])) or "[dim](root)[/dim]"
    leaves = int(taxonomy.num_leaves_under[node])
    return name if taxonomy.is_leaf[node] else f"{name}  [dim]{leaves:,} {'leaf' if leaves == 1 else 'leaves'}[/dim]"
