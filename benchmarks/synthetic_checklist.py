"""Write a Darwin Core archive of any size in the shape of GBIF's backbone, for measuring readers.

Its columns are those of GBIF's ``Taxon.tsv``. A third of the rows are synonyms, one in twenty is doubtful, lineages
skip ranks, and names have authors. Vernacular names are in an extension.

    python benchmarks/synthetic_checklist.py 5_000_000 checklist.zip
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

SYNONYMS, DOUBTFUL, INFRASPECIFIC, NAMED = 0.35, 0.05, 0.06, 0.06
"""Shares of all rows that are synonyms, are doubtful, are below species, and have vernacular names."""
ABOVE = {"kingdom": 8, "phylum": 120, "class": 420, "order": 1_900, "family": 12_000, "genus": 300_000}
"""Taxa of each rank above species per five million rows."""
RANKS = [*ABOVE, "species", "subspecies"]
SKIPPING = 0.04
"""Share of taxa that are not below a taxon of the next coarser rank but of the one before."""
COLUMNS = [
    "taxonID",
    "datasetID",
    "parentNameUsageID",
    "acceptedNameUsageID",
    "originalNameUsageID",
    "scientificName",
    "scientificNameAuthorship",
    "canonicalName",
    "genericName",
    "specificEpithet",
    "infraspecificEpithet",
    "taxonRank",
    "nameAccordingTo",
    "namePublishedIn",
    "taxonomicStatus",
    "nomenclaturalStatus",
    "taxonRemarks",
    "kingdom",
    "phylum",
    "class",
    "order",
    "family",
    "genus",
]
LANGUAGES = ["en", "fr", "de", "es", "zh", "nl", "pt", ""]
PART = 250_000
"""Rows that are written at once."""
TERMS = "http://rs.tdwg.org/dwc/terms/"
TABLE = 'encoding="utf-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'

Rows = NDArray[np.int64]


def write_checklist(rows: int, path: Path, *, seed: int = 0) -> dict[str, int]:
    """Write the archive; returns its numbers of accepted taxa, synonyms, doubtful names and vernacular names."""
    random = np.random.default_rng(seed)
    rank, parent = _places(rows, random)
    own, whole = _names(rank, parent, random)
    key = pl.Series(random.permutation(4 * rows)[:rows] + 1).cast(pl.String)
    accepted = rank.size - round(rows * (SYNONYMS + DOUBTFUL))
    synonyms = round(rows * SYNONYMS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("meta.xml", _meta())
        with archive.open("Taxon.tsv", "w", force_zip64=True) as file:
            file.write("\t".join(COLUMNS).encode() + b"\n")
            order = random.permutation(rows)
            for start in range(0, rows, PART):
                part = _taxa(order[start : start + PART], rank, parent, own, whole, key, accepted, synonyms)
                file.write(_lines(part))
        with archive.open("VernacularName.tsv", "w", force_zip64=True) as file:
            file.write(b"taxonID\tvernacularName\tlanguage\tcountry\tsource\n")
            named = random.integers(0, accepted, round(rows * NAMED))
            file.write(_lines(_vernacular(named, own, key, random)))
    doubtful = rows - accepted - synonyms
    return {"accepted": accepted, "synonyms": synonyms, "doubtful": doubtful, "vernacular names": named.size}


def _places(rows: int, random: np.random.Generator) -> tuple[Rows, Rows]:
    """Rank and parent of every row: accepted taxa coarse to fine, then synonyms and doubtful species."""
    accepted = rows - round(rows * (SYNONYMS + DOUBTFUL))
    above = [max(2, round(count * rows / 5_000_000)) for count in ABOVE.values()]
    below = round(rows * INFRASPECIFIC)
    sizes = [*above, accepted - sum(above) - below, below]
    rank = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    parent = np.full(accepted, -1)
    for level in range(1, len(sizes)):
        coarser = np.full(sizes[level], level - 1)
        if level > 1 and RANKS[level] != "subspecies":
            coarser -= random.random(sizes[level]) < SKIPPING
        share = random.beta(0.6, 3.0, sizes[level])  # few genera have many species
        parent[starts[level] : starts[level + 1]] = starts[coarser] + (
            share * (starts[coarser + 1] - starts[coarser])
        ).astype(int)
    others = rows - accepted
    target = random.integers(starts[5], accepted, others)  # accepted taxon of a synonym, model of a doubtful species
    return np.concatenate([rank, rank[target]]), np.concatenate([parent, target])


def _names(rank: Rows, parent: Rows, random: np.random.Generator) -> tuple[pl.Series, pl.Series]:
    """Names without and with their authors."""
    size = rank.size
    first = [
        "A",
        "Be",
        "Cal",
        "Dro",
        "Eu",
        "Fi",
        "Gym",
        "Hel",
        "Iso",
        "Ly",
        "Mi",
        "Neo",
        "Or",
        "Par",
        "Rho",
        "Tri",
        "Xy",
    ]
    middle = ["ra", "co", "pte", "lo", "mi", "sto", "phy", "ne", "tha", "cri", "do", "ga", "lu", "be", "xa", "zo", "ve"]
    last = ["us", "a", "um", "is", "ella", "oides", "ensis", "ina", "ia", "odes", "icus", "atus", "osus", "alis", "ana"]
    words = _together(*(_drawn(part, random.integers(0, len(part), size)) for part in (first, *[middle] * 3, last)))
    own = words
    species, subspecies = RANKS.index("species"), RANKS.index("subspecies")
    for level in (species, subspecies):
        rows = np.flatnonzero(rank == level)
        coarser = pl.DataFrame({"above": own.gather(np.maximum(parent[rows], 0)), "word": words.gather(rows)})
        above = pl.col("above").str.splitn(" ", 3).struct[0] if level == species else pl.col("above")
        own = own.scatter(
            rows, coarser.select(pl.concat_str(above, pl.lit(" "), pl.col("word").str.to_lowercase())).to_series()
        )
    surname = ["L.", "Müller", "Fabricius", "Walker", "(Hook.) Benth.", "Gray & Smith", "Ñuñez", "Linnaeus", "Meyrick"]
    year = pl.Series(random.integers(1753, 2026, size)).cast(pl.String)
    author = _together(_drawn(surname, random.integers(0, len(surname), size)), pl.lit(", "), year)
    author = pl.Series([""]).new_from_index(0, size).zip_with(pl.Series(rank < 5), author)
    return own, author


def _taxa(
    rows: Rows,
    rank: Rows,
    parent: Rows,
    own: pl.Series,
    author: pl.Series,
    key: pl.Series,
    accepted: int,
    synonyms: int,
) -> pl.DataFrame:
    kind = np.searchsorted([accepted, accepted + synonyms], rows, side="right")
    target = parent[rows]
    blank = pl.Series([""]).new_from_index(0, rows.size)
    reference = blank.zip_with(pl.Series(target < 0), key.gather(np.maximum(target, 0)))
    above = blank.zip_with(pl.Series(kind == 1), reference)
    names, authors = own.gather(rows), author.gather(rows)
    parts = pl.DataFrame({"name": names}).select(pl.col("name").str.splitn(" ", 3).struct.unnest())
    full = (
        pl.DataFrame({"n": names, "a": authors})
        .select(pl.concat_str("n", pl.lit(" "), "a").str.strip_chars())
        .to_series()
    )
    columns: dict[str, pl.Series] = dict.fromkeys(COLUMNS, blank)
    columns |= {
        "taxonID": key.gather(rows),
        "datasetID": pl.Series(["7ddf754f-d193-4cc9-b351-99906754a03b"]).new_from_index(0, rows.size),
        "parentNameUsageID": above,
        "acceptedNameUsageID": reference.zip_with(pl.Series(kind == 1), blank),
        "scientificName": full,
        "scientificNameAuthorship": authors,
        "canonicalName": names,
        "genericName": parts["field_0"].fill_null(""),
        "specificEpithet": parts["field_1"].fill_null(""),
        "infraspecificEpithet": parts["field_2"].fill_null(""),
        "taxonRank": _drawn(RANKS, rank[rows]),
        "namePublishedIn": pl.Series(["Proc. Zool. Soc. Lond. 1 (2): 34"]).new_from_index(0, rows.size),
        "taxonomicStatus": _drawn(["accepted", "synonym", "doubtful"], kind),
        "kingdom": pl.Series(["Animalia"]).new_from_index(0, rows.size),
        "phylum": pl.Series(["Arthropoda"]).new_from_index(0, rows.size),
    }
    return pl.DataFrame(columns)


def _vernacular(rows: Rows, own: pl.Series, key: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    words = own.gather(rows).str.to_lowercase().str.replace_all(" ", "-")
    return pl.DataFrame(
        {
            "taxonID": key.gather(rows),
            "vernacularName": _together(pl.lit("common "), words),
            "language": _drawn(LANGUAGES, random.integers(0, len(LANGUAGES), rows.size)),
            "country": pl.Series([""]).new_from_index(0, rows.size),
            "source": pl.Series(["A field guide"]).new_from_index(0, rows.size),
        }
    )


def _drawn(words: list[str], index: Rows) -> pl.Series:
    return pl.Series(words).gather(index)


def _together(*parts: pl.Series | pl.Expr) -> pl.Series:
    return pl.select(pl.concat_str(*parts)).to_series()


def _lines(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer, separator="\t", include_header=False, quote_style="never")
    return buffer.getvalue()


def _meta() -> str:
    fields = "".join(f'<field index="{k}" term="{TERMS}{name}"/>' for k, name in enumerate(COLUMNS))
    return (
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/"><core {TABLE} rowType="{TERMS}Taxon">'
        f'<files><location>Taxon.tsv</location></files><id index="0"/>{fields}</core>'
        f'<extension {TABLE} rowType="http://rs.gbif.org/terms/1.0/VernacularName">'
        f'<files><location>VernacularName.tsv</location></files><coreid index="0"/>'
        f'<field index="1" term="{TERMS}vernacularName"/>'
        '<field index="2" term="http://purl.org/dc/terms/language"/></extension></archive>'
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Usage: python benchmarks/synthetic_checklist.py ROWS FILE.zip")
    print(write_checklist(int(sys.argv[1]), Path(sys.argv[2])))
