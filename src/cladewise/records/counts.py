"""Numbers of images per node and split: the file ``counts.csv`` of a run folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cladewise.atomic import write_text
from cladewise.errors import InputError

IntArray = NDArray[np.int64]
COLUMNS = ("node", "split", "images")


def write_counts(file: Path, nodes_by_split: Mapping[str, IntArray]) -> None:
    """Write one row per split and node with images.

    Args:
        file: Where to write.
        nodes_by_split: For each split, the node of every image ``[image]``.

    Example:
        >>> file = getfixture("tmp_path") / "counts.csv"
        >>> write_counts(file, {"train": np.array([2, 1, 2]), "test": np.array([1])})
        >>> file.read_text().split()
        ['node,split,images', '1,train,1', '2,train,2', '1,test,1']
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for split, nodes in nodes_by_split.items():
        distinct, images = np.unique(nodes, return_counts=True)
        rows.writerows(zip(distinct.tolist(), [split] * distinct.size, images.tolist(), strict=True))
    write_text(file, text.getvalue())


def read_counts(file: Path, num_nodes: int) -> dict[str, IntArray]:
    """For each split, the number of images labelled with each node itself ``[node]``, not with nodes below it.

    Raises:
        InputError: The file is not such a table, or contains an unknown node.

    Example:
        >>> file = getfixture("tmp_path") / "counts.csv"
        >>> write_counts(file, {"train": np.array([2, 1, 2])})
        >>> read_counts(file, 3)["train"].tolist()
        [0, 1, 2]
    """
    found: dict[str, IntArray] = {}
    try:
        content = file.read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(content, newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("a table of images by node and split", f"{error}", at=str(file), advice=_ADVICE) from None
    header = tuple(rows[0]) if rows else ()
    if header != COLUMNS:
        got = ",".join(header) or "none"
        raise InputError(f"the columns {','.join(COLUMNS)}", got, at=str(file), advice=_ADVICE)
    if not content.endswith("\n"):  # a truncated number is still a number
        got = f"{','.join(rows[-1])!r}, which is cut off"
        raise InputError("a line break after the last row", got, at=f"{file}:{len(rows)}", advice=_ADVICE)
    for number, row in enumerate(rows[1:], start=2):
        try:
            node, split, images = row
            index, count = int(node), int(images)
            if not (0 <= index < num_nodes and 0 <= count < 2**62):
                raise ValueError
        except ValueError:
            raise InputError(
                f"a node from 0 to {num_nodes - 1}, a split and a number of images",
                ",".join(row) or "an empty line",
                at=f"{file}:{number}",
                advice=_ADVICE,
            ) from None
        found.setdefault(split, np.zeros(num_nodes, dtype=np.int64))[index] += count
    return found


_ADVICE = "Restore the file written by train, or remove it; reports then omit what depends on it."
