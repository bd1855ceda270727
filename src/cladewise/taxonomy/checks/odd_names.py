"""Checks for names that are probably mistakes: visually equal ones, spelling variants, invisible characters."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.taxonomy.checks.problems import Problem
from cladewise.taxonomy.tree import StrArray, Taxonomy

INVISIBLE = r"[\u00AD\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\uFEFF]"
JOINED_PICTURES = r"\p{Extended_Pictographic}\uFE0F?\u200D|[\p{L}\p{M}][\u200C\u200D][\p{L}\p{M}]"
"""Legitimate joiners: in emoji, and between letters of scripts that join."""
UNTIDY = r"^\s|\s$|\s\s|[\t\r\n]"
UNPLAIN = r"[^\x20-\x7E]|^ | $|  "
"""Names other than printable ASCII with single inner blanks, which may look like another text."""

NOTHING = r"(?i)^(?:#N/A|#REF!|#VALUE!|#NAME\?|#DIV/0!|#NULL!|N/?A|<NA>|NaN|NULL|-{1,3}|\?+)$"
"""Names that spreadsheets, R, pandas and databases write for a missing value."""

SLICE = 100_000
MANY_NAMES = 20_000
"""Number of names up to which single letters are compared, in addition to spacing, case and accents."""
FEW_NODES = 3
"""Fewest nodes of a level for which it is no coincidence that each has one child."""
SHORT = 6
"""Fewest letters of names that are compared by letter; shorter ones are more often different words."""


@dataclasses.dataclass(frozen=True)
class NodeNames:
    """Names of nodes from a table or a tree, one row per node.

    Attributes:
        names: The name of each node.
        parent: The row of its parent, or -1: nodes of one parent are siblings.
        lines: Line of each in the file; 0 if there is none.
    """

    names: pl.Series
    parent: NDArray[np.int64]
    lines: NDArray[np.int64]

    def above(self, row: int) -> str:
        """Name of a row's parent, or blank."""
        parent = int(self.parent[row])
        return str(self.names[parent]) if parent >= 0 else ""

    def shown(self, row: int) -> str:
        """Name of a row for a message, with its parent if there is no line number."""
        name, above = str(self.names[row]), self.above(row)
        return f"{above}/{name}" if above and not self.lines[row] else name

    def place(self, row: int) -> str:
        """Line number of a row in brackets, if there is one."""
        return f" (line {int(self.lines[row])})" if self.lines[row] else ""


def text_series(texts: StrArray) -> pl.Series:
    """A StringDType array as a polars column, converted in slices to limit the memory for Python objects."""
    starts = range(0, max(texts.size, 1), SLICE)
    return pl.concat([pl.Series(texts[k : k + SLICE].astype(object), dtype=pl.String) for k in starts])


def names_of_tree(tree: Taxonomy) -> NodeNames:
    """The nodes of a tree, without a synthetic root."""
    first = 1 if tree.synthetic_root else 0
    lines = np.zeros(tree.num_nodes - first, dtype=np.int64)
    return NodeNames(text_series(tree.names[first:]), np.maximum(tree.parents[first:] - first, -1), lines)


def eye(names: pl.Series) -> pl.Series:
    """The names without visually irrelevant differences: composition, case, stray white space, zero-width characters.

    Example:
        >>> eye(pl.Series([" Pink  Lady", "pear\\u200b"])).to_list()
        ['pink lady', 'pear']
    """
    odd = names.str.contains(UNPLAIN).arg_true()
    plain = names.str.to_lowercase()
    seen = names.gather(odd).str.normalize("NFC").str.replace_all(INVISIBLE, "").str.to_lowercase()
    return plain.scatter(odd, seen.str.replace_all(r"\s+", " ").str.strip_chars()) if odd.len() else plain


def bare(names: pl.Series, *, plurals: bool) -> pl.Series:
    """The names without accents, blanks, hyphens and other marks, and optionally without plural endings.

    Example:
        >>> bare(pl.Series(["Granny-Smith", "granny smiths", "Pézize"]), plurals=True).to_list()
        ['grannysmith', 'grannysmith', 'pezize']
    """
    seen = names.str.normalize("NFKD").str.to_lowercase()
    if plurals:
        seen = seen.str.replace_all(r"(\p{L}{2})ies\b", "${1}y").str.replace_all(r"(ch|sh|x|ss)es\b", "${1}")
        seen = seen.str.replace_all(r"(\p{L}\p{L}[^s\W])s\b", "${1}")
    stripped = seen.str.replace_all(r"[^\p{L}\p{N}+#&]", "")
    return pl.select(pl.when(stripped == "").then(seen).otherwise(stripped)).to_series()


