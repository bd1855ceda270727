"""Encoders of lower precision: what is converted, what it costs, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import cladewise as cw
from cladewise import datasets
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.exporting import Exported, Loss, RunGraph, format_of
from cladewise.exporting.checking import Reference
from cladewise.exporting.loss import Change
from cladewise.exporting.pictures import check_pictures
from cladewise.exporting.quantising import calibration_pictures
from shared_runs import TINY, write_colours

PIXELS: dict[str, Any] = {"start": "pixels", "decision": "leaf", "log_probs": True, "progress": False}


@pytest.fixture(scope="module")
def run(trained: Any) -> Run:
    return trained(method="hace", freeze=True, epochs=10)


@pytest.fixture(scope="module")
def int8(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return cw.export(run, out=tmp_path_factory.mktemp("int8") / "model.onnx", precision="int8", **PIXELS)


@pytest.fixture(scope="module")
def fp16(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return cw.export(run, out=tmp_path_factory.mktemp("fp16") / "model.onnx", precision="fp16", **PIXELS)


def kinds(file: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Types of the weights of the encoder and of the head."""
    weights = {one.name: one.data_type for one in onnx.load(str(file)).graph.initializer}
    dims = {one.name: len(one.dims) for one in onnx.load(str(file)).graph.initializer}
    return tuple(
        {name: kind for name, kind in weights.items() if name.startswith(part) and dims[name] > 1}
        for part in ("encoder.", "head.")
    )  # type: ignore[return-value]


def test_the_encoder_alone_is_converted(int8: Exported, fp16: Exported) -> None:
    single, half, eight = (getattr(onnx.TensorProto, name) for name in ("FLOAT", "FLOAT16", "INT8"))
    for done, wanted in ((int8, eight), (fp16, half)):
        encoder, head = kinds(done.file)
        assert len(encoder) > 5
        assert set(encoder.values()) == {wanted}, done.file
        assert set(head.values()) == {single}
    scales = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(int8.file)).graph.initializer}
    per_channel = [one.size for name, one in scales.items() if name.startswith("encoder.") and name.endswith("_scale")]
    assert max(per_channel) > 1
    assert [entry.name for entry in onnx.load(str(int8.file)).graph.input] == ["pixels", "allowed"]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_the_loss_is_that_of_the_answers(precision: str, request: pytest.FixtureRequest, run: Run) -> None:
    """Recomputed image by image, with distances along the paths to the root."""
    done: Exported = request.getfixturevalue(precision)
    loss, tree = done.loss, run.taxonomy
    assert loss is not None
    source, pictures, labels = check_pictures(run, 256, None)
    assert (loss.precision, loss.source, loss.images, loss.labels) == (precision, source, len(pictures), len(pictures))
    assert labels is not None
    session, reference = format_of("onnx").open(done.file), Reference(run, RunGraph.of(run, start="pixels"))
    pixels = [reference.input([picture]) for picture in pictures]
    after = [int(session({"pixels": one})["leaf"][0]) for one in pixels]
    before = [int(reference.prediction(reference.features([one])).best_leaf().node[0]) for one in pictures]

    def height(node: int) -> int:
        below = [child for child in range(tree.num_nodes) if tree.parents[child] == node and child != 0]
        return 1 + max(map(height, below)) if below else 0

    def distance(node: int, label: int) -> int:
        above = [label]
        while above[-1]:
            above.append(int(tree.parents[above[-1]]))
        while node not in above:
            node = int(tree.parents[node])
        return 0 if node == label else height(node)

    assert loss.equal == np.mean(np.equal(before, after))
    assert loss.distance is not None
    assert loss.node is not None
    for name, nodes in (("before", before), ("after", after)):
        distances = [distance(v, int(label)) for v, label in zip(nodes, labels, strict=True)]
        assert getattr(loss.distance, name) == pytest.approx(np.mean(distances))
        assert getattr(loss.node, name) == pytest.approx(np.mean(np.equal(distances, 0)))
    assert loss.leaf == loss.node
    assert json.loads(done.about["measured"]) == loss.to_dict()
    assert done.about["precision"] == precision


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_one_image_is_answered_as_in_a_batch(precision: str, request: pytest.FixtureRequest) -> None:
    """Ranges of activations that are taken when a file runs would make it depend on the others."""
    session = format_of("onnx").open(request.getfixturevalue(precision).file)
    pixels = np.random.default_rng(0).normal(size=(5, 3, 24, 24)).astype(np.float32)
    pixels[4] *= 100
    together = session({"pixels": pixels})
    for place in range(5):
        alone = session({"pixels": pixels[place : place + 1]})
        for name, value in alone.items():
            assert value.shape[1:] == together[name].shape[1:]
            np.testing.assert_allclose(value[0], together[name][place], atol=1e-3, err_msg=name)
        assert np.isfinite(alone["log_probs"]).all()
        assert alone["leaf"][0] == together["leaf"][place] > 0


