"""Detection of the columns of an edge list: node, parent, name and level."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.options import ReadOptions, argument
from cladewise.taxonomy.formats.tables.column_names import squeezed, tokens, words
from cladewise.taxonomy.formats.tables.table import Table

PARENT_WORDS = words(
    "superclass supercategory supertype superconcept superordinate hypernym broader broaderterm isa isatype subclassof "
    "subtypeof childof kindof typeof memberof belongsto parentof inheritsfrom extends above upper ancestor "
    "rdfssubclassof skosbroader wasgeneratedfrom oberbegriff oberkategorie übergeordnet elternknoten elternkategorie "
    "padre categoríapadre categoriapadre père pere catégorieparente genitore ouder föräldra "
    "父级 父类 父节点 上级 上位 親"
)
SUPERS = ("superclass", "supercategory", "supertype", "superconcept", "superordinate")
"""Words for a parent that can also name a coarser level."""

PART_WORDS = words("id name label uri key code concept term")
"""Words that accompany one for a parent and say what the column contains."""

COUNTS = words("num number count n total")
ID_WORDS = (
    *("id", "nodeid", "taxonid", "taxid", "tsn", "key", "uid", "uuid", "code", "uri", "url", "identifier"),
    *("nummer", "编号"),
)
NAME_WORDS = (
    *(
        "name",
        "label",
        "title",
        "text",
        "completename",
        "scientificname",
        "taxonname",
        "classname",
        "preflabel",
        "term",
    ),
    *("bezeichnung", "begriff", "nombre", "nom", "libellé", "名称"),
)
NODE_WORDS = (
    *("child", "class", "node", "category", "type", "concept", "synset", "hyponym", "narrower", "item", "taxon"),
    *("element", "kind", "subclass", "kategorie", "categoría", "catégorie", "类别", "lower", "word", "lemma", "entity"),
)
LEVEL_WORDS = ("level", "taxonrank", "rank")
PAIRS = (("source", "target"), ("from", "to"), ("subject", "object"), ("head", "tail"), ("u", "v"), ("node1", "node2"))
"""Pairs of columns whose names do not show which end is the parent."""

ADVICE = 'Name the columns with name="..." and parent="...", and id="..." if parents are ids.'


@dataclasses.dataclass(frozen=True)
class EdgeColumns:
    """The columns of an edge list by role; None for a role without a column."""

    key: str
    parent: str
    name: str
    level: str | None
    extra: tuple[str, ...]

    @property
    def has_ids(self) -> bool:
        """Whether rows are identified by an id rather than by their name."""
        return self.key != self.name


def find_edge_columns(table: Table, options: ReadOptions) -> EdgeColumns | None:
    """Recognise an edge list by its header and values, or by the given columns; None if it is not one.

    With both ids and names, parents are ids unless only the names contain them.

    Raises:
        InputError: A given column is missing, or it is unclear which column is the node.
    """
    given = {part: table.column(column) for part in ("id", "parent", "name") if (column := getattr(options, part))}
    parent = given.get("parent") or _parent_column(table)
    key = given.get("id")
    if parent is None and not given:
        pair = _pair(table)
        if pair is None:
            return None
        parent, key = pair
    if parent is None:
        return None
    others = [c for c in table.columns if c != parent and (not is_parent_like(c) or c in given.values())]
    candidates = [given["name"], *_known(others, ID_WORDS)] if "name" in given else others
    key = key or _key_column(table, parent, candidates, others)
    if key is None:
        raise _unclear(table, parent)
    name = given.get("name") or _name_column(table, key, others)
    level = next(iter(_known([c for c in others if c not in (key, name)], LEVEL_WORDS)), None)
    extra = tuple(c for c in table.columns if c not in (key, parent, name, level))
    return EdgeColumns(key, parent, name, level, extra)


def is_parent_like(name: str) -> bool:
    """Whether a column's name means that it contains parents.

    Example:
        >>> [is_parent_like(name) for name in ("parent_tsn", "parentID", "superclass", "num_parents", "class")]
        [True, True, True, False, False]
    """
    parts = tokens(name)
    if COUNTS & set(parts):
        return False
    whole = "".join(parts)
    plain = "".join(part for part in parts if part not in PART_WORDS)
    return "parent" in parts or whole.startswith("parent") or bool({whole, plain} & PARENT_WORDS)


def _parent_column(table: Table) -> str | None:
    """The column named as parents; of several, the one whose values most often occur as keys."""
    found = [name for name in table.columns if is_parent_like(name)]
    found = [name for name in found if squeezed(name) not in SUPERS or _is_above(table, name)]
    if len(found) < 2:
        return found[0] if found else None
    others = [name for name in table.columns if name not in found]
    return max(found, key=lambda name: max((_defined(table, name, other) for other in others), default=0.0))


def _is_above(table: Table, name: str) -> bool:
    """Whether a column such as ``superclass`` contains parents: it comes after its class, or its values recur there."""
    stem = squeezed(name).removeprefix("super")
    likely = (stem, f"{stem}id", f"{stem}name", "id", "name", "label")
    below = [other for other in table.columns if squeezed(other) in likely]
    behind = [other for other in below if table.columns.index(other) < table.columns.index(name)]
    ranked = len([other for other in table.columns if squeezed(other) in ("phylum", "order", "family", "kingdom")]) > 1
    return not ranked and (bool(behind) or any(_defined(table, name, other) > 0 for other in below))


def _key_column(table: Table, parent: str, candidates: Sequence[str], others: Sequence[str]) -> str | None:
    """The column that parents refer to: the one that contains most of them, otherwise the one named like them."""
    stem = _stem(parent)
    known = [*_known(candidates, ID_WORDS), *_known(candidates, NAME_WORDS), *_known(candidates, NODE_WORDS)]
    akin = [name for name in candidates if squeezed(name) == stem or squeezed(name) == f"{stem}id"]
    ids = [name for name in candidates if tokens(name)[-1:] == ["id"]]
    named = [name for name in candidates if tokens(name)[-1:] in (["name"], ["label"])]
    chosen = list(dict.fromkeys([*akin, *known, *ids, *named]))
    defined = {name: _defined(table, parent, name) for name in chosen}
    if not chosen or max(defined.values()) == 0:
        unique = [name for name in candidates if name not in chosen and table.frame[name].is_unique().all()]
        recurring = [name for name in unique if _defined(table, parent, name) > 0]
        if recurring:
            return max(recurring, key=lambda name: _defined(table, parent, name))
    if chosen:
        return max(chosen, key=lambda name: (defined[name], -chosen.index(name)))
    if len(candidates) == 1:
        return candidates[0]
    return others[0] if len(others) == 1 else None


def _name_column(table: Table, key: str, others: Sequence[str]) -> str:
    """The column of names: a name next to an id, otherwise the key itself."""
    whole = squeezed(key)
    if whole in NAME_WORDS or tokens(key)[-1:] in (["name"], ["label"]):
        return key
    rest = [name for name in others if name != key]
    ends = [name for name in rest if tokens(name)[-1:] in (["name"], ["label"], ["title"])]
    identity = whole in ID_WORDS or tokens(key)[-1:] == ["id"] or _defined_names(table, key)
    found = [*_known(rest, NAME_WORDS), *ends, *(_known(rest, NODE_WORDS) if identity else [])]
    return found[0] if found else key


def _defined_names(table: Table, key: str) -> bool:
    """Whether the values of a key are numbers or codes rather than names."""
    values = table.frame[key].head(1000)
    return bool(values.str.contains(r"^\s*[A-Za-z]{0,3}[:_-]?\d+(\.0)?\s*$").all())


def _stem(parent: str) -> str:
    whole = "".join(word for word in tokens(parent) if word != "parent")
    return whole.removeprefix("parent").removeprefix("super") or "id"


def _known(columns: Sequence[str], known: Sequence[str]) -> list[str]:
    """The columns with known names, in the order of the known words."""
    by_word: dict[str, str] = {}
    for name in columns:
        by_word.setdefault(squeezed(name), name)
    return [by_word[word] for word in known if word in by_word]


def _defined(table: Table, parent: str, key: str) -> float:
    """Share of the parents that occur in a column of keys."""
    wanted = table.frame[parent].unique()
    wanted = wanted.filter(wanted.str.strip_chars() != "")
    return float(wanted.is_in(table.frame[key].implode()).mean() or 0.0) if wanted.len() else 0.0  # type: ignore[arg-type]


def _pair(table: Table) -> tuple[str, str] | None:
    """Parent and child column of a pair of ends; a child has one parent, so its values do not repeat.

    Raises:
        InputError: Either end could be the parent.
    """
    by_word = {squeezed(name).removesuffix("id").removesuffix("name"): name for name in reversed(table.columns)}
    ends = next(((by_word[a], by_word[b]) for a, b in PAIRS if a in by_word and b in by_word), None)
    if ends is None:
        return None
    edges = table.frame.select(pl.col(ends).str.strip_chars()).unique()
    edges = edges.filter(pl.all_horizontal(pl.all() != ""))
    single = [bool(edges[end].is_unique().all()) for end in ends]
    if single[0] == single[1]:
        raise InputError(
            "edges that show which end is the parent",
            f"the columns {some(ends)}, either of which could be the parent",
            at=table.source,
            advice=f"Pass {argument('parent', ends[0])} and {argument('name', ends[1])}, or the other way round.",
        )
    return (ends[0], ends[1]) if single[1] else (ends[1], ends[0])


def _unclear(table: Table, parent: str) -> InputError:
    return InputError(
        "a column of nodes next to the column of their parents",
        f"parents in {parent!r}, and no recognised column of nodes among {some(table.columns, 20)}",
        at=table.source,
        advice=ADVICE,
    )