def sight_problems(nodes: NodeNames) -> list[Problem]:
    """Names with invisible characters or stray white space, and siblings that look the same."""
    names = nodes.names
    problems: list[Problem] = []
    hidden = names.str.contains(INVISIBLE)
    if hidden.any():
        hidden &= names.str.replace_all(JOINED_PICTURES, "").str.contains(INVISIBLE)
    for row in hidden.arg_true().to_list():
        text = f"an invisible character in {_escaped(str(names[row]))}"
        problems.append(Problem(int(nodes.lines[row]), "zero-width", text, "warning"))
    for row in (names.str.contains(UNTIDY) & (names.str.strip_chars() != "")).arg_true().to_list():
        text = f"stray white space in {str(names[row])!r}"
        problems.append(Problem(int(nodes.lines[row]), "white-space", text, "warning"))
    pairs = _pairs(nodes, eye(names), by_group=True)
    for first, later in pairs:
        text = f"{nodes.shown(later)!r} next to {nodes.shown(first)!r}{nodes.place(first)}"
        problems.append(Problem(int(nodes.lines[later]), "near-duplicate", text, "warning"))
    return problems


def nothing_problems(nodes: NodeNames) -> list[Problem]:
    """Names that often stand for a missing value."""
    return [
        Problem(
            int(nodes.lines[row]),
            "nothing",
            f"a label {str(nodes.names[row])!r}, which often means a missing value",
            "warning",
        )
        for row in nodes.names.str.contains(NOTHING).arg_true().to_list()
    ]


def spelling_problems(nodes: NodeNames) -> list[Problem]:
    """Names anywhere in the tree that are probably one label in two spellings.

    The comparison ignores spacing, hyphens and accents and, up to :data:`MANY_NAMES` names, also plurals and one
    missing, doubled, wrong or swapped letter in long enough names. A node and its parent may be alike.
    """
    few = nodes.names.n_unique() <= MANY_NAMES
    keys = bare(nodes.names, plurals=few)
    sight = eye(nodes.names)
    found = {
        (first, later)
        for first, later in _pairs(nodes, keys, by_group=False)
        if sight[first] != sight[later] and not _related(nodes, keys, first, later)
    }
    if few:
        found |= {pair for pair in _slips(keys) if not _related(nodes, keys, *pair)}
    return [
        Problem(
            int(nodes.lines[later]),
            "spelling",
            f"{nodes.shown(later)!r} is nearly {nodes.shown(first)!r}{nodes.place(first)}",
            "warning",
        )
        for first, later in sorted(found)
    ]


def _pairs(nodes: NodeNames, keys: pl.Series, *, by_group: bool) -> Iterator[tuple[int, int]]:
    """Pairs of rows with the same key and different names: the first row and each later one."""
    hashes = pl.DataFrame({"key": keys.hash(), **({"group": nodes.parent} if by_group else {})})
    rows = hashes.is_duplicated().arg_true()  # hashes first, since each comparison copies a text column
    frame = pl.DataFrame(
        {
            "row": rows,
            "name": nodes.names.gather(rows),
            "key": keys.gather(rows),
            "group": nodes.parent[rows.to_numpy()],
        }
    )
    over = ["group", "key"] if by_group else ["key"]
    again = frame.unique([*over, "name"], keep="first", maintain_order=True)
    again = again.with_columns(first=pl.col("row").first().over(over)).filter(pl.col("row") != pl.col("first"))
    yield from again.select("first", "row").iter_rows()


def _related(nodes: NodeNames, keys: pl.Series, first: int, later: int) -> bool:
    """Whether one of two nodes is a child of a node that has the other's name."""
    above = bare(pl.Series([nodes.above(first), nodes.above(later)], dtype=pl.String), plurals=True)
    own = bare(pl.Series([nodes.names[first], nodes.names[later]], dtype=pl.String), plurals=True)
    return own[1] == above[0] or own[0] == above[1]


