"""Separation of a table of taxa into accepted taxa, their synonyms, and names that are neither."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.taxonomy.checks.problems import Problem, Severity, some
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.formats.taxa.darwin_terms import TaxonTerms
from cladewise.taxonomy.formats.taxa.ranks import rank_named
from cladewise.taxonomy.names.columns import NAME_SEPARATOR, escaped_names

ACCEPTED = ("accepted", "valid", "provisionallyaccepted", "inferredaccepted", "acceptedname", "validname", "current")
SYNONYM = r"synonym|^(?:invalid|notaccepted|unaccepted|notvalid)$|^superseded"
NEITHER = (
    "misapplied|doubt|dubi|uncertain|unchecked|barename|nudum|inquirend"
    "|unresolved|unassessed|unplaced|excluded|unknown|taxonomicallyunclear"
)
NO_ID = ("", "0", "-1", "null", "na", "n/a", "nan", "none", "\\n")
"""Lower-case values that mean that a row refers to no other."""

MADE_ID = " synonym "
"""Between the identifier of an accepted taxon and a number, in identifiers of synonyms that have none of their own."""

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Taxa:
    """Taxa of a table, one row each.

    Attributes:
        table: Their rows.
        name: Name of each; blank if the row has none.
        rank: Rank of each, as returned by :func:`~cladewise.taxonomy.formats.taxa.ranks.rank_named`.
        key: Identifier of each, if the table has any.
        parent: Identifier of the parent of each, if the table has any.
        synonyms: Other names of each, separated, if the table has any.
        former_ids: Identifiers of the synonyms of each, separated, if the table has any.
    """

    table: Table
    name: pl.Series
    rank: pl.Series
    key: pl.Series | None = None
    parent: pl.Series | None = None
    synonyms: pl.Series | None = None
    former_ids: pl.Series | None = None

    def told(self, rows: Rows | Mask, kind: str, text: str, *, severity: Severity = "warning") -> Problem:
        """One problem for several rows, at the line of the first; fills in ``{count}`` and ``{names}`` of the text.

        A taxon without a name is shown by its identifier.
        """
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        first = self.name.gather(chosen[:4])
        if self.key is not None:
            first = first.zip_with(first != "", self.key.gather(chosen[:4]))
        count = f"{chosen.size:,} {'taxon' if chosen.size == 1 else 'taxa'}"
        names = [name for name in first.to_list() if name]
        text = text if names else text.removesuffix(": {names}")
        filled = text.format(count=count, names=some(names, 3))
        return Problem(self.table.line(int(chosen[0])), kind, filled, severity)

    def only(self, rows: Mask) -> Taxa:
        """The taxa of some rows, with their lines."""
        kept = pl.Series(rows)
        lines = np.arange(1, rows.size + 1) if self.table.lines is None else self.table.lines
        table = dataclasses.replace(self.table, frame=self.table.frame.filter(kept), lines=lines[rows])
        texts = (self.name, self.rank, self.key, self.parent, self.synonyms, self.former_ids)
        return Taxa(table, *(None if text is None else text.filter(kept) for text in texts))  # pyright: ignore


def accepted_taxa(table: Table, terms: TaxonTerms) -> tuple[Taxa, list[Problem]]:
    """Separate accepted taxa from synonyms, which become aliases, and list other names and contradictions.

    Synonyms of synonyms are followed to the accepted taxon. A doubtful name is left out, unless an accepted taxon is
    below it.
    """
    status = _status(table.frame, terms)
    key, parent = _key(table, terms), _parent(table, terms)
    usages = Taxa(table, whole_names(table.frame, terms), _ranks(table.frame, terms), key, parent)
    if key is None or (terms.accepted is None and status is None):
        return usages, []
    height = key.len()
    status = pl.Series("status", [""]).new_from_index(0, height) if status is None else status
    called = status.str.contains(SYNONYM).to_numpy()
    neither = status.str.contains(NEITHER).to_numpy() & ~called
    row_by_key = (
        pl.DataFrame({"key": key, "row": np.arange(height)}).filter(pl.col("key") != "").unique("key", keep="first")
    )

    def rows_of(ids: pl.Series) -> Rows:
        found = ids.alias("key").to_frame().join(row_by_key, on="key", how="left", maintain_order="left")["row"]
        return found.fill_null(-1).to_numpy().astype(np.int64)

    reference = _references(table.frame, terms, parent, called)
    leads = rows_of(reference)
    elsewhere = (reference != key).to_numpy() & ((leads >= 0) | ~reference.str.to_lowercase().is_in(NO_ID).to_numpy())
    synonym = (called | elsewhere) & ~neither
    accepted = ~synonym & ~neither
    if parent is not None:
        accepted = _with_ancestors(accepted, neither, rows_of(parent))
    ends, cyclic = _ends(np.where(synonym & elsewhere, leads, np.where(accepted, np.arange(height), -1)))
    problems = _contradictions(usages, status, elsewhere & ~neither, cyclic)
    unknown = accepted & ~neither & ~status.is_in(("", *ACCEPTED)).to_numpy()
    cases = [
        (synonym & (ends < 0) & ~cyclic, "synonym", "{count} left out, whose accepted taxon is missing: {names}"),
        (neither & ~accepted, "left-out", "{count} left out as doubtful, misapplied or unplaced: {names}"),
        (neither & accepted, "left-out", "{count} kept although doubtful, because of accepted taxa below: {names}"),
        (unknown, "left-out", "{count} of an unknown status, taken as accepted: {names}"),
    ]
    if parent is not None:
        above = rows_of(parent)
        moved = accepted & (above >= 0) & ~accepted[above] & (ends[above] >= 0)
        cases.append((moved, "synonym", "{count} below a synonym, placed under its accepted taxon: {names}"))
        parent = parent.scatter(np.flatnonzero(moved), key.gather(ends[above[moved]]))
    problems += [usages.told(rows, kind, text) for rows, kind, text in cases if rows.any()]
    resolved = np.flatnonzero(synonym & (ends >= 0))
    synonyms = _gathered(usages.name, resolved, ends)
    former_ids = _gathered(_without_made_ids(key, resolved, ends), resolved, ends)
    usages = dataclasses.replace(usages, parent=parent, synonyms=synonyms, former_ids=former_ids)
    return usages.only(accepted), problems


def _key(table: Table, terms: TaxonTerms) -> pl.Series | None:
    """The column of identifiers that contains most references of other columns; names, if there is no other."""
    known = [name for name in terms.keys if _filled(table.frame[name])]
    if not known and terms.parent is not None:
        known = list(terms.names)
    references = [table.frame[column].alias("id") for column in (terms.parent, terms.accepted) if column is not None]
    if len(known) < 2 or not references:
        return table.frame[known[0]] if known else None
    wanted = pl.concat(references).unique()
    undefined = [int((~wanted.is_in(table.frame[column].implode())).sum()) for column in known]
    return table.frame[known[int(np.argmin(undefined))]]


def _parent(table: Table, terms: TaxonTerms) -> pl.Series | None:
    """The column of parents, unless it is entirely blank and ranks place the rows."""
    if terms.parent is None:
        return None
    parents = table.frame[terms.parent]
    ranked = any(_filled(table.frame[column]) for column in terms.ranks.values())
    return parents if _filled(parents) or not ranked else None


def _filled(texts: pl.Series) -> bool:
    return bool((texts.str.strip_chars() != "").any())


def whole_names(frame: pl.DataFrame, terms: TaxonTerms) -> pl.Series:
    """The whole name of every row, without the author if another column has it."""
    if not terms.names:
        return pl.Series("name", [""]).new_from_index(0, frame.height)
    name = pl.col(terms.names[-1])
    if terms.authorship is not None:
        name = name.str.strip_suffix(pl.col(terms.authorship)).str.strip_chars_end()
    if len(terms.names) > 1:
        short = pl.col(terms.names[0])
        name = pl.when(short.str.strip_chars() == "").then(name).otherwise(short)
    return frame.select(name=name).to_series()


def _ranks(frame: pl.DataFrame, terms: TaxonTerms) -> pl.Series:
    if terms.rank is None:
        return pl.Series("rank", [""]).new_from_index(0, frame.height)
    written = frame[terms.rank]
    known = {text: rank_named(text) for text in written.unique().to_list()}
    return written.replace_strict(known, return_dtype=pl.String).alias("rank")


def _status(frame: pl.DataFrame, terms: TaxonTerms) -> pl.Series | None:
    """The status of every row, letters only; None if the column is about something else, such as rarity."""
    if terms.status is None:
        return None
    written = frame[terms.status]
    known = {text: "".join(c for c in text.lower() if c.isalpha()) for text in written.unique().to_list()}
    used = pl.Series(list(known.values()), dtype=pl.String)
    if not (used.is_in(ACCEPTED) | used.str.contains(SYNONYM)).any():
        return None
    return written.replace_strict(known, return_dtype=pl.String).alias("status")


def _references(frame: pl.DataFrame, terms: TaxonTerms, parent: pl.Series | None, synonym: Mask) -> pl.Series:
    """The identifier of the accepted taxon of every row, blank if the row has none."""
    if terms.accepted is not None:
        return frame[terms.accepted]
    blank = pl.Series([""]).new_from_index(0, frame.height)
    if parent is None or not terms.synonyms_have_parents:
        return blank
    return parent.zip_with(pl.Series(synonym), blank)


def _with_ancestors(accepted: Mask, doubtful: Mask, above: Rows) -> Mask:
    """The accepted taxa and their doubtful ancestors."""
    needed = accepted
    while True:
        parents = above[needed]
        reached = np.zeros_like(needed)
        reached[parents[parents >= 0]] = True
        grown = needed | (reached & doubtful)
        if (grown == needed).all():
            return grown
        needed = grown


def _ends(leads: Rows) -> tuple[Rows, Mask]:
    """The final row that each row leads to, by pointer doubling, or -1; and the rows on or before a cycle."""
    size = leads.size
    jump = np.append(np.where(leads < 0, size, leads), size)
    for _ in range(int(size).bit_length() + 1):
        jump = jump[jump]
    ends = jump[:size]
    still = np.append(leads == np.arange(size), True)
    circular = ~still[ends]
    return np.where((ends == size) | circular, -1, ends), circular


def _contradictions(usages: Taxa, status: pl.Series, synonym: Mask, cyclic: Mask) -> list[Problem]:
    """Errors for names that are both accepted and synonyms, and for cycles of synonyms."""
    both = synonym & status.is_in(ACCEPTED).to_numpy()
    cases = (
        (both, "{count} accepted and yet a synonym of another: {names}"),
        (cyclic, "{count} that are synonyms of each other, or of such: {names}"),
    )
    return [usages.told(rows, "synonym", text, severity="error") for rows, text in cases if rows.any()]


def made_id(accepted: pl.Expr, number: pl.Expr) -> pl.Expr:
    """The identifier that is written for a synonym without one; it is left out when it is read again."""
    return pl.format("{}{}{}", accepted, pl.lit(MADE_ID), number)


def _without_made_ids(key: pl.Series, synonym: Rows, ends: Rows) -> pl.Series:
    """The identifiers, blank for those that :func:`made_id` makes."""
    marked = synonym[key.gather(synonym).str.contains(MADE_ID, literal=True).to_numpy()]
    if not marked.size:
        return key
    frame = pl.DataFrame({"own": key.gather(marked), "accepted": key.gather(ends[marked]), "row": marked})
    made = frame.filter(pl.col("own").str.strip_prefix(pl.col("accepted")).str.contains(f"^{MADE_ID}\\d+$"))
    return key.clone().scatter(made["row"], "")


def _gathered(texts: pl.Series, synonym: Rows, ends: Rows) -> pl.Series:
    """The texts of the synonyms of every row, joined, without blank ones and its own; blank if there are none."""
    accepted, texts = ends[synonym], escaped_names(texts)
    frame = pl.DataFrame({"row": accepted, "text": texts.gather(synonym), "own": texts.gather(accepted)})
    joined = (
        frame.filter((pl.col("text") != pl.col("own")) & (pl.col("text") != ""))
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").unique(maintain_order=True).str.join(NAME_SEPARATOR))
    )
    blank = pl.Series([""]).new_from_index(0, texts.len())
    return blank.scatter(joined["row"], joined["text"])
