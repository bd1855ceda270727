"""ONNX files answer as torch does: by every rule, on large and deep trees, and at the edges of arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from cladewise import Taxonomy, decisions, inference, methods
from cladewise.decisions import Decision
from cladewise.errors import InputError
from cladewise.exporting.format import Arrays, format_of
from cladewise.exporting.graph import RunGraph
from cladewise.exporting.onnx_file import check_size
from cladewise.predictions import Fittable
from exporting.graph_cases import FEATURES, RAGGED, SKIPPING, TREES, features, fitted, graph_of, inferences, rules


class Written:
    """A graph's file, opened by its runtime, which is onnxruntime by default."""

    def __init__(self, graph: RunGraph, folder: Path, to: str = "onnx") -> None:
        form = format_of(to)
        self.graph, self.file = graph, folder / f"model{form.suffix}"
        form.write(graph, self.file, {"of": "a test"})
        self.session = form.open(self.file)

    def __call__(self, given: torch.Tensor, **inputs: Any) -> Arrays:
        return self.session({self.graph.start: given.numpy(), **{name: np.asarray(v) for name, v in inputs.items()}})

    def compare(self, given: torch.Tensor, **inputs: Any) -> Arrays:
        """The outputs, after they were compared with those of the run's own code."""
        graph, got = self.graph, self(given, **inputs)
        with torch.inference_mode():
            own = graph.head(given).settled()
            prediction = own if graph.rules.inference is None else graph.rules.inference(own)
            if "allowed" in inputs:
                nodes = graph.taxonomy.leaf_nodes[inputs["allowed"]]
                prediction = inference.Subset(nodes.tolist())(prediction)
            wanted = graph.of_answer(graph.rules.decision(prediction), prediction)
            wanted |= {"leaf": prediction.best_leaf().node, "log_probs": prediction.log_prob}
        for name, value in wanted.items():
            if value.is_floating_point():
                np.testing.assert_allclose(got[name], value.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)
            else:
                np.testing.assert_array_equal(got[name], value.numpy(), err_msg=name)
        return got


@pytest.fixture
def seen_by() -> Any:
    def fit(method: str, tree: Taxonomy, rule: Any, *, after: Any = None) -> Any:
        with torch.no_grad():
            prediction = graph_of(method, tree, decisions.Leaf()).head(features(80, 3.0)).settled()
            return fitted(rule, prediction if after is None else after(prediction))

    return fit


def test_a_calibrated_and_guaranteed_answer(tmp_path: Path, seen_by: Any) -> None:
    calibrate = seen_by("hace", RAGGED, inference.Calibrate())
    rule = seen_by("hace", RAGGED, decisions.Hedging(0.5), after=calibrate)
    written = Written(graph_of("hace", RAGGED, rule, calibrate), tmp_path)
    for count, scale in ((1, 1.0), (7, 1.0), (7, 200.0)):
        written.compare(features(count, scale, 9))
    all_down = written(features(40, 1.0, 9), caution=0.0)["node"]
    all_up = written(features(40, 1.0, 9), caution=1e9)["node"]
    assert (all_up == 0).all()
    assert (all_down > 0).all()
    allowed = np.isin(RAGGED.leaf_nodes, RAGGED.find(["h", "l"]))
    found = written.compare(features(40, 1.0, 9), allowed=allowed)
    assert set(found["leaf"].tolist()) <= set(RAGGED.find(["h", "l"]).tolist())
    properties = {entry.key: entry.value for entry in onnx.load(str(written.file)).metadata_props}
    assert properties["of"] == "a test"


def test_levels_that_skip_and_inputs_that_change_the_kind(tmp_path: Path) -> None:
    written = Written(graph_of("euclidean-cones", SKIPPING, decisions.Levels()), tmp_path)
    given = features(20, 1.0, 4)
    written.compare(given)  # with all leaves possible the kind stays as it is
    allowed = np.array([True, False, True, True, False])
    written.compare(given, allowed=allowed)


def test_features_can_be_the_only_input_and_cones_need_no_arcsine_in_double_precision(tmp_path: Path) -> None:
    written = Written(graph_of("euclidean-cones", RAGGED, decisions.Leaf(), allowed=False), tmp_path)
    assert written.graph.input_names == ("features",)
    written.compare(features(7, 1.0, 9))


def test_a_file_that_the_runtime_cannot_open_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match="a file that onnxruntime can run, but got "):
        format_of("onnx").open(tmp_path / "model.onnx")


def test_a_file_is_written_after_predictions_in_inference_mode(tmp_path: Path) -> None:
    paths = [("never", "seen"), ("never", "before"), ("other",)]  # no tables are kept for it
    graph = graph_of("level-softmax", Taxonomy.from_paths(paths), decisions.Majority())
    with torch.inference_mode():
        graph.rules.decision(graph.head(features(3, 1.0)).settled())
    Written(graph, tmp_path).compare(features(3, 1.0))


