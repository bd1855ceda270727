"""Runs explained: which images, what is written, and what is not fatal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from cladewise import InputError
from cladewise.datasets import Dataset
from cladewise.engine import Run, predict
from cladewise.explanations import explain
from cladewise.explanations.explaining import representatives
from cladewise.records import explanations as records

pytest.importorskip("pytorch_grad_cam", reason="needs the extra explain")


def test_the_folder_holds_a_picture_an_image_and_a_level(end_to_end: Run) -> None:
    made = explain(end_to_end, images=5, progress=False)
    folder = end_to_end.folder.explanations("test").parent
    assert records.read_explanation_index(folder / "index.json") == made
    assert {file.name for file in folder.iterdir()} == {"index.json", *made.files}
    assert len(made.images) == 5
    for image in made.images:
        assert (end_to_end.dataset.root / image.path).is_file()
        assert [each.level for each in image.maps] == [1, 2, 3]
        for name in (image.picture, *(each.file for each in image.maps)):
            with Image.open(folder / name) as picture:
                assert picture.format == "WEBP"
                assert picture.size == (96, 96)
    assert set(made.layers.values()) == {"classifier.encoder.encoder.layer4"}
    assert made.model == end_to_end.model_hash


def test_answers_are_those_of_the_head(end_to_end: Run) -> None:
    made = explain(end_to_end, images=4, progress=False)
    files = [end_to_end.dataset.root / image.path for image in made.images]
    prediction = predict(end_to_end, files, inference="none", progress=False).prediction
    for level in (1, 2, 3):
        nodes, log_prob = prediction.level_log_prob(level)
        best = log_prob.max(-1)
        told = [image.maps[level - 1] for image in made.images]
        assert [each.predicted for each in told] == nodes[best.indices].tolist()
        assert [each.node for each in told] == [each.predicted for each in told]
        assert [each.log_prob for each in told] == pytest.approx(best.values.tolist(), abs=1e-4)


def test_weights_and_files_of_the_run_stay_as_they_were(end_to_end: Run) -> None:
    run = Run.open(end_to_end.path)
    before = {name: value.clone() for name, value in run.classifier.state_dict().items()}
    content = run.folder.model.read_bytes()
    explain(run, images=2, progress=False)
    assert run.folder.model.read_bytes() == content
    assert all(value.equal(before[name]) for name, value in run.classifier.state_dict().items())
    saved = safetensors.torch.load_file(run.folder.model)
    assert all(value.equal(saved[name]) for name, value in run.classifier.state_dict().items())


def test_the_same_command_gives_the_same_files(end_to_end: Run) -> None:
    folder = end_to_end.folder.explanations("test").parent
    content: list[dict[str, bytes]] = []
    for _ in range(2):
        explain(Run.open(end_to_end.path), images=3, progress=False)
        content.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert content[0] == content[1]


def test_a_frozen_encoder_is_explained_too(frozen: Run) -> None:
    made = explain(frozen, images=3, progress=False)
    assert set(made.layers.values()) == {"backbone.encoder.layer4"}
    assert not all(each.is_blank for image in made.images for each in image.maps)


def test_a_broken_image_is_listed_and_the_others_are_explained(end_to_end: Run, shapes: Dataset) -> None:
    number = shapes.indices("test").size
    made = explain(end_to_end, images=number, levels=[1], progress=False)
    assert [path for path, _ in made.skipped] == ["test/round/ring/broken.png"]
    assert "truncated" in made.skipped[0][1] or "broken" in made.skipped[0][1]
    assert len(made.images) == number - 1


def test_files_of_ones_own(end_to_end: Run, shapes: Dataset, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    good = shapes.root / "test" / "angular" / "square" / "red" / "0.png"
    made = explain(end_to_end, files=[good, tmp_path / "x.png"], progress=False)
    assert [(image.path, image.true) for image in made.images] == [(good.as_posix(), None)]
    assert [path for path, _ in made.skipped] == [(tmp_path / "x.png").as_posix()]
    assert end_to_end.folder.explanations("files").is_file()
    nothing = explain(end_to_end, files=[tmp_path / "x.png"], progress=False)
    assert nothing.images == ()
    assert {file.name for file in end_to_end.folder.explanations("files").parent.iterdir()} == {"index.json"}


def test_what_an_earlier_call_drew_is_replaced(end_to_end: Run) -> None:
    explain(end_to_end, images=4, progress=False)
    folder = end_to_end.folder.explanations("test").parent
    (folder / "mine.txt").write_text("kept")
    made = explain(end_to_end, images=1, levels=["level_2"], progress=False)
    assert {file.name for file in folder.iterdir()} == {"index.json", "mine.txt", "0000.webp", "0000-2.webp"}
    assert made.files == {"0000.webp", "0000-2.webp"}
    (folder / "mine.txt").unlink()


def test_the_true_node_at_the_levels_that_the_label_tells(end_to_end: Run, shapes: Dataset) -> None:
    taxonomy = shapes.taxonomy
    made = explain(end_to_end, images=12, target="true", progress=False)
    seen: set[tuple[str, int]] = set()
    for image in made.images:
        assert image.true is not None
        path = taxonomy.path_name(image.true)
        seen.add((path, len(image.maps)))
        for each in image.maps:
            assert each.node == taxonomy.at_level(each.level)[image.true]
    assert ("round", 1) in seen, "a label at an internal node says nothing of finer levels"
    assert ("round/ring", 3) in seen, "a leaf above a level stands there for itself"


def test_images_of_every_label_come_before_second_ones(shapes: Dataset) -> None:
    indices = shapes.indices("test")
    labels = np.unique(shapes.nodes[indices]).size
    chosen = representatives(shapes, "test", labels)
    assert np.unique(shapes.nodes[chosen]).size == labels
    everything = representatives(shapes, "test", 10_000)
    assert sorted(everything.tolist()) == sorted(indices.tolist())
    assert chosen.tolist() == everything[:labels].tolist()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"target": "best"}, "a target: predicted or true, but got 'best'"),
        ({"target": "true", "files": ["a.png"]}, "a target: predicted, since nobody labelled the files"),
        ({"images": 0}, "at least 1 image, but got 0"),
        ({"levels": ["genus"]}, r"a level: 1 \(level_1\), 2 \(level_2\), 3 \(level_3\), but got 'genus'"),
        ({"levels": [4]}, "but got 4"),
        ({"split": "elsewhere"}, "a split of .*: .*, but got 'elsewhere'"),
    ],
)
def test_wrong_settings(end_to_end: Run, options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        explain(end_to_end, progress=False, **options)  # type: ignore[arg-type]


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a run folder, but got no config\.toml at"):
        explain(tmp_path, progress=False)
