"""Writes the files of this folder with the tools' own writers, in an environment that has them; see README.md."""

import json
import shutil
from pathlib import Path

import datumaro as dm
import numpy as np
from datumaro.components.annotation import AnnotationType, Bbox, GroupType, Label, LabelCategories
from datumaro.components.media import Image
from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface

HERE = Path(__file__).parent
LABELS = [("Birds", ""), ("Wren", "Birds"), ("Robin", "Birds"), ("Insects", ""), ("Moth", "Insects"), ("Night", "")]
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Taxonomy name="species" toName="image">
    <Choice value="Birds" alias="b">
      <Choice value="Wren" alias="t-troglodytes" hint="&lt;b&gt;small&lt;/b&gt; bird"/>
      <Choice value="Crane"/>
    </Choice>
    <Choice value="Machines"><Choice value="Crane"/></Choice>
  </Taxonomy>
  <Choices name="light" toName="image" choice="single"><Choice value="day"/><Choice value="night"/></Choices>
</View>
"""


def picture() -> Image:
    return Image.from_numpy(np.full((8, 8, 3), 120, np.uint8))


def labels(groups: bool) -> dict:
    found = LabelCategories()
    for name, parent in LABELS:
        found.add(name, parent=parent)
    if groups:
        found.items[1].attributes.add("age")
        found.add_label_group("top", ["Birds", "Insects"], GroupType.EXCLUSIVE)
        found.add_label_group("Birds___Species", ["Wren", "Robin"], GroupType.EXCLUSIVE)
        found.add_label_group("Light", ["Night"], GroupType.INCLUSIVE)
    return {AnnotationType.label: found}


def item(name: str, subset: str, annotations: list) -> dm.DatasetItem:
    return dm.DatasetItem(id=name, subset=subset, media=picture(), annotations=annotations)


def write_datumaro() -> None:
    items = [
        item("a", "train", [Label(0), Label(1)]),  # Geti writes the labels above a label as well
        item("sub/b", "train", [Label(1), Label(5)]),
        item("c", "val", [Bbox(1, 1, 3, 3, label=2)]),
        item("d", "val", []),
        item("e", "val", [Label(4)]),
        item("f", "train", [Label(1), Label(2)]),
    ]
    data = dm.Dataset.from_iterable(items, categories=labels(groups=True))
    data.export(str(HERE / "datumaro"), "datumaro", save_media=True)
    data.export(str(HERE / "cvat"), "cvat", save_media=True)
    plain = dm.Dataset.from_iterable([item("a", "default", [Label(1)])], categories=labels(groups=False))
    plain.export(str(HERE / "plain"), "datumaro", save_media=False)
    renamed = dm.Dataset.from_iterable([item("a", "default", [Label(1)])], categories=labels(groups=False))
    renamed.transform("remap_labels", mapping={"Birds": "Aves"})
    renamed.export(str(HERE / "renamed"), "datumaro", save_media=False)


def result(paths: list, number: int = 1, **region: float) -> dict:
    return {
        "id": f"r{number}",
        "from_name": "species",
        "to_name": "image",
        "type": "taxonomy",
        "origin": "manual",
        "value": {"taxonomy": paths, **region},
    }


def annotation(number: int, by: int, results: list, **more: object) -> dict:
    when = f"2026-01-{number:02}T00:00:00Z"
    return {"id": number, "completed_by": by, "was_cancelled": False, "created_at": when, "result": results, **more}


def write_label_studio() -> None:
    light = {"id": "c", "from_name": "light", "to_name": "image", "type": "choices", "value": {"choices": ["day"]}}
    box = {"x": 1, "y": 2, "width": 10, "height": 20, "rotation": 0}
    wren, crane = ["b", "t-troglodytes"], ["Machines", "Crane"]
    tasks = [
        ("/data/upload/1/0a1b2c3d-wren.png", [annotation(1, 1, [result([wren]), light])]),
        ("/data/local-files/?d=photos/crane%201.png", [annotation(2, 1, [result([crane, ["b", "Crane"]])])]),
        (
            "s3://bucket/photos/x.png",
            [
                annotation(3, 1, [result([wren])], was_cancelled=True),
                annotation(4, 2, [result([["b"]])]),
                annotation(5, 3, [result([["b", "Crane"]])]),
            ],
        ),
        ("/data/upload/1/empty.png", [annotation(6, 1, [])]),
        ("/data/upload/1/unlabelled.png", []),
        ("/data/upload/1/regions.png", [annotation(7, 1, [result([["b"]], 1, **box), result([crane], 2, **box)])]),
        ("/data/upload/1/two.png", [annotation(8, 1, [result([["b"]], 1), result([crane], 2)])]),
        (
            "/data/upload/1/agreed.png",
            [annotation(9, 1, [result([["b"], wren])]), annotation(10, 2, [result([["b"], wren])])],
        ),
    ]
    folder = HERE / "label_studio"
    folder.mkdir(exist_ok=True)
    LabelInterface(CONFIG).validate()
    (folder / "config.xml").write_text(CONFIG)
    listed = [{"id": n, "data": {"image": i}, "annotations": a} for n, (i, a) in enumerate(tasks, start=1)]
    (folder / "tasks.json").write_text(json.dumps(listed, indent=1) + "\n")
    for form, name in (("JSON", "export.json"), ("JSON_MIN", "export_min.json"), ("CSV", "export.csv")):
        out = HERE / "converted"
        Converter(CONFIG, str(HERE)).convert(str(folder / "tasks.json"), str(out), form, is_dir=False)
        (found,) = out.iterdir()
        shutil.move(found, folder / name)
        out.rmdir()
    (folder / "tasks.json").unlink()


if __name__ == "__main__":
    write_datumaro()
    write_label_studio()