def test_the_edges_of_arithmetic(tmp_path: Path) -> None:
    written = Written(graph_of("conditional-sigmoid", RAGGED, decisions.Greedy(0.2)), tmp_path)
    ties = torch.zeros(3, FEATURES)
    extreme = torch.cat([features(4, 1e4, 2), features(4, 1e-4, 3), ties])
    found = written.compare(extreme)
    assert np.isfinite(found["log_probs"]).all()
    broken = torch.cat([features(1, 1.0), torch.full((1, FEATURES), torch.nan), torch.full((1, FEATURES), torch.inf)])
    found = written(broken)
    assert found["node"][0] >= 0
    for name in ("node", "leaf", "path", "level_node"):
        assert (found[name][1:] == -1).all(), name
    assert (found["log_prob"][1:] == -np.inf).all()
    none = written(features(5, 1.0), allowed=np.zeros(RAGGED.num_leaves, dtype=bool))
    assert (none["node"] == -1).all()
    assert (none["log_probs"] == -np.inf).all()


def test_ties_go_to_the_lowest_node(tmp_path: Path) -> None:
    graph = graph_of("flat-softmax", RAGGED, decisions.Greedy())
    with torch.no_grad():
        for parameter in graph.head.parameters():
            parameter.zero_()
    found = Written(graph, tmp_path).compare(features(3, 1.0))
    assert (found["leaf"] == RAGGED.leaf_nodes[0]).all()
    assert (found["node"] == RAGGED.find("c")).all()


def large_tree() -> Taxonomy:
    """10,000 leaves, of which some lie 40 edges below the root."""
    paths = [(f"o{i // 1000}", f"f{i // 100}", f"g{i // 10}", f"s{i}") for i in range(9900)]
    deep = [(*(f"d{k}" for k in range(1, 39)), f"x{i}") for i in range(100)]
    return Taxonomy.from_paths(paths + [("deep", *path) for path in deep])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hace", "flat-softmax"])
def test_ten_thousand_leaves_forty_deep(method: str, tmp_path: Path) -> None:
    tree = large_tree()
    assert tree.num_leaves == 10_000
    assert tree.max_depth == 40
    graph = graph_of(method, tree, decisions.Hedging(caution=3.0))
    written = Written(graph, tmp_path)
    written.compare(features(3, 3.0, 7))
    nodes = len(onnx.load(str(written.file)).graph.node)
    assert nodes < 1500
    assert written.file.stat().st_size < 40e6


@pytest.mark.slow
def test_ten_thousand_leaves_in_openvino(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    graph = graph_of("hace", large_tree(), decisions.Hedging(caution=3.0))
    written = Written(graph, tmp_path, "openvino")
    assert written.compare(features(3, 3.0, 7))["log_probs"].shape == (3, graph.taxonomy.num_nodes)


@pytest.mark.slow
@pytest.mark.parametrize("method", list(methods.available()))
def test_every_method(method: str, tmp_path: Path, seen_by: Any) -> None:
    kind = methods.make(method)
    rule = seen_by(method, RAGGED, kind.decision(), after=kind.inference())
    infer = kind.inference()
    assert not isinstance(infer, Fittable)
    written = Written(graph_of(method, RAGGED, rule, infer), tmp_path)
    written.compare(features(1, 3.0, 9))
    written.compare(features(9, 3.0, 9))


@pytest.mark.slow
@pytest.mark.parametrize("handle", list(rules()))
def test_every_decision(handle: str, tmp_path: Path, seen_by: Any) -> None:
    for method in ("hace", "multilabel-focal", "plc"):
        rule = seen_by(method, SKIPPING, rules()[handle])
        assert isinstance(rule, Decision)
        written = Written(graph_of(method, SKIPPING, rule), tmp_path)
        written.compare(features(11, 3.0, 9))


@pytest.mark.slow
@pytest.mark.parametrize("handle", list(inferences()))
def test_every_inference(handle: str, tmp_path: Path, seen_by: Any) -> None:
    for name, tree in TREES.items():
        rule = seen_by("level-softmax", tree, inferences()[handle])
        (tmp_path / name).mkdir()
        written = Written(graph_of("level-softmax", tree, decisions.Majority(), rule), tmp_path / name)
        written.compare(features(11, 3.0, 9))


@pytest.mark.parametrize("with_root", ["true", "false"])
def test_a_root_with_and_without_a_score_of_its_own(with_root: str, tmp_path: Path) -> None:
    graph = graph_of(f"hace:with_root={with_root}", RAGGED, decisions.NodeArgmax())
    answered = Written(graph, tmp_path).compare(features(200, 3.0, 9))["node"]
    assert (answered == 0).any() == (with_root == "true")


def test_weights_that_do_not_fit_are_refused() -> None:
    graph = graph_of("flat-softmax", RAGGED, decisions.Leaf())
    graph.register_buffer("large", torch.empty(1, dtype=torch.float32).expand(500_000_000))
    with pytest.raises(InputError, match=r"weights of less than 1\.9 GB for one ONNX file, but got 2\.0 GB"):
        check_size(graph)
