"""Compiled encoders where a run is trained, evaluated and used for predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cladewise as cw
from cladewise import InputError, backbones
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.engine.answering.forward import image_encoder
from cladewise.engine.feeding.features import cached_features
from cladewise.runtimes import using

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 32,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def graphs_of_its_own(own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache apart from that of other tests, whose encoders would be compiled ones with the graphs made here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=[True, False], ids=["frozen", "end to end"])
def run(request: pytest.FixtureRequest, colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return cw.train(colours, method="hace", freeze=request.param, out=out, epochs=1, lr=0.05, **TINY)


@pytest.fixture(scope="module")
def paths(colours: Dataset) -> list[Path]:
    return [colours.root / path for path in colours.paths[:37]]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_compiled_encoder_predicts_as_torch_does(runtime: str, run: Run, paths: list[Path]) -> None:
    wanted = cw.predict(run, paths, runtime="torch", progress=False)
    found = cw.predict(run, paths, runtime=runtime, progress=False)
    assert found.errors == wanted.errors
    assert np.array_equal(found.node(), wanted.node())
    torch.testing.assert_close(found.log_prob, wanted.log_prob, atol=1e-4, rtol=1e-4, equal_nan=True)


def test_the_runtime_that_is_chosen_encodes(run: Run) -> None:
    images = torch.randn(5, 3, 32, 32)
    with torch.inference_mode():
        for runtime, same in (("torch", True), ("onnxruntime", False)):
            with using(runtime):
                features = image_encoder(run, CPU)(images)
            own = run.backbone(images.contiguous(memory_format=torch.channels_last))
            wanted = own if run.classifier.end_to_end else run.classifier.encode(own)
            assert torch.equal(features, wanted) is same  # the last digits show which it was
            torch.testing.assert_close(features, wanted, atol=1e-4, rtol=1e-4)


def test_an_evaluation_does_not_depend_on_the_runtime(run: Run) -> None:
    found = list[dict[str, float]]()
    for runtime in ("torch", "onnxruntime"):
        for file in (run.path / "scores").glob("*"):
            file.unlink()
        evaluation = cw.evaluate(run, runtime=runtime, progress=False)
        found.append({name: metric.value for name, metric in evaluation.metrics.items()})
    assert found[1] == pytest.approx(found[0], abs=1e-4, nan_ok=True)


def test_features_of_all_runtimes_share_a_cache(colours: Dataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = backbones.load("test_resnet", pretrained=False, image_size=32)
    options: dict[str, Any] = {"workers": 0, "progress": False, "batch_size": 8}
    compiled = cached_features(colours, "train", backbone, runtime="openvino", cache_dir=tmp_path, **options)
    eager = cached_features(colours, "train", backbone, runtime="torch", cache_dir=tmp_path / "eager", **options)
    again = cached_features(colours, "train", backbone, runtime="torch", cache_dir=tmp_path, **options)
    at = compiled.usable(colours.indices("train"))
    assert again.folder == compiled.folder
    assert np.array_equal(again.rows(at), compiled.rows(at))
    wanted = eager.rows(at)
    assert 0 < np.abs(compiled.rows(at) - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_bf16_has_a_cache_of_its_own(colours: Dataset, tmp_path: Path) -> None:
    backbone = backbones.load("test_resnet", pretrained=False, image_size=32)
    options: dict[str, Any] = {"workers": 0, "progress": False, "cache_dir": tmp_path}
    folders = {
        cached_features(colours, "test", backbone, precision=precision, **options).folder
        for precision in ("fp32", "bf16")
    }
    assert len(folders) == 2


def test_predictions_in_bf16_are_near(run: Run, paths: list[Path]) -> None:
    wanted = cw.predict(run, paths, runtime="torch", progress=False).log_prob
    found = cw.predict(run, paths, precision="bf16", runtime="torch", progress=False).log_prob
    assert 0 < (found - wanted).exp().sub(1).abs().nan_to_num().max() < 0.5


def test_methods_with_several_encoders_run_in_torch(colours: Dataset, tmp_path: Path, paths: list[Path]) -> None:
    several = cw.train(colours, method="vanilla-multi", out=tmp_path / "run", epochs=1, lr=0.05, **TINY)
    wanted = cw.predict(several, paths[:3], runtime="torch", progress=False).log_prob
    assert torch.equal(cw.predict(several, paths[:3], runtime="onnxruntime", progress=False).log_prob, wanted)
    with pytest.raises(InputError, match="fp32 for a method with an encoder for each level, but got bf16"):
        cw.predict(several, paths[:3], precision="bf16", progress=False)


def test_an_unknown_runtime_is_told_before_anything_is_read(run: Run, paths: list[Path], colours: Dataset) -> None:
    with pytest.raises(InputError, match="a runtime: auto, torch, onnxruntime, openvino, but got 'tensorrt'"):
        cw.predict(run, paths, runtime="tensorrt")
    with pytest.raises(InputError, match="a runtime"):
        cw.evaluate(run, runtime="tensorrt")
    with pytest.raises(InputError, match="a runtime"):
        cw.train(colours, out=run.path / "not-made", runtime="tensorrt", **TINY)
    assert not (run.path / "not-made").exists()