def _slips(keys: pl.Series) -> set[tuple[int, int]]:
    """Pairs of rows whose keys differ by one letter, found through the keys with one letter deleted."""
    frame = pl.DataFrame({"key": keys}).with_row_index("row").unique("key", keep="first", maintain_order=True)
    long = frame.filter(pl.col("key").str.len_chars() >= SHORT - 1)
    texts: list[str] = long["key"].to_list()
    rows: list[int] = long["row"].to_list()
    by_rest: dict[str, list[int]] = {}
    for position, text in enumerate(texts):  # at most MANY_NAMES texts, with one deletion per letter
        for rest in {text, *(text[:k] + text[k + 1 :] for k in range(1, len(text)))}:
            by_rest.setdefault(rest, []).append(position)
    found: set[tuple[int, int]] = set()
    for held in by_rest.values():
        for i, first in enumerate(held[:-1]):
            for later in held[i + 1 :]:
                if is_slip(texts[first], texts[later]):
                    found.add((min(rows[first], rows[later]), max(rows[first], rows[later])))
    return found


def is_slip(first: str, second: str) -> bool:
    """Whether two texts differ by one letter after the first: missing, wrong, or swapped with the next; not a digit.

    Example:
        >>> is_slip("mackerel", "mackeral"), is_slip("boeing737", "boeing747"), is_slip("parrot", "carrot")
        (True, False, False)
    """
    short, long = sorted((first, second), key=len)
    if short == long or len(long) - len(short) > 1 or not short or short[0] != long[0]:
        return False
    start = next((k for k, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    end = next((k for k, (a, b) in enumerate(zip(short[::-1], long[::-1], strict=False)) if a != b), len(short))
    middle = (short[start : len(short) - end], long[start : len(long) - end])
    end_of_word = start >= len(short) - 1 and len(short) == len(long)  # Audi A and Audi B, not a slip
    if any(letter.isdigit() for part in middle for letter in part) or end_of_word:
        return False
    if len(long) > len(short) and start + end >= len(short):
        doubled = long[start] in (long[start - 1 : start], long[start + 1 : start + 2])
        return len(short) >= SHORT or doubled
    swapped = len(short) == len(long) and middle[0] == middle[1][::-1] and len(middle[0]) == 2
    return swapped or (len(middle[0]) == len(middle[1]) == 1 and len(short) >= SHORT)


def shape_problems(tree: Taxonomy) -> list[Problem]:
    """Levels that divide nothing: those with one node, or one node per node of the level above.

    A depth with one node is normal, but a column with a single name may be a mistake.
    """
    problems: list[Problem] = []
    counts = np.bincount(tree.level, minlength=tree.num_levels + 1)
    single = np.bincount(tree.level[tree.num_children == 1], minlength=tree.num_levels + 1)
    by_depth = tree.level_names == tuple(f"level_{k}" for k in range(1, tree.max_depth + 1))
    for level, name in enumerate(tree.level_names, start=1):
        if counts[level] == 1 and tree.num_nodes > 2 and not by_depth:
            node = int(np.flatnonzero(tree.level == level)[0])
            text = f"level {name!r} has one node, {str(tree.names[node])!r}"
            problems.append(Problem(0, "single", text, "warning"))
        elif level > 1 and counts[level] >= FEW_NODES and counts[level] == counts[level - 1] == single[level - 1]:
            text = f"each of the {counts[level]} nodes of level {tree.level_names[level - 2]!r} has one of {name!r}"
            problems.append(Problem(0, "single", text, "warning"))
    return problems


def overlap_problems(tree: Taxonomy) -> list[Problem]:
    """Leaves of the primary tree that are parents of nodes elsewhere, and so are classes next to their own kinds."""
    child_by_parent: dict[int, int] = {p: c for c, p in tree.further_parents[::-1].tolist() if tree.is_leaf[p]}
    return [
        Problem(
            0,
            "overlap",
            f"{tree.path_name(parent)!r} has children only as a further parent, such as {tree.path_name(child)!r}",
            "warning",
        )
        for parent, child in sorted(child_by_parent.items())
    ]


def same_siblings(nodes: NodeNames) -> list[Problem]:
    """Siblings with the same name, which some formats can represent."""
    frame = pl.DataFrame({"group": nodes.parent, "name": nodes.names})
    again = (~frame.to_struct("row").is_first_distinct()).arg_true().to_list()
    return [
        Problem(int(nodes.lines[row]), "duplicate", f"two nodes at {nodes.shown(row)!r}", "warning") for row in again
    ]


def _escaped(name: str) -> str:
    """A name with its invisible characters escaped."""
    hidden = re.compile(INVISIBLE)
    return "'" + hidden.sub(lambda match: f"\\u{ord(match[0]):04x}", unicodedata.normalize("NFC", name)) + "'"


def row_lines(rows: NDArray[np.int64], lines: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Line of each node's row; 0 for a node without a row."""
    return np.append(np.asarray(lines, dtype=np.int64), 0)[rows]
