"""A whole run becomes a file: from decoded images to label paths, and to a reader without this package."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

import cladewise as cw
from cladewise.decisions import Threshold
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.exporting import FORMATS, Format, RunGraph, Session, checking, exporting
from cladewise.exporting.checking import check
from cladewise.exporting.format import Arrays
from cladewise.exporting.onnx_file import OnnxFormat
from cladewise.exporting.pictures import check_pictures
from cladewise.tracing import traced
from shared_runs import copy_of

READING = """
import json, sys
sys.modules["cladewise"] = None  # as if it were not installed
sys.path.insert(0, sys.argv[1])
import reader
found = reader.Reader(sys.argv[2])
given = {"threshold": float(sys.argv[4])}
allowed = {"allowed": found.leaves_under(["cold"])}
print(json.dumps([found.answer([sys.argv[3]], inputs)[0] for inputs in ({}, given, allowed)]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def run(trained: Any, folder: Path) -> Run:
    return copy_of(trained(), folder / "run")


@pytest.fixture(scope="module")
def done(run: Run, folder: Path) -> exporting.Exported:
    out = folder / "new" / "model.onnx"
    return cw.export(
        run, out=out, decision="threshold:threshold=0.7", log_probs=True, images=6, reader=True, progress=False
    )


@pytest.fixture(scope="module")
def head_alone(run: Run, folder: Path) -> exporting.Exported:
    out = folder / "head.onnx"
    return cw.export(run, out=out, decision="threshold:threshold=0.7", start="features", images=6, progress=False)


@pytest.mark.slow
def test_it_answers_as_the_run(done: exporting.Exported, run: Run) -> None:
    assert done.checked.passed
    assert done.checked.images == 6
    assert done.checked.batch == 6
    assert done.checked.source in run.dataset.splits
    assert str(done.checked).startswith("12 of 12 answers as in torch (6 images of ")
    path = run.dataset.paths[int(run.dataset.indices(done.checked.source)[0])]
    predicted = cw.predict(run, [Path(run.dataset.root) / path], decision="threshold:threshold=0.7", progress=False)
    graph = RunGraph.of(run, decision="threshold:threshold=0.7", log_probs=True)
    source, pictures, _ = check_pictures(run, 6, None)
    got = OnnxFormat().open(done.file)({"images": pictures[0][None]})
    assert source == done.checked.source
    np.testing.assert_array_equal(got["node"], predicted.node())
    np.testing.assert_allclose(got["log_probs"], predicted.log_prob.numpy(), atol=1e-4)
    assert graph.input_names == ("images", "threshold", "allowed")


def test_the_file_says_what_it_is(head_alone: exporting.Exported, run: Run) -> None:
    done = head_alone
    kept = onnxruntime.InferenceSession(str(done.file)).get_modelmeta().custom_metadata_map
    assert kept == done.about
    assert done.checked.passed
    facts = {name: json.loads(text) if text[:1] in ("[", "{") else text for name, text in done.about.items()}
    assert facts["schema_version"] == "1"
    assert facts["decision"] == "threshold:threshold=0.7"
    assert facts["model"] == run.model_hash
    assert facts["taxonomy"]["name"] == list(run.taxonomy.names)
    assert facts["taxonomy"]["parent"] == run.taxonomy.parents.tolist()
    assert facts["inputs"]["threshold"]["default"] == 0.7
    assert "a probability" in facts["inputs"]["threshold"]["meaning"]
    assert facts["measured"]["images"] == 6
    assert "root" not in facts["images"]
    assert str(run.dataset.root) not in json.dumps(done.about)


@pytest.mark.slow
def test_the_reader_needs_no_package_of_ours(done: exporting.Exported, run: Run) -> None:
    assert done.reader is not None
    picture = Path(run.dataset.root) / run.dataset.paths[0]
    command = [sys.executable, "-I", "-c", READING, str(done.reader.parent), str(done.file), str(picture), "0.0"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    usual, bold, cold = json.loads(told.stdout)
    wanted = (
        cw.predict(run, [picture], decision="threshold:threshold=0.7", progress=False).to_frame().row(0, named=True)
    )
    assert usual["label_path"] == wanted["label_path"]
    assert usual["leaf_path"] == wanted["leaf_path"]
    assert usual["probability"] == pytest.approx(wanted["probability"], abs=1e-4)
    bolder = cw.predict(run, [picture], decision="threshold:threshold=0.0", progress=False).to_frame()
    assert bold["label_path"] == bolder["label_path"][0]
    assert cold["leaf_path"].startswith("cold/")


class Turned(Format):
    """A format whose files answer with the next node, by torch."""

    name: ClassVar[str] = "turned"
    suffix: ClassVar[str] = ".turned"
    graphs: ClassVar[dict[Path, RunGraph]] = {}

    def write(self, graph: RunGraph, file: Path, about: Mapping[str, str]) -> None:
        file.write_bytes(b"")
        self.graphs[file] = graph

    def open(self, file: Path, *, threads: int = 1) -> Session:
        graph = self.graphs[file]

        def session(inputs: Mapping[str, NDArray[Any]]) -> Arrays:
            found = by_torch(graph, inputs)
            return found | {"node": (found["node"] + 1) % graph.taxonomy.num_nodes}

        return session

    def annotate(self, file: Path, about: Mapping[str, str]) -> None:
        raise AssertionError


def by_torch(graph: RunGraph, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    """The outputs of a graph that was not written."""
    first, *others = (torch.from_numpy(value) for value in inputs.values())
    with traced(), torch.no_grad():
        found = graph.named(first, dict(zip(list(inputs)[1:], others, strict=True)))
    return {name: value.numpy() for name, value in found.items()}


def test_a_file_that_answers_otherwise_is_not_kept(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "turned", f"{__name__}:Turned")
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())
    wanted = r"answers as torch does, to 0\.0001 nats, but got other answers for [1-6] of 6 images \(.* instead of .*\)"
    with pytest.raises(InputError, match=wanted):
        exporting.export(run, to="turned", out=folder / "wrong", decision="leaf", images=3, progress=False)
    assert not (folder / "wrong").exists()


def _this_module() -> ModuleType:
    module = ModuleType(__name__)
    module.Turned = Turned  # type: ignore[attr-defined]
    return module


def test_images_on_the_threshold_are_told_apart(run: Run) -> None:
    plain = RunGraph.of(run, decision="leaf", start="features")
    reference = checking.Reference(run, plain)
    _, pictures, _ = check_pictures(run, 4, None)
    best = float(reference.prediction(reference.features(pictures)).best_leaf().log_prob[0].exp())
    graph = RunGraph.of(run, decision=Threshold(best - 2e-5), start="features")
    moved = np.asarray(best + 2e-5)  # as if the file's network were a little less sure

    checked = check(run, graph, lambda inputs: by_torch(graph, {**inputs, "threshold": moved}), images=4)
    assert (checked.at_threshold, checked.different, checked.passed) == (2, 0, True)  # alone, and in the batch
    far = np.asarray(best + 2e-3)
    checked = check(run, graph, lambda inputs: by_torch(graph, {**inputs, "threshold": far}), images=4)
    assert checked.different >= 2
    assert not checked.passed


def test_made_up_pictures_stand_in_for_images_that_are_gone(run: Run) -> None:
    source, pictures, _ = check_pictures(run, 0, None)
    assert source == "made-up pictures"
    assert len({picture.shape for picture in pictures}) > 10
    assert all(picture.shape[0] <= 2 * picture.shape[1] for picture in pictures)  # as Pillow and the graph resize alike
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures)


def test_mistakes(run: Run, folder: Path) -> None:
    with pytest.raises(InputError, match=r"a format among onnx.*, but got 'onxn'\. Did you mean onnx\?"):
        exporting.export(run, to="onxn")
    with pytest.raises(InputError, match="a start among images, pixels, features"):
        exporting.export(run, start="photos", progress=False)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a file to write, such as model\.onnx, but got a folder"):
        exporting.export(run, out=folder, progress=False)
    with pytest.raises(InputError, match="a number of images to check on"):
        exporting.export(run, images=-1, progress=False)
