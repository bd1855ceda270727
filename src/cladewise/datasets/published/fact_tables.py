"""Hierarchies of published datasets whose files have none, as tables of facts in this package.

`cub_200_2011` and `stanford_cars`: Chang, Pang, Zheng, Ma, Song and Guo, Your "Flamingo" is My "Bird": Fine-Grained, or
Not, CVPR 2021, by the numbers of classes in their repository PRIS-CV/Fine-Grained-or-Not; the names of orders and
families are those of the species in them. `fashion_mnist`: Seo and Shin, Hierarchical convolutional neural networks for
fashion image classification, Expert Systems with Applications 116, 2019.
"""

from __future__ import annotations

import csv
from pathlib import Path

_FOLDER = Path(__file__).with_name("tables")


def fact_table(name: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Names of the levels, and a row of classes from coarse to fine for every leaf, in the dataset's own order.

    Args:
        name: File name in the folder ``tables``, without its suffix.

    Example:
        >>> levels, rows = fact_table("stanford_cars")
        >>> levels, rows[0], len(rows)
        (('type', 'model'), ('SUV', 'AM General Hummer SUV 2000'), 196)
    """
    with (_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        levels, *rows = (tuple(row) for row in csv.reader(lines))
    return levels, rows
