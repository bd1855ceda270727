"""Labels that come back from Label Studio, FiftyOne and tables, as a manifest to train on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from cladewise import Taxonomy, datasets
from cladewise.errors import InputError
from cladewise.interchange import read_corrected_labels, write_predictions

TREE = Taxonomy(
    [-1, 0, 1, 1, 1, 0, 5],
    ["", "bird", "wren", "crane", "a/b", "machine", "crane"],
    columns={"id": ["", "b", "", "grus", "", "", "kran"]},
)
SAMPLES = Path(__file__).parent / "label_studio_samples"
PATHS = {node: TREE.path_name(node) for node in range(TREE.num_nodes)}
TABLE = pl.DataFrame(
    {
        "path": ["a.png", "b.png", "c.png", "d.png"],
        "error": [None, None, None, "truncated"],
        "top_labels": [["bird/crane", "bird/wren"], ["machine/crane"], ["bird"], None],
        "top_probabilities": [[0.75, 0.125], [0.5], [0.9], None],
    }
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcd":
        Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    return folder


def labelled(found: Any) -> dict[str, str]:
    return {Path(path).name: label for path, label in found.table().rows()}


def tasks(folder: Path) -> list[dict[str, Any]]:
    write_predictions(TABLE, folder / "tasks.json", format="label-studio", taxonomy=TREE)
    return json.loads((folder / "tasks.json").read_text())


def annotation(*paths: list[str], **more: Any) -> dict[str, Any]:
    value = {"taxonomy": list(paths)}
    result = {"id": "whole", "from_name": "taxonomy", "to_name": "image", "type": "taxonomy", "value": value}
    return {"result": [result] if paths else [], "was_cancelled": False, "completed_by": 1, **more}


def export(folder: Path, annotations: list[list[dict[str, Any]]]) -> Path:
    found = [
        {"id": i, **task, "annotations": own}
        for i, (task, own) in enumerate(zip(tasks(folder), annotations, strict=True))
    ]
    (folder / "export.json").write_text(json.dumps(found))
    return folder / "export.json"


class TestLabelStudio:
    def test_accepted_corrected_skipped_and_empty_tasks(self, photos: Path) -> None:
        accepted = {**tasks(photos)[0]["predictions"][0], "was_cancelled": False, "completed_by": 1}
        given = [[accepted], [annotation(["b", "grus"])], [annotation(was_cancelled=True)], [annotation()]]
        found = read_corrected_labels(export(photos, given), TREE)
        assert labelled(found) == {"a.png": "bird/crane", "b.png": "bird/crane"}
        assert {skip.path: skip.reason for skip in found.skipped} == {"c.png": "no label", "d.png": "no label"}
        assert found.notes == ("1 cancelled annotation, not used",)

    def test_names_ids_and_internal_nodes_are_labels(self, photos: Path) -> None:
        given = [
            [annotation(["machine", "crane"])],
            [annotation(["machine", "kran"])],
            [annotation(["b"])],
            [annotation(["bird", "a/b"])],
        ]
        found = read_corrected_labels(export(photos, given), TREE)
        expected = {"a.png": "machine/crane", "b.png": "machine/crane", "c.png": "bird", "d.png": PATHS[4]}
        assert labelled(found) == expected

    def test_an_impossible_path_is_refused(self, photos: Path) -> None:
        given = [[annotation(["machine", "wren"])], [], [], []]
        with pytest.raises(
            InputError, match=r"labels that are named as nodes of the taxonomy, but got 1 that are not: .*machine/wren"
        ):
            read_corrected_labels(export(photos, given), TREE)

    def test_a_name_of_several_nodes_is_refused(self, photos: Path) -> None:
        with pytest.raises(InputError, match=r"'crane'.*bird/crane, machine/crane"):
            read_corrected_labels(export(photos, [[annotation(["crane"])], [], [], []]), TREE)

    def test_several_labels_and_annotators(self, photos: Path) -> None:
        both = annotation(["bird", "wren"], ["bird", "crane"])
        given = [
            [both],
            [annotation(["bird"], ["bird", "wren"])],
            [],
            [annotation(["bird", "wren"]), annotation(["bird"])],
        ]
        file = export(photos, given)
        with pytest.warns(match="annotators disagree"):
            found = read_corrected_labels(file, TREE)
        assert labelled(found) == {"b.png": "bird/wren"}
        with pytest.warns(match="annotators disagree"):
            found = read_corrected_labels(file, TREE, several="common")
        assert labelled(found) == {"a.png": "bird", "b.png": "bird/wren"}
        found = read_corrected_labels(file, TREE, annotators="all", several="common")
        assert labelled(found) == {"a.png": "bird", "b.png": "bird/wren", "d.png": "bird/wren"}

    def test_labels_of_regions_are_not_those_of_the_image(self, photos: Path) -> None:
        boxed = annotation(["bird", "wren"])
        boxed["result"][0]["value"] |= {"x": 1, "y": 1, "width": 5, "height": 5}
        found = read_corrected_labels(export(photos, [[boxed], [annotation(["b"])], [], []]), TREE)
        assert labelled(found) == {"b.png": "bird"}
        assert found.skipped[0].reason == "no label of the whole image, but 1 region"

    def test_all_exports_of_the_sdk_have_the_labels(self, photos: Path) -> None:
        """Files that the converter of label-studio-sdk 2.1.2 wrote from :data:`TABLE`, accepted or corrected."""
        for name in ("export.json", "export_min.json", "export.csv"):
            found = read_corrected_labels(SAMPLES / name, TREE, root=photos)
            expected = {"a.png": "bird/crane", "b.png": PATHS[4], "c.png": "bird/wren", "d.png": "machine/crane"}
            assert labelled(found) == expected, name
            assert all(Path(path).is_file() for path in found.paths), name

    def test_the_sdk_accepts_what_is_read_back(self, photos: Path) -> None:
        interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
        TREE.write(photos / "config.xml", format="label-studio")
        config = interface((photos / "config.xml").read_text())
        assert config.validate_annotation(annotation(["b", "grus"]))


class TestFiftyOne:
    def samples(self, folder: Path) -> dict[str, Any]:
        write_predictions(TABLE, folder / "samples.json", format="fiftyone", taxonomy=TREE, model="hace")
        return json.loads((folder / "samples.json").read_text())

    def read(self, folder: Path, document: dict[str, Any], **options: Any) -> Any:
        (folder / "samples.json").write_text(json.dumps(document))
        return read_corrected_labels(folder / "samples.json", TREE, **options)

    def test_samples_have_the_path_and_a_field_per_level(self, photos: Path) -> None:
        document = self.samples(photos)
        assert document["name"] == "hace"
        assert document["default_classes"] == [PATHS[node] for node in range(1, 7)]
        first, _, third, last = document["samples"]
        prediction = first["prediction"]
        assert (prediction["label"], prediction["predicted"]) == ("bird/crane", "bird/crane")
        assert (prediction["node"], prediction["path"], prediction["confidence"]) == (3, ["bird", "crane"], 0.75)
        coarse, fine = TREE.level_names[:2]
        assert [first[f"{level}"]["label"] for level in (coarse, fine)] == ["bird", "crane"]
        assert fine not in third
        assert [label["label"] for label in first["further"]["classifications"]] == ["bird/wren"]
        assert last == {"filepath": "d.png", "tags": [], "error": "truncated"}

    def test_changed_and_tagged_labels_count(self, photos: Path) -> None:
        document = self.samples(photos)
        first, second, third, _ = document["samples"]
        first["prediction"]["label"] = PATHS[4]
        second["tags"] = ["Checked"]
        found = self.read(photos, document)
        assert labelled(found) == {"a.png": PATHS[4], "b.png": "machine/crane"}
        reasons = {skip.path: skip.reason for skip in found.skipped}
        assert reasons == {"c.png": "a prediction that nobody checked", "d.png": "no label"}
        assert labelled(self.read(photos, document, unchanged="keep")) == {
            "a.png": PATHS[4],
            "b.png": "machine/crane",
            "c.png": "bird",
        }
        third["prediction"]["tags"] = ["correct"]
        assert labelled(self.read(photos, document))["c.png"] == "bird"

    def test_a_field_of_corrections_is_preferred(self, photos: Path) -> None:
        document = self.samples(photos)
        document["samples"][0]["correction"] = {"_cls": "Classification", "label": "wren", "tags": []}
        assert labelled(self.read(photos, document)) == {"a.png": "bird/wren"}
        document["samples"][0]["prediction"]["label"] = "bird"
        assert labelled(self.read(photos, document, field="prediction")) == {"a.png": "bird"}
        with pytest.raises(InputError, match=r"a field with classifications: .*but got 'labels'"):
            self.read(photos, document, field="labels")

    def test_an_impossible_path_is_refused(self, photos: Path) -> None:
        document = self.samples(photos)
        document["samples"][0]["prediction"]["label"] = "machine/wren"
        with pytest.raises(InputError, match="machine/wren"):
            self.read(photos, document)

    def test_an_export_is_a_dataset_to_train_on(self, photos: Path) -> None:
        document = self.samples(photos)
        for sample, node in zip(document["samples"], (4, 2, 2), strict=False):
            sample["prediction"]["label"] = PATHS[node]
        (photos / "samples.json").write_text(json.dumps({"samples": document["samples"]}))
        (photos / "metadata.json").write_text("{}")
        found = datasets.from_export(photos, TREE)
        assert dict(zip(found.paths, found.nodes.tolist(), strict=True)) == {"a.png": 4, "b.png": 2, "c.png": 2}


class TestTables:
    def test_the_last_row_of_a_log_counts(self, photos: Path) -> None:
        rows = [
            ["path", "label", "predicted", "model", "time"],
            ["a.png", "bird/wren", "", "m", "1"],
            ["a.png", "bird", "", "m", "2"],
        ]
        with (photos / "corrections.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        assert labelled(read_corrected_labels(photos / "corrections.csv", TREE)) == {"a.png": "bird"}

    def test_two_labels_in_a_plain_table_are_refused(self, photos: Path) -> None:
        (photos / "labels.csv").write_text("path,label\na.png,bird/wren\na.png,bird\n")
        with pytest.raises(InputError, match="one label for each image, but got bird/wren and bird for"):
            read_corrected_labels(photos / "labels.csv", TREE)

    def test_actions_that_are_no_label_are_left_out(self, photos: Path) -> None:
        text = "path,label,action\na.png,bird/wren,label\nb.png,nothing,remove\nc.png,bird,unsure\nd.png,,\n"
        (photos / "verdicts.csv").write_text(text)
        found = read_corrected_labels(photos / "verdicts.csv", TREE)
        assert labelled(found) == {"a.png": "bird/wren"}
        assert [skip.reason for skip in found.skipped] == ["remove", "unsure", "no label"]
        assert found.removed == (str(photos / "b.png"),)

    def test_removed_images_are_not_in_the_joined_data(self, photos: Path, tmp_path: Path) -> None:
        (photos / "data.csv").write_text("path,label,split\na.png,bird/wren,train\nb.png,bird/wren,train\n")
        data = datasets.from_manifest(photos / "data.csv", TREE)
        (photos / "verdicts.csv").write_text("path,label,action\na.png,bird,label\nb.png,bird,remove\n")
        found = read_corrected_labels(photos / "verdicts.csv", TREE)
        assert found.table(data).rows() == [(str(photos / "a.png"), "bird", "train")]
        (photos / "again.csv").write_text("path,label\nb.png,machine\n")
        found = read_corrected_labels([photos / "verdicts.csv", photos / "again.csv"], TREE)
        assert [row[1] for row in found.table(data).rows()] == ["bird", "machine"]
        found = read_corrected_labels([photos / "again.csv", photos / "verdicts.csv"], TREE)
        assert labelled(found) == {"a.png": "bird"}

    def test_an_unknown_action_is_refused(self, photos: Path) -> None:
        (photos / "verdicts.csv").write_text("path,label,action\na.png,bird,label\nb.png,bird,delete\n")
        with pytest.raises(InputError, match=r"an action: keep, label, remove, unsure, but got 'delete' at .*:3"):
            read_corrected_labels(photos / "verdicts.csv", TREE)

    def test_blank_actions_of_parquet_are_labels(self, photos: Path) -> None:
        rows = {"path": ["a.png", "b.png"], "label": ["bird", "machine"], "action": [None, "keep"]}
        pl.DataFrame(rows).write_parquet(photos / "verdicts.parquet")
        assert labelled(read_corrected_labels(photos / "verdicts.parquet", TREE)) == {"a.png": "bird"}

    def test_separators_of_windows_are_read_where_the_file_is(self, photos: Path, tmp_path: Path) -> None:
        (tmp_path / "labels.csv").write_text("path,label\nphotos\\a.png,bird\nphotos\\z.png,bird\n")
        found = read_corrected_labels(tmp_path / "labels.csv", TREE)
        assert found.paths == (str(photos / "a.png"), str(tmp_path / "photos\\z.png"))

    def test_later_files_count_and_are_joined_to_the_data(self, photos: Path, tmp_path: Path) -> None:
        (photos / "data.csv").write_text("path,label,split\na.png,bird/wren,train\nb.png,bird/wren,test\n")
        data = datasets.from_manifest(photos / "data.csv", TREE)
        (photos / "first.csv").write_text("path,label\nb.png,bird\nc.png,bird/crane\n")
        (tmp_path / "second.csv").write_text("path,label\nphotos/b.png,machine/crane\n")
        found = read_corrected_labels([photos / "first.csv", tmp_path / "second.csv"], TREE)
        assert found.replaced == 1
        found.write(tmp_path / "all.csv", data)
        again = datasets.from_manifest(tmp_path / "all.csv", TREE)
        labels = dict(zip(again.paths, again.nodes.tolist(), strict=True))
        assert labels == {"photos/a.png": 2, "photos/b.png": 6, "photos/c.png": 3}
        assert {name: [again.paths[i] for i in images] for name, images in again.splits.items()} == {
            "train": ["photos/a.png", "photos/c.png"],
            "test": ["photos/b.png"],
        }
        other = Taxonomy.from_paths([("x",)])
        with pytest.raises(InputError, match="data over"):
            found.table(datasets.Dataset("d", other, photos, [], data.nodes[:0], {}))

    def test_what_cannot_be_read_is_told(self, photos: Path) -> None:
        with pytest.raises(InputError, match="a file of corrections, but got no such file"):
            read_corrected_labels(photos / "none.csv", TREE)
        with pytest.raises(InputError, match="at least one file"):
            read_corrected_labels([], TREE)
        (photos / "labels.csv").write_text("path,label\na.png,oak\n")
        with pytest.raises(InputError, match=r"oak"):
            read_corrected_labels(photos / "labels.csv", TREE)
        (photos / "empty.csv").write_text("path,label,action\na.png,bird,remove\n")
        with pytest.raises(InputError, match=r"images with a label, but got none: a\.png \(remove\)"):
            read_corrected_labels(photos / "empty.csv", TREE)
