"""Load predictions into FiftyOne, correct some of them, and write them in FiftyOne's two forms.

Run it with an interpreter that has FiftyOne and its MongoDB: ``python make.py predictions.json FOLDER IMAGES``. The
files beside it were written so by FiftyOne 1.13.3 from the predictions of ``test_fiftyone_round_trip.py``.
"""

import json
import os
import sys

os.environ["FIFTYONE_DO_NOT_TRACK"] = "1"
os.environ["FIFTYONE_DATABASE_VALIDATION"] = "false"


def main(predictions: str, folder: str, images: str) -> None:
    import fiftyone as fo

    dataset = fo.Dataset.from_json(predictions, name="round-trip", rel_dir=images)
    found = {os.path.basename(sample.filepath): sample for sample in dataset}
    print(json.dumps({
        "version": fo.__version__,
        "labels": {name: sample.prediction and sample.prediction.label for name, sample in found.items()},
        "confidences": {name: sample.prediction and sample.prediction.confidence for name, sample in found.items()},
        "fields": sorted(dataset.get_field_schema()),
        "classes": dataset.default_classes,
        "counts": dataset.count_values("prediction.label"),
        "further": [label.label for label in found["a.png"].further.classifications],
        "error": found["d.png"].error,
    }))  # fmt: skip
    found["a.png"].prediction.label = "bird/wren"
    found["b.png"].tags.append("checked")
    found["d.png"]["prediction"] = fo.Classification(label="machine/crane")
    for sample in found.values():
        sample.save()
    dataset.write_json(os.path.join(folder, "dataset.json"))
    dataset.export(export_dir=os.path.join(folder, "export"), dataset_type=fo.types.FiftyOneDataset, export_media=False)


if __name__ == "__main__":
    os.environ["FIFTYONE_DATABASE_DIR"] = os.path.join(sys.argv[2], "database")
    main(*sys.argv[1:])
