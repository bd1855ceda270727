"""Known differences of runtimes from torch, tested on the graphs of runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.exporting.exporting import export
from cladewise.exporting.format import FORMATS, Session, format_of
from cladewise.exporting.graph import ALLOWED, RunGraph
from cladewise.runtimes.open_vino import OpenVINO
from cladewise.tracing import traced

METHODS = ["conditional-sigmoid", "hace", "hxe", "flat-softmax"]
TOLERANCE = 1e-4

Trained = Callable[..., Run]


@pytest.fixture(scope="module")
def opened(
    trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], tuple[RunGraph, Session]]:
    """``opened(method, format)``: the graph of a run from features on, and the session of its file."""
    folder = tmp_path_factory.mktemp("exported")

    @cache
    def graph(method: str) -> RunGraph:
        return RunGraph.of(trained(method=method, freeze=True, epochs=10).folder.path, start="features", log_probs=True)

    @cache
    def session(method: str, name: str) -> Session:
        kind = format_of(name)
        file = folder / f"{method}{kind.suffix}"
        kind.write(graph(method), file, {"title": method})
        kind.annotate(file, {"checked": "yes"})
        return kind.open(file)

    return lambda method, name: (graph(method), session(method, name))


def _rows(graph: RunGraph) -> dict[str, Tensor]:
    features = torch.randn(8, *graph.input_shape, generator=torch.Generator().manual_seed(0))
    broken = features.clone()
    broken[0], broken[1, 0], broken[2, 0], broken[3] = torch.nan, torch.inf, -torch.inf, torch.nan
    return {
        "several": features,
        "one": features[:1],
        "equal": torch.zeros_like(features[:3]),
        "huge": 1e4 * features,
        "tiny": 1e-30 * features,
        "broken": broken,
    }


def _allowed(graph: RunGraph) -> dict[str, Tensor]:
    leaves = torch.zeros_like(graph.defaults[ALLOWED])
    one = leaves.clone()
    one[-1] = True
    return {"all": ~leaves, "one": one, "none": leaves}


def _check(graph: RunGraph, session: Session, features: Tensor, allowed: Tensor, case: object) -> None:
    with traced(), torch.no_grad():
        wanted = graph.named(features, {ALLOWED: allowed})
    found = session({graph.start: features.numpy(), ALLOWED: allowed.numpy()})
    assert list(found) == list(graph.output_names)
    for name, value in wanted.items():
        assert found[name].dtype == value.numpy().dtype, (case, name)
        if value.is_floating_point():
            np.testing.assert_allclose(found[name], value.numpy(), rtol=0, atol=TOLERANCE, err_msg=str((case, name)))
        else:
            np.testing.assert_array_equal(found[name], value.numpy(), err_msg=str((case, name)))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("method", METHODS)
def test_extreme_scores_and_masks(
    opened: Callable[[str, str], tuple[RunGraph, Session]], method: str, name: str
) -> None:
    """Infinities, NaN and rows without a possible leaf: -inf stays -inf, and an unusable image has no node."""
    graph, session = opened(method, name)
    for scores, features in _rows(graph).items():
        for labels, allowed in _allowed(graph).items():
            if scores != "huge" or method != "flat-softmax":  # 1e4 times as large is 1e4 times as far off
                _check(graph, session, features, allowed, (scores, labels))


@pytest.mark.parametrize("name", FORMATS)
def test_the_first_of_equals(trained: Trained, tmp_path: Path, name: str) -> None:
    """All scores are equal: runtimes that sort have other orders than ours, the lowest node first."""
    graph = RunGraph.of(trained(method="hace", freeze=True, epochs=10).folder.path, start="features", log_probs=True)
    with torch.no_grad():
        for parameter in graph.head.parameters():
            parameter.zero_()
    kind = format_of(name)
    file = tmp_path / f"equal{kind.suffix}"
    kind.write(graph, file, {})
    session = kind.open(file)
    _check(graph, session, _rows(graph)["several"], _allowed(graph)["all"], "equal")
    found = session({graph.start: _rows(graph)["several"].numpy()})
    assert (found["leaf"] == int(graph.taxonomy.leaf_nodes[0])).all()


@pytest.mark.parametrize("name", FORMATS)
def test_images_alone_and_together(trained: Trained, tmp_path: Path, name: str) -> None:
    """One image's answer does not depend on its batch, and decoded images of any size are accepted."""
    run = trained(method="hace", freeze=True, epochs=10)
    graph = RunGraph.of(run, log_probs=True)
    kind = format_of(name)
    file = tmp_path / f"run{kind.suffix}"
    kind.write(graph, file, {})
    session = kind.open(file)
    for height, width in [(40, 60), (33, 31), (7, 90)]:
        images = graph.example(4, height=height, width=width)
        together = session({"images": images.numpy()})
        with traced(), torch.no_grad():
            wanted = graph.named(images)
        assert np.array_equal(together["node"], wanted["node"].numpy()), (height, width)
        # a grey level in OpenVINO's resizing, whose weights are in single precision
        assert np.abs(together["log_probs"] - wanted["log_probs"].numpy()).max() < 0.01
        for row in range(4):
            alone = session({"images": images[row : row + 1].numpy()})
            assert np.allclose(alone["log_probs"][0], together["log_probs"][row], atol=TOLERANCE)


