"""Kinds of prediction in files: those of the library, those of other distributions, and files that are neither."""

from __future__ import annotations

import dataclasses
import sys
from functools import cached_property
from pathlib import Path

import pytest
import torch

from cladewise import InputError, Taxonomy
from cladewise.decisions import Greedy, Leaf
from cladewise.inference import BottomUp, Subset
from cladewise.predictions import Coherence, Prediction, storage
from reference.given_predictions import KINDS, random_prediction

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
OTHER_DISTRIBUTION = """
import dataclasses
from cladewise.predictions import NodeSigmoid

@dataclasses.dataclass(frozen=True, eq=False)
class SharpSigmoid(NodeSigmoid):
    sharpness: float = 1.0
"""


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds that a test defines are forgotten after it."""
    monkeypatch.setattr(Prediction, "registered", dict(Prediction.registered))


def written(prediction: Prediction, folder: Path) -> Path:
    path = folder / "scores.safetensors"
    path.write_bytes(storage.to_bytes(prediction, extra={"target": torch.arange(2)}, about={"model": "m"}))
    return path


def test_every_kind_comes_back(tmp_path: Path) -> None:
    for kind in KINDS:
        prediction = random_prediction(kind, TREE, 2).settled()
        again, rest, about = storage.load_prediction(written(prediction, tmp_path), TREE)
        assert type(again) is type(prediction), kind
        assert again.settings() == prediction.settings(), kind
        assert again.log_prob.equal(prediction.log_prob), kind
        assert (rest["target"].tolist(), about["model"]) == ([0, 1], "m")


def test_a_kind_from_elsewhere_is_stored_decided_and_read_again(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True, eq=False)
    class Ranked(Prediction):
        """One score per node, of which the highest wins by a fixed step."""

        node_scores: torch.Tensor
        step: float = 1.0

        @property
        def coherence(self) -> Coherence:
            return Coherence.NONE

        @property
        def logits(self) -> torch.Tensor:
            return self.node_scores

        @property
        def scored_nodes(self) -> torch.Tensor:
            return torch.arange(self.taxonomy.num_nodes)

        @cached_property
        def log_prob(self) -> torch.Tensor:
            return -self.step * self.node_scores.argsort(-1, descending=True).argsort(-1).float()

    prediction = Ranked(TREE, torch.tensor([[9.0, 1, 4, 3, 2], [9.0, 1, 2, 3, 4]]), step=0.5)
    again, _, _ = storage.load_prediction(written(prediction, tmp_path), TREE)
    assert type(again) is Ranked
    assert again.step == 0.5
    assert again.log_prob.equal(prediction.log_prob)
    assert Leaf()(again).node.tolist() == [2, 4]
    assert Greedy()(again).node.tolist() == [4, 4]
    assert BottomUp()(again).logits.equal(prediction.node_scores[:, [2, 3, 4]])
    assert Subset(["d"])(again).log_prob.exp().tolist() == [[1, 0, 0, 0, 1]] * 2


def test_a_kind_of_another_distribution_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sharp_kind.py").write_text(OTHER_DISTRIBUTION)
    about = tmp_path / "sharp_kind-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sharp-kind\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[cladewise.predictions]\nsharp = sharp_kind:SharpSigmoid\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = storage.kinds()["SharpSigmoid"]
    prediction = kind(TREE, torch.randn(2, 4), 2.0)  # type: ignore[call-arg]
    path = written(prediction, tmp_path)
    del Prediction.registered["SharpSigmoid"], sys.modules["sharp_kind"]  # as in a process that never imported it
    again, _, _ = storage.load_prediction(path, TREE)
    assert (type(again).__name__, again.settings()) == ("SharpSigmoid", {"sharpness": 2.0})
    assert again.log_prob.equal(prediction.log_prob)
    monkeypatch.undo()
    del sys.modules["sharp_kind"]
    Prediction.registered.pop("SharpSigmoid", None)
    with pytest.raises(InputError, match=r"a prediction: .*LeafSoftmax.*, but got SharpSigmoid"):
        storage.load_prediction(path, TREE)


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"a class name of its own for each kind of prediction, but got .*LeafSoftmax"):
        type("LeafSoftmax", (Prediction,), {})
    assert Prediction.registered["LeafSoftmax"] is KINDS["LeafSoftmax"]
