"""Label lists of SpeciesNet: ``uuid;class;order;family;genus;species;common name``, one label per line.

Ranks may be blank anywhere. Labels without any rank (*blank*, *vehicle*) are at the top, and *animal*, if it is listed,
is above all classes, since SpeciesNet answers it when it cannot name one.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.species.listed_labels import INDEX, tree_of_labels
from cladewise.taxonomy.names.columns import ID, escaped_names, split_names, vernacular_column
from cladewise.taxonomy.tree import Taxonomy

RANKS = ("class", "order", "family", "genus", "species")
TOP, ANIMAL = "kingdom", "animal"
COMMON = vernacular_column("en")


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read a list of SpeciesNet's labels.

    A species is named by genus and epithet, and its English name is in ``name:en``. The uuid is the ``id``, and the
    column ``index`` has the position of a label in the list.

    Raises:
        InputError: A line does not have seven fields, or neither a rank nor a common name.

    Example:
        >>> path = getfixture("tmp_path") / "labels.txt"
        >>> _ = path.write_text("1f1a;aves;passeriformes;turdidae;turdus;merula;blackbird\\n3c3d;;;;;;blank\\n")
        >>> tree = read(path, ReadOptions())
        >>> [tree.path_name(leaf) for leaf in tree.leaf_nodes]
        ['aves/passeriformes/turdidae/turdus/turdus merula', 'blank']
    """
    lines = [(number, line) for number, line in enumerate(read_text(path).splitlines(), start=1) if line.strip()]
    rows = [[field.strip() for field in line.split(";")] for _, line in lines]
    for (number, line), row in zip(lines, rows, strict=True):
        if len(row) != 2 + len(RANKS) or not row[0] or not any(row[1:]):
            shape = f"uuid;{';'.join(RANKS)};common name"
            raise InputError(f"a label like {shape}", f"{line:.80}", at=f"{path}:{number}")
    frame = pl.DataFrame(rows, schema=[ID, *RANKS, COMMON], orient="row").with_row_index(INDEX)
    nowhere = pl.concat_str(RANKS) == ""
    animal = bool(frame.select((nowhere & (pl.col(COMMON) == ANIMAL)).any()).item())
    top = pl.when(nowhere).then(COMMON).otherwise(pl.lit(ANIMAL if animal else ""))
    frame = frame.with_columns(
        pl.col(INDEX).cast(pl.String), top.alias(TOP), _binomial(), escaped_names(frame[COMMON]).alias(COMMON)
    )
    return tree_of_labels(frame, path, [rank for rank in (TOP, *RANKS) if bool((frame[rank] != "").any())])


def _binomial() -> pl.Expr:
    """Genus and epithet, or the epithet alone if the genus is blank."""
    both = pl.concat_str("genus", "species", separator=" ").str.strip_chars()
    return pl.when(pl.col("species") == "").then(pl.lit("")).otherwise(both).alias("species")


def label_line(taxonomy: Taxonomy, node: int) -> str:
    """The label line of a node: its id, the taxa at the five ranks, and its English name, in lower case.

    A rank that the tree does not have, or that the path to the node skips, is blank. A node without an ``id`` has its
    path instead, and one without an English name its own name.

    Example:
        >>> tree = Taxonomy.from_paths([("Aves", "Turdus", "Turdus merula")], level_names=["class", "genus", "species"])
        >>> label_line(tree, 3)
        'aves/turdus/turdus merula;aves;;;turdus;merula;turdus merula'
    """
    path = [v for v in taxonomy.path(node) if taxonomy.level[v] > 0]
    by_rank = {taxonomy.level_names[taxonomy.level[v] - 1]: str(taxonomy.names[v]) for v in path}
    genus, species = by_rank.get("genus", ""), by_rank.get("species", "")
    by_rank["species"] = species[len(genus) :].strip() if genus and species.startswith(f"{genus} ") else species
    texts = {name: str(taxonomy.columns[name][node]) for name in (ID, COMMON) if name in taxonomy.columns}
    common = next(iter(split_names(texts.get(COMMON, ""))), "") or str(taxonomy.names[node])
    fields = [texts.get(ID, "") or taxonomy.path_name(node), *(by_rank.get(rank, "") for rank in RANKS), common]
    return ";".join(" ".join(field.replace(";", ",").split()) for field in fields).lower()