@pytest.mark.parametrize("name", FORMATS)
def test_a_batch_without_images(opened: Callable[[str, str], tuple[RunGraph, Session]], name: str) -> None:
    graph, session = opened("hace", name)
    nothing = np.zeros((0, *graph.input_shape), np.float32)
    if name == "openvino":
        with pytest.raises(InputError, match="at least one image"):
            session({graph.start: nothing})
    else:
        assert session({graph.start: nothing})["node"].shape == (0,)


def test_openvino_does_not_serve_the_weights_of_another_file(trained: Trained, tmp_path: Path) -> None:
    """Two files of one name, size and time: OpenVINO's cache of compiled models would take one for the other."""
    pytest.importorskip("openvino")
    run, kind, file = trained(method="hace", freeze=True, epochs=10), format_of("openvino"), tmp_path / "run.xml"
    found: list[np.ndarray] = []
    for sign in (1, -1):
        graph = RunGraph.of(run.folder.path, start="features", log_probs=True)
        with torch.no_grad():
            for parameter in graph.head.parameters():
                parameter.mul_(sign)
        kind.write(graph, file, {})
        for part in (file, file.with_suffix(".bin")):
            os.utime(part, (1e9, 1e9))
        features = _rows(graph)["several"]
        _check(graph, kind.open(file), features, _allowed(graph)["all"], sign)
        found.append(kind.open(file)({graph.start: features.numpy()})["log_probs"])
    assert not np.allclose(found[0], found[1])


def test_openvino_computes_in_single_precision(
    opened: Callable[[str, str], tuple[RunGraph, Session]], tmp_path: Path
) -> None:
    """Its default is bfloat16 where the processor has AMX."""
    pytest.importorskip("openvino")
    graph, file = opened("hace", "openvino")[0], tmp_path / "run.xml"
    format_of("openvino").write(graph, file, {})
    compiled = OpenVINO().compiled(file, precision="fp32", threads=1)
    assert str(compiled.get_property("INFERENCE_PRECISION_HINT")) == "<Type: 'float32'>"


def test_what_is_known_is_kept(opened: Callable[[str, str], tuple[RunGraph, Session]], tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    graph = opened("hace", "onnx")[0]
    for name in ("openvino", "torch-export"):
        kind = format_of(name)
        file = tmp_path / f"run{kind.suffix}"
        kind.write(graph, file, {"title": "colours", "other": "1"})
        kind.annotate(file, {"other": "2"})
        if name == "openvino":
            model = OpenVINO().core().read_model(str(file))
            info = {key: model.get_rt_info(["cladewise", key]).astype(str) for key in ("title", "other")}
        else:
            extra = {"cladewise.json": ""}
            torch.export.load(str(file), extra_files=extra)
            info = json.loads(extra["cladewise.json"])
        assert (info["title"], info["other"]) == ("colours", "2"), name


@pytest.mark.parametrize("name", ["openvino", "torch-export"])
def test_exported_files_are_whole(trained: Trained, tmp_path: Path, name: str) -> None:
    """OpenVINO's two files take their names together, and a file opens with all that was added to it."""
    run = trained(method="hace", freeze=True, epochs=10)
    kind = format_of(name)
    done = export(run, to=name, out=tmp_path / f"run{kind.suffix}", start="features", images=4, progress=False)
    wanted = {f"run{kind.suffix}", *([f"run{kind.beside}"] if kind.beside else [])}
    assert {file.name for file in tmp_path.iterdir()} == wanted
    features = np.zeros((2, *RunGraph.of(run, start="features").input_shape), np.float32)
    assert kind.open(done.file)({"features": features})["node"].shape == (2,)
