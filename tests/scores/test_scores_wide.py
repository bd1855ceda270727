"""Wide tables: a column of scores per class, in every file type and for every meaning of the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.feather
import pytest
import torch

from cladewise import InputError, Taxonomy
from cladewise.predictions import LeafSoftmax, NodeSoftmax
from cladewise.scores import Scores, open_scores

TREE = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog",)])


def everything(scores: Scores, rows: int | None = None) -> torch.Tensor:
    """Probabilities of all rows."""
    return torch.cat([prediction.log_prob.exp() for _, prediction in scores.parts(rows)])


def written(folder: Path, frame: pl.DataFrame, suffix: str) -> Path:
    path = folder / f"scores{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(path, row_group_size=2)
    elif suffix == ".feather":
        pyarrow.feather.write_feather(frame.to_arrow(), path, chunksize=2)
    else:
        frame.write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather"])
def test_leaf_probabilities_with_further_columns_in_any_order(tmp_path: Path, suffix: str) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    frame = pl.DataFrame(
        {
            "dog": p[:, 0],
            "path": [f"{k}.jpg" for k in range(5)],
            "lynx": p[:, 1],
            "label": ["lynx", "dog", "", "cat", "cat/lion"],
            "lion": p[:, 2],
            "latitude": np.linspace(-1, 1, 5),
        }
    )
    scores = open_scores(written(tmp_path, frame, suffix), TREE, columns=["latitude"])
    assert scores.keys.to_list() == [f"{k}.jpg" for k in range(5)]
    assert scores.columns.columns == ["label", "latitude"]
    assert scores.targets is not None
    assert scores.targets.tolist() == [3, 4, -1, 1, 2]
    expected = torch.tensor([[1, p[k, 1] + p[k, 2], p[k, 2], p[k, 1], p[k, 0]] for k in range(5)])
    for rows in (None, 1, 2, 3):
        torch.testing.assert_close(everything(scores, rows), expected.float())
        assert [s.stop - s.start for s, _ in scores.parts(2)] == [2, 2, 1]
    assert type(next(scores.parts())[1]) is LeafSoftmax


def test_a_class_outside_the_tree_is_refused_or_mass_of_the_root(tmp_path: Path) -> None:
    path = written(tmp_path, pl.DataFrame({"id": ["a"], "lion": [0.5], "blank": [0.3], "dog": [0.2]}), ".csv")
    with pytest.raises(InputError, match="'blank'"):
        open_scores(path, TREE)
    for scores in (open_scores(path, TREE, elsewhere=["Blank"]), open_scores(path, TREE, unmatched="elsewhere")):
        torch.testing.assert_close(everything(scores), torch.tensor([[1, 0.5, 0.5, 0, 0.2]]))
        assert any("blank" in note for note in scores.notes)
        prediction = next(scores.parts())[1]
        assert type(prediction) is NodeSoftmax
        assert prediction.own_log_prob[0, 0].exp().item() == pytest.approx(0.3)
