"""Paths in printed predictions find their nodes again."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cladewise import Taxonomy
from cladewise.cli.tables import write_frame


def test_paths_in_a_table_of_predictions_are_found_again(tmp_path: Path) -> None:
    tree = Taxonomy.from_paths([("Bags", "Luggage/Suitcases"), ("Bags", "Luggage", "Suitcases"), ("C:\\", "\\/")])
    nodes = list(range(1, tree.num_nodes))
    frame = pl.DataFrame({"label_path": [tree.path_name(v) for v in nodes]})
    write_frame(frame, "csv", tmp_path / "predicted.csv")
    written = pl.read_csv(tmp_path / "predicted.csv")
    assert tree.find(written["label_path"].to_list()).tolist() == nodes
