"""A tree as the name usages of a checklist: accepted taxa, their synonyms and their vernacular names, one per row."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.atomic import writing
from cladewise.errors import InputError
from cladewise.taxonomy.formats.taxa.synonyms import made_id
from cladewise.taxonomy.names.columns import FORMER_IDS, ID, SYNONYMS, UNKNOWN_LANGUAGE, languages, names_by_row
from cladewise.taxonomy.tree import Taxonomy

ACCEPTED, SYNONYM = "accepted", "synonym"
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Time of all files in an archive, so that equal trees give equal archives."""


@dataclasses.dataclass(frozen=True)
class Usages:
    """Name usages of a tree.

    Attributes:
        frame: Texts ``id``, ``parent``, ``accepted``, ``name``, ``rank`` and ``status``. A synonym has an accepted
            taxon and no parent; a former id is a synonym with the name of its taxon.
        vernacular: Texts ``id``, ``name``, ``language`` and ``preferred`` (``true`` for the first name in a language).
    """

    frame: pl.DataFrame
    vernacular: pl.DataFrame


def usages_of(taxonomy: Taxonomy) -> Usages:
    """The name usages of a tree. Further columns are left out, and so is a synthetic root.

    The rank is that of the column ``taxonRank`` or the level, in lower case; blank if levels are depths. The identifier
    is the column ``id`` if it is different for all nodes, otherwise the number of the node. Former ids that are ids of
    other nodes, or that were listed before, are left out.
    """
    top = 1 if taxonomy.synthetic_root else 0
    number = pl.Series(np.arange(taxonomy.num_nodes)).cast(pl.String)
    own = _texts(taxonomy, ID)
    key = own if (own[top:].str.strip_chars() != "").all() and not own[top:].is_duplicated().any() else number
    blank = pl.Series([""]).new_from_index(0, taxonomy.num_nodes)
    parent = key.gather(np.maximum(taxonomy.parents, 0)).zip_with(pl.Series(taxonomy.parents >= top), blank)
    accepted = pl.DataFrame(
        {"id": key, "parent": parent, "accepted": blank, "name": taxonomy.names.tolist(), "rank": _ranks(taxonomy)}
    )
    synonyms = names_by_row(_texts(taxonomy, SYNONYMS))
    made = accepted.select(accepted="id", rank="rank")[synonyms["row"]].with_columns(name=synonyms["name"])
    made = made.with_columns(id=made_id(pl.col("accepted"), pl.int_range(pl.len()).over("accepted") + 1))
    former = names_by_row(_texts(taxonomy, FORMER_IDS))
    moved = accepted.select("rank", "name", accepted="id")[former["row"]].with_columns(id=former["name"])
    moved = moved.filter(~pl.col("id").is_in(key.implode())).unique("id", keep="first", maintain_order=True)
    others = [part.with_columns(parent=pl.lit(""), status=pl.lit(SYNONYM)) for part in (made, moved)]
    columns = ["id", "parent", "accepted", "name", "rank", "status"]
    frame = pl.concat(
        [part.select(columns) for part in (accepted[top:].with_columns(status=pl.lit(ACCEPTED)), *others)]
    )
    return Usages(frame, _vernacular(taxonomy, key))


def write_archive(path: Path, members: Mapping[str, str | pl.DataFrame], *, separator: str, quoted: bool) -> None:
    """Write texts and tables as a zip archive, atomically.

    Raises:
        InputError: A text has characters that the tables cannot hold.
    """
    if path.is_dir():
        raise InputError("a file to write", "a folder", at=str(path))
    with writing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            text = content if isinstance(content, str) else _table(content, separator, quoted, f"{path}, {name}")
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), text, zipfile.ZIP_DEFLATED)


def _table(frame: pl.DataFrame, separator: str, quoted: bool, source: str) -> bytes:
    pattern = "\0" if quoted else f"[\0\r\n{separator}]"
    for name in frame.columns:
        wrong = frame[name].filter(frame[name].str.contains(pattern))
        if wrong.len():
            expected = "texts without null characters" if quoted else "texts without tabs and line ends"
            raise InputError(expected, repr(wrong[0]), at=source)
    buffer = io.BytesIO()
    frame.write_csv(buffer, separator=separator, quote_style="necessary" if quoted else "never")
    return buffer.getvalue()


def _texts(taxonomy: Taxonomy, column: str) -> pl.Series:
    if column not in taxonomy.columns:
        return pl.Series([""]).new_from_index(0, taxonomy.num_nodes)
    return pl.Series(taxonomy.columns[column].tolist(), dtype=pl.String)


def _ranks(taxonomy: Taxonomy) -> pl.Series:
    if "taxonRank" in taxonomy.columns:
        return _texts(taxonomy, "taxonRank")
    depths = [f"level_{number}" for number in range(1, taxonomy.num_levels + 1)]
    plain = list(taxonomy.level_names) == depths and np.array_equal(taxonomy.level, taxonomy.depth)
    names = ["", *([""] * taxonomy.num_levels if plain else taxonomy.level_names)]
    return pl.Series(names, dtype=pl.String).gather(taxonomy.level).str.to_lowercase()


def _vernacular(taxonomy: Taxonomy, key: pl.Series) -> pl.DataFrame:
    parts: list[pl.DataFrame] = []
    for language, column in languages(taxonomy).items():
        rows = names_by_row(_texts(taxonomy, column))
        first = rows["row"].is_first_distinct()
        shown = "" if language == UNKNOWN_LANGUAGE else language
        part = rows.select(id=key.gather(rows["row"]), name="name", language=pl.lit(shown))
        parts.append(part.with_columns(preferred=pl.when(first).then(pl.lit("true")).otherwise(pl.lit("false"))))
    columns = ["id", "name", "language", "preferred"]
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), *parts])
