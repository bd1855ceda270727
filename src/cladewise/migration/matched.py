"""Correspondences and new trees as a user gives them: objects, files, or a table that implies the tree."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence, read_matched
from cladewise.taxonomy.correspondence.matched_table import opened_table
from cladewise.taxonomy.names.paths import path_steps

Tree = Taxonomy | str | PathLike[str]
Matched = Correspondence | str | PathLike[str]


def opened(matched: Matched, old: Taxonomy, new: Tree | None = None) -> Correspondence:
    """Correspondences of a tree with a new one.

    Args:
        matched: The correspondences, or the table that ``cladewise taxonomy match`` wrote.
        old: The old tree.
        new: The new tree, or its file; by default the one that the paths in the table imply.

    Raises:
        InputError: They are of another old tree, or rows are left to decide.
    """
    if isinstance(matched, Correspondence):
        found = matched
    else:
        tree = implied_tree(matched, like=old) if new is None else tree_of(new)
        found = read_matched(matched, old, tree)
    if found.old != old:
        raise InputError(f"correspondences of {old}", f"those of {found.old}", advice="Match the trees again.")
    if not found.decided:
        raise InputError(
            "correspondences that are all decided",
            f"{int(found.ask.sum())} with ask",
            advice="Decide them in the table that `cladewise taxonomy match OLD NEW --out matched.csv` writes.",
        )
    return found


def carried_over(found: Correspondence) -> CarryOver:
    """The map from the old tree to the new one.

    Raises:
        InputError: No node corresponds to another, so that every answer would be the root.

    Example:
        >>> old, new = Taxonomy.from_paths([("fruit", "kaki")]), Taxonomy.from_paths([("bird", "wren")])
        >>> carried_over(Correspondence.from_pairs(old, new, []))
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected two versions of one taxonomy, but got trees without a common node. ...
    """
    common = (found.old_nodes >= int(found.old.synthetic_root)) & (found.new_nodes >= int(found.new.synthetic_root))
    if not common.any():
        raise InputError(
            "two versions of one taxonomy",
            "trees without a common node",
            advice="Check that the new tree is the right file, and the pairs with: cladewise taxonomy match OLD NEW.",
        )
    return CarryOver.of(found)


def tree_of(tree: Tree) -> Taxonomy:
    """A tree, or the one in a file."""
    return tree if isinstance(tree, Taxonomy) else Taxonomy.read(tree)


def implied_tree(matched: str | PathLike[str], *, side: str = "new", like: Taxonomy | None = None) -> Taxonomy:
    r"""A tree of a table of correspondences, from the paths in its column ``new`` or ``old``.

    A level is a depth.

    Args:
        matched: The table.
        side: The column.
        like: The other tree, whose names the levels have and whose kind of root the tree has.

    Raises:
        InputError: The paths do not determine the tree: some nodes share one, or the other tree has levels that paths
            skip.

    Example:
        >>> from cladewise.taxonomy.correspondence import write_matched
        >>> old = Taxonomy.from_paths([("fruit", "kaki")], level_names=["group", "kind"])
        >>> new = Taxonomy.from_paths([("fruit", "persimmon"), ("nut",)])
        >>> path = getfixture("tmp_path") / "matched.csv"
        >>> write_matched(Correspondence.from_pairs(old, new, [(1, 1), (2, 2)]), path)
        >>> found = implied_tree(path, like=old)
        >>> found == new, found.level_names
        (True, ('group', 'kind'))
    """
    option = "taxonomy" if side == "new" else "old"
    source, advice = Path(matched), f'Give the {side} tree too: {option}="FILE".'
    table = opened_table(source)
    if side not in table.columns:
        expected = f"the table of `cladewise taxonomy match`, with a column {side}"
        raise InputError(expected, ", ".join(table.columns), at=str(source))
    if f"{side}_id" in table.columns:
        expected = f"{side} nodes with a path each"
        raise InputError(expected, "nodes that share one", at=str(source), advice=advice)
    if like is not None and (like.level != like.depth).any():
        raise InputError("a tree in which no path skips a level", f"{like}", at=str(source), advice=advice)
    if like is not None and like.has_further_parents:
        raise InputError(
            "a tree without further parents, which paths do not have", f"{like}", at=str(source), advice=advice
        )
    synthetic = like is None or like.synthetic_root
    place: dict[tuple[str, ...], int] = {}
    names, parents = list[str](), list[int]()
    if synthetic:
        place[()] = 0
        names.append("")
        parents.append(-1)
    for text in dict.fromkeys(table.frame[side].to_list()):
        steps = path_steps(text) if text else ()
        for length in range(1, len(steps) + 1):
            if steps[:length] not in place:
                place[steps[:length]] = len(names)
                names.append(steps[length - 1])
                parents.append(place.get(steps[: length - 1], -1))
    if parents.count(-1) != 1:
        raise InputError("paths from one root", f"{parents.count(-1)} of them", at=str(source), advice=advice)
    tree = Taxonomy.from_parents(parents, names, synthetic_root=synthetic)
    named = () if like is None else like.level_names
    levels = [*named, *(f"level_{k}" for k in range(len(named) + 1, tree.max_depth + 1))]
    return Taxonomy(
        tree.parents,
        tree.names,
        level=np.asarray(tree.depth),
        level_names=levels[: tree.max_depth],
        synthetic_root=tree.synthetic_root,
    )
