"""Images and labels in exports of labelling tools, which the tools' own writers made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from cladewise import Taxonomy, datasets
from cladewise.datasets.finding import find_data
from cladewise.errors import InputError, InputWarning

SAMPLES = Path(__file__).parent.parent / "taxonomy" / "labelling_samples"
LABEL_STUDIO = SAMPLES / "label_studio"
EXPORTS = ("export.json", "export_min.json", "export.csv")


def labels(photos: datasets.Dataset) -> dict[str, str]:
    paths = [photos.taxonomy.path_name(int(node)) for node in photos.nodes]
    return dict(zip(photos.paths, paths, strict=True))


def reasons(photos: datasets.Dataset) -> dict[str, str]:
    return {skip.path: skip.reason for skip in photos.skipped}


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


class TestDatumaro:
    def test_a_folder_is_a_dataset_with_its_subsets_as_splits(self):
        with pytest.warns(InputWarning, match=r"2 images with several labels, left out of 6"):
            photos = find_data(str(SAMPLES / "datumaro"))
        assert labels(photos) == {"train/a.jpg": "Birds/Wren", "val/e.jpg": "Insects/Moth"}
        assert {name: part.tolist() for name, part in photos.splits.items()} == {"train": [0], "val": [1]}
        assert reasons(photos) == {
            "train/sub_b.jpg": "2 labels: Birds/Wren, Night",
            "train/f.jpg": "2 labels: Birds/Wren, Birds/Robin",
            "val/c.jpg": "no label of the whole image, but 1 bbox",
            "val/d.jpg": "no label",
        }
        assert photos.notes == ("1 bbox with labels, not used",)
        with pytest.warns(InputWarning):
            again = datasets.open(photos.source)
        assert labels(again) == labels(photos)

    def test_labels_of_one_group_can_be_chosen(self):
        with pytest.warns(InputWarning, match=r"1 image with several labels"):
            photos = find_data(str(SAMPLES / "datumaro"), groups="Birds___Species")
        assert labels(photos) == {"train/a.jpg": "Birds/Wren", "train/sub_b.jpg": "Birds/Wren"}
        assert photos.taxonomy.names.tolist() == ["Birds", "Wren", "Robin"]
        assert "2 labels of other groups, not used: 'Night', 'Moth'" in photos.notes
        with pytest.raises(InputError, match="groups of labels: top, Birds___Species, Light, but got 'birds'"):
            find_data(str(SAMPLES / "datumaro"), groups=["birds"])

    def test_images_with_several_labels_can_have_what_is_common(self):
        with pytest.warns(InputWarning, match="2 labels with nothing in common: Birds/Wren, Night"):
            photos = find_data(str(SAMPLES / "datumaro"), several="common")
        assert labels(photos)["train/f.jpg"] == "Birds"

    def test_labels_that_a_given_tree_has_not_are_listed(self, tmp_path):
        tree = Taxonomy.from_paths([("Animal", group, name) for group, name in [("Bird", "Wren"), ("Insect", "Moth")]])
        tree.write(tmp_path / "classes.csv")
        with pytest.raises(InputError, match=r"labels that are named as nodes.*4 that are not: 'Birds'"):
            find_data(str(SAMPLES / "datumaro"), tmp_path / "classes.csv")

    def test_files_with_different_labels_are_refused(self, tmp_path):
        folder = shutil.copytree(SAMPLES / "datumaro", tmp_path / "export")
        file = folder / "annotations" / "val.json"
        file.write_text(file.read_text().replace("Robin", "Robins"))
        with pytest.raises(InputError, match=r"those of train.json, but got others, such as 'Robin' at .*val.json"):
            find_data(str(folder))

    def test_images_elsewhere_are_found_by_root(self, tmp_path):
        file = shutil.copy(SAMPLES / "datumaro" / "annotations" / "val.json", tmp_path / "labels.json")
        with pytest.raises(InputError, match=r"none of 1, the first of them labels/e.jpg .*Pass root="):
            find_data(str(file))
        photos = find_data(str(file), root=str(SAMPLES / "datumaro" / "images" / "val"))
        assert labels(photos) == {"e.jpg": "Insects/Moth"}


class TestCvat:
    def test_tags_of_whole_images_are_labels(self):
        with pytest.warns(InputWarning, match=r"3 images with several labels"):
            photos = find_data(str(SAMPLES / "cvat"), root=str(SAMPLES / "cvat" / "images"))
        assert labels(photos) == {"e.jpg": "Moth"}
        assert reasons(photos)["c.jpg"] == "no tag of the whole image, but 1 box"
        assert reasons(photos)["sub/b.jpg"] == "2 labels: Wren, Night"
        assert photos.taxonomy.num_nodes == 7  # also the labels that no image has

    def test_labels_without_their_tree_are_found_in_a_given_one(self):
        tree = Taxonomy.read(SAMPLES / "datumaro" / "annotations" / "train.json")
        with pytest.warns(InputWarning, match=r"2 images with several labels"):
            photos = datasets.from_export(SAMPLES / "cvat", tree)
        assert labels(photos) == {"a.jpg": "Birds/Wren", "e.jpg": "Insects/Moth"}

    def test_attributes_are_levels_and_subsets_are_splits(self, tmp_path):
        pictures(tmp_path, "images/train/1.png", "images/train/2.png", "images/val/3.png")
        species = (
            "<attribute><name>species</name><input_type>select</input_type><values>wren\nrobin</values></attribute>"
        )
        header = f"<label><name>bird</name><attributes>{species}</attributes></label><label><name>moth</name></label>"
        tag = '<image id="{0}" name="{0}.png" subset="{1}"><tag label="{2}">{3}</tag></image>'
        images = [
            tag.format(1, "train", "bird", '<attribute name="species">robin</attribute>'),
            tag.format(2, "train", "moth", ""),
            tag.format(3, "val", "bird", '<attribute name="species"></attribute>'),
        ]
        text = f"<annotations><version>1.1</version><meta><project><labels>{header}</labels></project></meta>"
        (tmp_path / "annotations.xml").write_text(f"{text}{''.join(images)}</annotations>")
        photos = find_data(str(tmp_path), levels="species")
        assert labels(photos) == {"train/1.png": "bird/robin", "train/2.png": "moth", "val/3.png": "bird"}
        assert {name: part.tolist() for name, part in photos.splits.items()} == {"train": [0, 1], "val": [2]}
        assert [photos.taxonomy.path_name(leaf) for leaf in photos.taxonomy.leaf_nodes.tolist()] == [
            "bird/wren",
            "bird/robin",
            "moth",
        ]
        assert set(labels(find_data(str(tmp_path))).values()) == {"bird", "moth"}

    @pytest.mark.parametrize(
        ("text", "got"),
        [
            ('<!DOCTYPE annotations [<!ENTITY w "Wren">]>\n<annotations><meta/></annotations>', "<!DOCTYPE at .*xml:1"),
            ("<annotations><meta/>\n<image>\n</annotations>", "an error: mismatched tag.* at .*xml:3"),
            ("<annotations><meta/><image/></annotations>", "none at .*xml, image None"),
        ],
    )
    def test_broken_annotations_are_refused_with_their_place(self, tmp_path, text, got):
        (tmp_path / "annotations.xml").write_text(text)
        with pytest.raises(InputError, match=f"but got {got}"):
            find_data(str(tmp_path / "annotations.xml"))

    def test_tracks_of_videos_are_refused(self, tmp_path):
        (tmp_path / "annotations.xml").write_text('<annotations><meta/><track id="0" label="a"/></annotations>')
        with pytest.raises(InputError, match="annotations of images, but got those of a video"):
            find_data(str(tmp_path / "annotations.xml"))


class TestLabelStudio:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """Images where people have them: uploads under their path or without prefix, local files below the root."""
        names = ["wren.png", "photos/crane 1.png", "photos/x.png", "1/empty.png", "regions.png"]
        return pictures(tmp_path, *names, "upload/1/two.png", "unlabelled.png", "1/agreed.png")

    @pytest.mark.parametrize("name", EXPORTS)
    def test_every_format_gives_the_same_dataset(self, root, name):
        with pytest.warns(InputWarning) as told:
            photos = find_data(str(LABEL_STUDIO / name), LABEL_STUDIO / "config.xml", root=str(root), control="species")
        assert labels(photos) == {"wren.png": "Birds/Wren", "1/agreed.png": "Birds/Wren"}
        found = reasons(photos)
        assert found.pop("photos/x.png").startswith("2 annotators disagree: b")
        assert found == {
            "photos/crane 1.png": "2 labels: Birds/Crane, Machines/Crane",
            "upload/1/two.png": "2 labels: Birds, Machines/Crane",
            "regions.png": "no label of the whole image, but 2 regions",
            "1/empty.png": "no label",
            "unlabelled.png": "no label",
        }
        texts = [str(warning.message) for warning in told]
        assert any("1 image whose annotators disagree, left out of 8" in text for text in texts)
        assert any("2 images with several labels, left out of 8" in text for text in texts)
        assert "2 labels of regions, not used" in photos.notes

    @pytest.mark.filterwarnings("ignore::cladewise.errors.InputWarning")
    @pytest.mark.parametrize("name", EXPORTS)
    def test_annotators_that_disagree_are_resolved_by_choice(self, root, name):
        def label(**options: Any) -> str | None:
            file = str(LABEL_STUDIO / name)
            found = find_data(file, LABEL_STUDIO / "config.xml", root=str(root), control="species", **options)
            return labels(found).get("photos/x.png")

        assert label(annotators="latest") == "Birds/Crane"
        assert label(annotators="all") == "Birds/Crane"  # one is below the other
        assert label(annotators="majority") is None

    def test_the_paths_are_the_tree_without_a_configuration(self, root):
        with pytest.warns(InputWarning):
            photos = find_data(str(LABEL_STUDIO / "export.json"), root=str(root), control="species")
        assert labels(photos)["wren.png"] == "b/t-troglodytes"
        with pytest.warns(InputWarning):
            assert labels(datasets.open(photos.source)) == labels(photos)

    @pytest.mark.parametrize("name", EXPORTS)
    def test_several_controls_are_refused_with_their_counts(self, root, name):
        with pytest.raises(
            InputError, match=r"got 'species' \(7 annotations\), 'light' \(1 annotation\).*control=\"spec"
        ):
            find_data(str(LABEL_STUDIO / name), root=str(root))
        photos = find_data(str(LABEL_STUDIO / name), root=str(root), control="light")
        assert labels(photos) == {"wren.png": "day"}

    def test_a_region_whose_result_has_no_place_of_its_own_is_no_image(self, tmp_path):
        box = {"type": "rectanglelabels", "value": {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["o"]}}
        said = {"type": "taxonomy", "from_name": "t", "value": {"taxonomy": [["bird"]]}}
        whole = {"id": "w", **said, "value": {"taxonomy": [["moth"]]}}
        result = [{"id": "r", "from_name": "box", **box}, {"id": "r", **said}, whole]
        task = {"id": 1, "data": {"photo": "/data/upload/3/a.png", "source": "x"}, "annotations": [{"result": result}]}
        pictures(tmp_path, "a.png")
        (tmp_path / "task.json").write_text(json.dumps(task))
        photos = find_data(str(tmp_path / "task.json"))
        assert labels(photos) == {"a.png": "moth"}
        assert photos.notes == ("1 label of regions, not used",)

    @pytest.mark.parametrize("form", ["json", "csv"])
    def test_choices_that_may_be_those_of_regions_are_no_labels(self, tmp_path, form):
        """JSON-MIN and CSV as the converter writes a region's only choice: a text without its place."""
        box = [{"x": 1, "y": 2, "width": 10, "height": 20, "rectanglelabels": ["animal"]}]
        own = {"annotator": 1, "created_at": "2026-01-01", "updated_at": None, "lead_time": None}
        rows = [
            {"image": "a.png", "id": 1, "box": box * 2, "species": ["wren", "robin"], "annotation_id": 1, **own},
            {"image": "b.png", "id": 2, "box": box, "species": "wren", "annotation_id": 2, **own},
            {"image": "c.png", "id": 3, "box": None, "species": "wren", "annotation_id": 3, **own},
        ]
        pictures(tmp_path, "a.png", "b.png", "c.png")
        file = tmp_path / f"export.{form}"
        if form == "json":
            file.write_text(json.dumps(rows))
        else:
            cells = [{k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows]
            pl.DataFrame(cells).write_csv(file)
        photos = find_data(str(file))
        assert labels(photos) == {"c.png": "wren"}
        assert set(reasons(photos)) == {"a.png", "b.png"}
        assert set(reasons(photos).values()) == {
            "a choice next to regions, which may be theirs: export JSON, which tells"
        }

    def test_data_with_the_name_of_a_control_is_no_label_in_csv(self, tmp_path):
        header = "_data_species,annotation_id,annotator,created_at,id,image,lead_time,species,updated_at"
        (tmp_path / "export.csv").write_text(f"{header}\nrobin,1,1,,1,a.png,,wren,\nrobin,2,1,,2,b.png,,,\n")
        pictures(tmp_path, "a.png", "b.png")
        photos = find_data(str(tmp_path / "export.csv"))
        assert (labels(photos), reasons(photos)) == ({"a.png": "wren"}, {"b.png": "no label"})

    def test_an_unclear_image_key_is_refused(self, tmp_path):
        said = {"from_name": "t", "type": "choices", "value": {"choices": ["bird"]}}
        task = {"id": 1, "data": {"left": "a.png", "right": "b.png"}, "annotations": [{"result": [said]}]}
        pictures(tmp_path, "a.png", "b.png")
        (tmp_path / "tasks.json").write_text(json.dumps([task]))
        with pytest.raises(InputError, match=r"one key of the data with the image, but got 'left', 'right'"):
            find_data(str(tmp_path / "tasks.json"))
        assert labels(find_data(str(tmp_path / "tasks.json"), image="right")) == {"b.png": "bird"}

    def test_an_image_that_is_only_a_url_is_listed_as_one(self, tmp_path):
        said = {"from_name": "t", "type": "choices", "value": {"choices": ["bird"]}}
        places = ["https://example.org/x/a.png", "s3://bucket/y/b.png"]
        tasks = [{"id": k, "data": {"image": p}, "annotations": [{"result": [said]}]} for k, p in enumerate(places)]
        pictures(tmp_path, "y/b.png")
        (tmp_path / "tasks.json").write_text(json.dumps(tasks))
        photos = find_data(str(tmp_path / "tasks.json"))
        assert labels(photos) == {"y/b.png": "bird"}
        assert reasons(photos) == {places[0]: "a URL, not a file"}

    def test_options_of_another_format_are_refused(self):
        with pytest.raises(
            InputError, match=r"an option of this dataset: .*control, image, annotators, but got 'groups'"
        ):
            find_data(str(LABEL_STUDIO / "export.json"), groups="a")
        with pytest.raises(InputError, match="annotators to be one of agree, majority, latest, all, but got 'first'"):
            find_data(str(LABEL_STUDIO / "export.json"), annotators="first")
