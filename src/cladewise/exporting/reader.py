"""Answers of an exported run as label paths, by numpy, Pillow and onnxruntime alone.

This file needs nothing else of the package that it comes from: copy it next to the model.

    python reader.py model.onnx photo.jpg --set caution=2.5 --allowed labels.txt
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

SCHEMA = "1"
"""Version of the metadata that this file reads."""
Arrays = dict[str, Any]


class Reader:
    """A model file with its labels.

    Args:
        model: The file.
        threads: Threads of the runtime; 0 for all cores.

    Raises:
        ValueError: The file has no metadata of an exported run, or those of another version.
    """

    def __init__(self, model: str | Path, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.about: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        if self.about.get("schema_version") != SCHEMA:
            raise ValueError(f"{model}: expected metadata of version {SCHEMA}, got {self.about.get('schema_version')}")
        tree = json.loads(self.about["taxonomy"])
        self.names: list[str] = tree["name"]
        self.parents: list[int] = tree["parent"]
        self.level_names: list[str] = tree["level_names"]
        self.leaves: list[int] = tree["leaves"]
        self.draft: int = json.loads(self.about["images"]).get("decoded_at_least", 0)
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.first = self.session.get_inputs()[0].name

    def path(self, node: int) -> list[str]:
        """Names from below the root to a node."""
        found: list[str] = []
        while node > 0:
            found.append(self.names[node])
            node = self.parents[node]
        return found[::-1]

    def leaves_under(self, labels: Iterable[str]) -> np.ndarray[Any, Any]:
        """Which leaves lie at or under labels, given as names or as paths joined by slashes: the input ``allowed``.

        Raises:
            ValueError: A label is no node.
        """
        allowed = np.zeros(len(self.names), dtype=bool)
        for label in labels:
            if label not in self.names and "/" not in label:
                raise ValueError(f"expected a label of the model, got {label!r}")
            steps = label.split("/")
            nodes = [v for v, name in enumerate(self.names) if name in (label, steps[-1])]
            nodes = [v for v in nodes if self.names[v] == label or self.path(v)[-len(steps) :] == steps]
            if not nodes:
                raise ValueError(f"expected a label of the model, got {label!r}")
            allowed[nodes] = True
        for node in range(1, len(self.names)):  # parents come first
            allowed[node] |= allowed[self.parents[node]]
        return allowed[self.leaves]

    def decode(self, file: str | Path) -> np.ndarray[Any, Any]:
        """A picture as the model takes it: uint8 [height, width, 3], upright, on white."""
        with Image.open(file) as picture:
            if self.draft:
                picture.draft(cast("Any", None), (self.draft, self.draft))
            upright = ImageOps.exif_transpose(picture)
            if "A" in upright.getbands() or "transparency" in upright.info:
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
            return np.asarray(upright.convert("RGB"))

    def run(self, images: np.ndarray[Any, Any], inputs: Mapping[str, Any] | None = None) -> Arrays:
        """The outputs by name for a batch of images of one size; inputs that are missing have the run's values."""
        feed: Arrays = {self.first: images}
        for given in self.session.get_overridable_initializers():
            if inputs and given.name in inputs:
                kind = bool if given.type == "tensor(bool)" else np.float64
                feed[given.name] = np.asarray(inputs[given.name], dtype=kind)
        if unknown := set(inputs or ()) - set(feed):
            known = [given.name for given in self.session.get_overridable_initializers()]
            raise ValueError(f"expected an input among {known}, got {sorted(unknown)}")
        return dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))

    def rows(self, found: Arrays) -> list[dict[str, Any]]:
        """Outputs as one dictionary per image: label, path, probability, levels, the most probable leaf."""
        rows: list[dict[str, Any]] = []
        for image in range(len(found["leaf"])):
            leaf = int(found["leaf"][image])
            if leaf < 0:
                rows.append({"error": "the network's scores are not finite numbers, or no label is possible"})
                continue
            row: dict[str, Any] = {}
            if "chosen" in found:
                row["labels"] = ["/".join(self.path(int(v))) for v in np.flatnonzero(found["chosen"][image])]
            else:
                node = int(found["node"][image])
                row["label"] = self.names[node] or "root"
                row["label_path"] = "/".join(self.path(node))
                row["probability"] = float(np.exp(found["log_prob"][image]))
                row["levels"] = {
                    name: [self.names[v], float(np.exp(p))]
                    for name, v, p in zip(
                        self.level_names, found["level_node"][image], found["level_log_prob"][image], strict=True
                    )
                    if v > 0
                }
            if "new" in found:
                row["new"] = bool(found["new"][image])
            row["leaf_path"] = "/".join(self.path(leaf))
            row["leaf_probability"] = float(np.exp(found["leaf_log_prob"][image]))
            rows.append(row)
        return rows

    def answer(self, files: Sequence[str | Path], inputs: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """One dictionary per picture file, in order."""
        return [{"path": str(file)} | self.rows(self.run(self.decode(file)[None], inputs))[0] for file in files]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line of JSON per picture."""
    parser = argparse.ArgumentParser(description="Answers of an exported run.")
    parser.add_argument("model")
    parser.add_argument("images", nargs="*")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a number of the rule")
    parser.add_argument("--allowed", help="a file with one possible label per line, or labels joined by commas")
    given = parser.parse_args(arguments)
    reader = Reader(given.model)
    if not given.images:
        hidden = ("taxonomy",)
        print(json.dumps({key: value for key, value in reader.about.items() if key not in hidden}, indent=1))
        return
    inputs: dict[str, Any] = {name: float(value) for name, value in (entry.split("=", 1) for entry in given.set)}
    if given.allowed:
        file = Path(given.allowed)
        labels = file.read_text(encoding="utf-8").splitlines() if file.is_file() else given.allowed.split(",")
        inputs["allowed"] = reader.leaves_under(label.strip() for label in labels if label.strip())
    for row in reader.answer(given.images, inputs):
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