def test_nothing_of_this_machine_is_in_the_file(fp16: Exported, int8: Exported) -> None:
    package = str(Path(cw.__file__).parent).encode()
    for done in (fp16, int8):
        assert package not in done.file.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("to", "suffix"), [("openvino", ".xml"), ("torch-export", ".pt2")])
def test_half_precision_in_other_formats(run: Run, tmp_path: Path, to: str, suffix: str) -> None:
    whole = cw.export(run, to=to, out=tmp_path / f"whole{suffix}", images=4, **PIXELS)
    half = cw.export(run, to=to, out=tmp_path / f"half{suffix}", images=4, precision="fp16", **PIXELS)
    assert half.loss is not None
    assert half.loss.equal == 1
    assert whole.loss is None
    assert half.megabytes < 0.8 * whole.megabytes


def test_means_and_their_errors() -> None:
    change = Change.of(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 6.0]))
    assert (change.before, change.after) == (2.0, pytest.approx(10 / 3))
    assert change.error == pytest.approx(np.std([1, 0, 3], ddof=1) / np.sqrt(3))
    assert Change.of(np.ones(1), np.zeros(1)).error is None


def test_a_file_that_loses_too_much_is_refused() -> None:
    loss = Loss("int8", "val", 200, equal=0.725, error=0.03, lost=0, apart_in_batch=1e-6)
    loss.check(0.7)
    with pytest.raises(InputError, match=r"at least 0\.8 of the images, but got 0\.725 of 200.*least_equal=0\.72\."):
        loss.check(0.8)
    with pytest.raises(InputError, match="do not depend on the batch, but got log-probabilities up to inf nats apart"):
        dataclasses.replace(loss, apart_in_batch=float("inf")).check(0.0)
    with pytest.raises(InputError, match="that answers for every image, but got no answer for 3 of 200"):
        dataclasses.replace(loss, lost=3).check(0.0)


def test_a_refused_file_is_not_kept(trained: Any, tmp_path: Path) -> None:
    """Features beyond the largest number of half precision: the encoder has no scores left."""
    run = trained(method="hace", freeze=True, epochs=10).reopened()
    for parameter in run.backbone.parameters():
        parameter.data.mul_(20)
    with pytest.raises(InputError, match="a file in fp16 that answers for every image, but got no answer for"):
        cw.export(run, out=tmp_path / "model.onnx", precision="fp16", images=3, least_equal=0.0, **PIXELS)
    assert not list(tmp_path.iterdir())


def test_precisions_that_a_format_lacks(run: Run) -> None:
    with pytest.raises(InputError, match=r"among fp32, fp16 for openvino, but got int8\. The format onnx has int8\."):
        cw.export(run, to="openvino", precision="int8", progress=False)
    with pytest.raises(InputError, match=r"among fp32, fp16, int8 for onnx, but got fp8"):
        cw.export(run, precision="fp8", progress=False)
    with pytest.raises(InputError, match=r"images or pixels to start from in fp16, but got features"):
        cw.export(run, precision="fp16", start="features", progress=False)


def test_calibration_needs_the_images(tmp_path: Path, shared_cache: Path) -> None:
    write_colours(tmp_path / "colours")
    data = datasets.from_folder(tmp_path / "colours", seed=3)
    run = cw.train(data, method="hace", freeze=True, epochs=1, out=tmp_path / "run", **TINY)
    assert len(calibration_pictures(run)) == len(data.indices("train"))
    shutil.rmtree(tmp_path / "colours")
    with pytest.raises(InputError, match=r"images that the run was trained on, for int8, but got none of them"):
        cw.export(tmp_path / "run", precision="int8", progress=False)
