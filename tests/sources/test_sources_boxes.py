"""Boxes of COCO, MegaDetector and SpeciesNet files as rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cladewise.errors import InputError
from cladewise.sources import open_source, square_pixels
from sources.reading_rows import rows_of, told


def write(name: str, content: Any) -> str:
    Path(name).write_text(json.dumps(content), encoding="utf-8")
    return name


@pytest.fixture
def photos(here: Path) -> Path:
    """Four photographs of 200 x 100 pixels with a marked corner; the second is stored turned, the third is broken."""
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    pixels[:50, :100] = 255
    upright = Image.fromarray(pixels)
    (here / "photos").mkdir()
    upright.save(here / "photos" / "1.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(here / "photos" / "2.jpg", exif=turned, quality=100)
    (here / "photos" / "3.png").write_bytes(b"")
    upright.resize((100, 50)).save(here / "photos" / "4.png")
    return here


@pytest.fixture
def coco(photos: Path) -> dict[str, Any]:
    names = ["1.png", "2.jpg", "3.png", "4.png", "5.png"]
    images = [{"id": k, "file_name": name, "width": 200, "height": 100} for k, name in enumerate(names, start=1)]
    annotations = [
        {"id": 7, "image_id": 2, "category_id": 3, "bbox": [0, 0, 100, 50], "segmentation": [[0, 0, 1, 1]]},
        {"id": 8, "image_id": 1, "category_id": 3, "bbox": [20, 10, 50, 25]},
        {"id": 9, "image_id": 1, "category_id": 4, "bbox": [150, 50, 60, 60]},
        {"id": 10, "image_id": 3, "category_id": 4, "bbox": [0, 0, 10, 10]},
        {"id": 11, "image_id": 4, "category_id": 4, "bbox": [300, 0, 10, 10]},
    ]
    categories = [{"id": 3, "name": "wren"}, {"id": 4, "name": "robin"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def test_coco_boxes_are_rows_with_their_columns(coco: dict[str, Any]) -> None:
    source = open_source([write("photos/instances.json", coco)])
    assert list(source.columns) == [
        *("image_id", "annotation_id", "box_left", "box_top", "box_width", "box_height"),
        *("category", "image_width", "image_height"),
    ]
    assert source.num_rows == 5
    assert source.notes == ("images left out, since they have no box with a confidence of at least 0.2: 1",)
    rows = rows_of(source, 2)
    assert [row.name for row in rows] == ["1.png", "1.png", "2.jpg", "3.png", "4.png"]
    assert [row.columns["annotation_id"] for row in rows] == ["8", "9", "7", "10", "11"]
    assert [row.columns["category"] for row in rows] == ["wren", "robin", "wren", "robin", "robin"]
    assert rows[0].box == pytest.approx((0.1, 0.1, 0.25, 0.25))
    assert rows[1].box == pytest.approx((0.75, 0.5, 0.25, 0.5))
    assert rows[0].read() == rows[1].read() == Path("photos/1.png").read_bytes()
    assert rows[2].read() == Path("photos/2.jpg").read_bytes()
    assert told(rows[3]) == "an empty file"
    assert told(rows[4]) == "a box without an area in the image: [300.0, 0.0, 10.0, 10.0]"


def test_boxes_for_an_image_of_another_shape_are_an_error_of_the_row(coco: dict[str, Any]) -> None:
    for entry, size in zip(coco["images"], [(100, 200), (100, 200), (1, 1), (400, 200), (9, 9)], strict=True):
        entry["width"], entry["height"] = size
    rows = {row.name: told(row) for row in rows_of(open_source([write("photos/a.json", coco)]))[::-1]}
    assert rows["1.png"] == "an image of 200 x 100 pixels, with boxes for 100 x 200"
    assert rows["2.jpg"] == (
        "an image of 200 x 100 pixels, with boxes for 100 x 200, those of the stored image before its EXIF rotation"
    )


def test_whole_images_and_images_without_boxes_on_request(coco: dict[str, Any]) -> None:
    write("photos/a.json", coco)
    whole = open_source(["photos/a.json"], crop="images")
    assert (whole.columns, whole.num_rows) == ({"image_id": pl.String()}, 5)
    test_set = {"images": coco["images"], "categories": coco["categories"]}
    assert open_source([write("photos/test.json", test_set)], crop="images").num_rows == 5
    assert [row.box for row in rows_of(whole)] == [None] * 5
    both = open_source(["photos/a.json"], crop="boxes-or-images")
    assert [(row.name, row.box is None) for row in rows_of(both)][-2:] == [("4.png", True), ("5.png", True)]
    assert both.num_rows == 6
    assert len({str(open_source(["photos/a.json"], crop=crop).identity) for crop in ("boxes", "images")}) == 2
    without = {**coco, "annotations": [{"id": 1, "image_id": 1, "category_id": 3}]}
    with pytest.raises(InputError, match=r"5 images, none with a box.*crop=\"images\""):
        open_source([write("photos/b.json", without)])
    for entry in coco["images"]:
        del entry["width"]
    with pytest.raises(InputError, match=r"none for '2.jpg' at photos/c.json, annotations\[0\]. Add the sizes"):
        open_source([write("photos/c.json", coco)])
    assert open_source(["photos/c.json"], crop="images").num_rows == 5


def detections() -> dict[str, Any]:
    return {
        "images": [
            {
                "file": "photos/1.png",
                "detections": [
                    {"category": "1", "conf": 0.93, "bbox": [0.25, 0.5, 0.5, 0.25]},
                    {"category": "2", "conf": 0.15, "bbox": [0, 0, 1, 1]},
                    {"category": "3", "conf": 0.2, "bbox": [0.5, 0.5, 0.5005, 0.5]},
                ],
            },
            {"file": "photos/4.png", "detections": []},
            {"file": "photos/3.png", "detections": None, "failure": "image access failure"},
        ],
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "info": {"format_version": "1.4", "detector": "md_v1000"},
    }


def test_detections_are_rows_from_their_threshold(photos: Path) -> None:
    name = write("detections.json", detections())
    source = open_source([name], padding=0.5)
    rows = rows_of(source)
    assert [(row.columns["category"], row.columns["detection_confidence"]) for row in rows] == [
        *[("animal", 0.93), ("vehicle", 0.2), (None, None)]
    ]
    assert rows[0].box == (0.0, 0.375, 1.0, 0.5)
    assert [rows[0].columns[f"box_{side}"] for side in ("left", "top", "width", "height")] == [0.25, 0.5, 0.5, 0.25]
    assert rows[1].box == pytest.approx((0.25, 0.25, 0.75, 0.75))
    assert told(rows[2]) == "an image that the detector could not read (image access failure)"
    assert "annotation_id" not in source.columns
    assert open_source([name], threshold=0.1).num_rows == 4
    assert [row.name for row in rows_of(open_source([name], crop="images"))] == [
        *["photos/1.png", "photos/4.png", "photos/3.png"]
    ]
    absolute = detections()
    absolute["images"][0]["detections"][0]["bbox"] = [50, 50, 100, 25]
    with pytest.raises(InputError, match="boxes as fractions of the image, but got"):
        open_source([write("absolute.json", absolute)])


def test_speciesnet_predictions_are_read_as_well(photos: Path) -> None:
    found = {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.0, 0.0, 0.5, 0.5]}
    predictions = [
        {"filepath": "photos/1.png", "detections": [found], "prediction": "uuid;mammalia;;;;;mammal"},
        {"filepath": "photos/3.png", "failures": ["DETECTOR"]},
    ]
    rows = rows_of(open_source([write("predictions.json", {"predictions": predictions})]))
    assert [(row.name, row.columns["category"]) for row in rows] == [("photos/1.png", "animal"), ("photos/3.png", None)]
    assert told(rows[1]) == "an image that the detector could not read (['DETECTOR'])"


def test_square_crops_are_cut_from_the_upright_image(coco: dict[str, Any]) -> None:
    rows = rows_of(open_source([write("photos/a.json", coco)], square=True))
    assert [row.box for row in rows] == [None] * 5
    crops = [row.read() for row in rows[:3]]
    assert all(isinstance(crop, Image.Image) for crop in crops)
    assert [crop.size for crop in crops if isinstance(crop, Image.Image)] == [(50, 50), (50, 50), (100, 100)]
    bright = [float(np.asarray(crop).mean()) for crop in crops]
    assert bright[0] == 255
    assert bright[1] == 0
    assert bright[2] == pytest.approx(127.5, abs=2)
    assert told(rows[3]) == "an empty file"


EDGES = st.floats(0, 1)


@given(EDGES, EDGES, EDGES, EDGES, st.integers(1, 300), st.integers(1, 300))
def test_squares_hold_their_box_and_stay_inside(
    left: float, top: float, right: float, bottom: float, width: int, height: int
) -> None:
    box = (left, top, (1 - left) * right, (1 - top) * bottom)
    first, upper, last, lower = square_pixels(box, (width, height))
    assert 0 <= first < last <= width
    assert 0 <= upper < lower <= height
    side = max(last - first, lower - upper)
    assert last - first in (side, width)
    assert lower - upper in (side, height)
    assert side >= max(box[2] * width, box[3] * height) - 1e-3
    if last - first < width:
        assert first <= left * width + 1
        assert last >= (left + box[2]) * width - 1


def test_boxes_elsewhere_and_folders_that_hold_no_image_are_told(coco: dict[str, Any], tmp_path: Path) -> None:
    name = write("instances.json", coco)
    source = open_source([name])
    assert source.notes[-1] == (
        "none of the first images of instances.json exists, such as 1.png; the root of its paths may be another one"
    )
    assert rows_of(open_source([name], root="photos"))[0].read() == Path("photos/1.png").read_bytes()
    two = open_source([name, write("more.json", detections())], root="photos")
    assert two.num_rows == 8
    assert two.columns["detection_confidence"] == pl.Float64()
    Path("list.csv").write_text("path\n1.png\n2.png\n")
    assert "none of the first images of list.csv exists" in open_source(["list.csv"]).notes[0]
    assert open_source(["list.csv"], root="photos").notes == ()


REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([1], "a list at a.json"),
    "results": ([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}], "results without their images"),
    "a tree": ({"name": "life", "children": []}, "the keys 'name', 'children'"),
    "an image twice": (
        {"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": []},
        "a different id for every image, but got 1 at a.json, images[1]",
    ),
    "no file name": ({"images": [{"id": 1}], "annotations": []}, "an id and a file_name"),
    "no such image": (
        {"images": [], "annotations": [{"image_id": 2, "bbox": [0, 0, 1, 1]}]},
        "annotations of images that are listed, but got image_id 2",
    ),
    "a strange box": (
        {"images": [{"file": "a", "detections": [{"conf": 1, "bbox": [0, 1]}]}]},
        "boxes as [left, top, width, height], but got [0, 1] at a.json, image 0",
    ),
    "no detections": ({"images": [{"file": "a", "detections": [{"conf": 1}]}]}, "detections with bbox and conf"),
    "no image": ({"images": []}, "no image"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_json_is_refused_with_its_place(here: Path, case: str) -> None:
    content, message = REFUSED[case]
    with pytest.raises(InputError) as refused:
        open_source([write("a.json", content)])
    assert message in str(refused.value)


def test_wrong_options_and_broken_json_are_refused(here: Path) -> None:
    Path("a.json").write_text('{"images": [')
    with pytest.raises(InputError, match="broken JSON"):
        open_source(["a.json"])
    for options, message in (
        ({"crop": "box"}, "boxes-or-images"),
        ({"threshold": 2.0}, "from 0 to 1"),
        ({"padding": -1.0}, "from 0 to 10"),
    ):
        with pytest.raises(InputError, match=message):
            open_source(["a.json"], **options)  # type: ignore[arg-type]


def test_the_bytes_of_an_image_that_is_none_are_left_to_decoding(coco: dict[str, Any]) -> None:
    Path("photos/1.png").write_bytes(b"no image")
    rows = rows_of(open_source([write("photos/a.json", coco)]))
    assert rows[0].read() == b"no image"
    assert told(rows[1]) == b"no image"
