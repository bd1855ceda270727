"""Exported runs beside the runs in torch: equal answers, time of an export, size of the file, time per image.

    python benchmarks/export.py RUN [RUN ...] [--decision leaf] [--decision hedging:guarantee=0.9] [--images 256]
    python benchmarks/export.py RUN [RUN ...] --formats [--decision leaf] [--images 256]
    python benchmarks/export.py --tree 10000 --depth 40

Every run is exported under every rule, from decoded images on, and compared with the code that `cladewise predict` uses
on images of its test split. Time per image is that of the file, images one by one on one thread, and its share of the
time that the same images take in torch from the decoded picture to the answer. The second form has one row per format
and precision of the encoder, whatever they lose; from pixels on, torch alone spends time on resizing. The third form
exports untrained heads on a made-up tree, from features on. Processor time is given as well: other work on the machine
disturbs it less.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

import cladewise as cw
from cladewise import Taxonomy, decisions, methods
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.exporting import FORMATS, Precision, RunGraph, format_of
from cladewise.exporting.graph import Rules, Start
from cladewise.taxonomy.alteration import Alteration

RULES = ("leaf", "threshold:threshold=0.8", "plurality", "expected-information", "greedy:threshold=0.5", "hedging")
METHODS = ("flat-softmax", "hace", "conditional-sigmoid", "level-softmax")
FEATURES = 64


@dataclasses.dataclass
class Row:
    run: str
    rule: str
    nodes: int
    answers: str
    largest: float
    seconds: float
    megabytes: float
    per_image: float
    share: float

    def __str__(self) -> str:
        cells = [self.run, f"`{self.rule}`", f"{self.nodes:,}", self.answers, f"{self.largest:.1e}"]
        cells += [f"{self.seconds:.0f}", f"{self.megabytes:.1f}", f"{1000 * self.per_image:.1f}", f"{self.share:.2f}"]
        return "| " + " | ".join(cells) + " |"


HEADER = """\
| run | rule | operators | equal answers | largest difference, nats | export, CPU s | MB | ms per image | of torch |
|---|---|---|---|---|---|---|---|---|"""


def of_run(run: Path, rule: str, images: int, folder: Path) -> Row:
    """Export one run under one rule."""
    start = time.process_time()
    done = cw.export(run, out=folder / "model.onnx", decision=rule, images=images, progress=False)
    spent = time.process_time() - start - done.checked.images * (done.checked.seconds + done.checked.torch_seconds)
    checked = done.checked
    answers = checked.images + checked.batch
    equal = f"{answers - checked.different - checked.at_threshold} of {answers}"
    if checked.at_threshold:
        equal += f", {checked.at_threshold} on the threshold"
    nodes = len(onnx.load(str(done.file)).graph.node)
    share = checked.seconds / checked.torch_seconds
    return Row(run.name, rule, nodes, equal, checked.largest, spent, done.megabytes, checked.seconds, share)


FORMATS_HEADER = """\
| run | format | encoder | equal answers | accuracy, in fp32 | tree distance, in fp32 | MB | ms per image | of torch |
|---|---|---|---|---|---|---|---|---|"""


def of_format(run: Path, rule: str, to: str, precision: Precision, images: int, folder: Path, start: Start) -> str:
    """Export one run to one format in one precision."""
    file = folder / f"model{format_of(to).suffix}"
    options: dict[str, Any] = {"precision": precision, "start": start, "images": images, "least_equal": 0.0}
    done = cw.export(run, to=to, out=file, decision=rule, progress=False, **options)
    checked, loss = done.checked, done.loss
    cells = [run.name, to, precision]
    if loss is None:
        cells += [f"{1 - checked.different / (checked.images + checked.batch):.3f}", "", ""]
    else:
        cells.append(f"{loss.equal:.3f} ± {loss.error or 0:.3f}")
        for change in (loss.node, loss.distance):
            cells.append("" if change is None else f"{change.after:.3f}, {change.before:.3f} ± {change.error or 0:.3f}")
    cells += [
        f"{done.megabytes:.1f}",
        f"{1000 * checked.seconds:.1f}",
        f"{checked.seconds / checked.torch_seconds:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def of_tree(tree: Taxonomy, method: str, folder: Path) -> Row:
    """Export an untrained head on a large tree, from features on, under hedging."""
    torch.manual_seed(0)
    head = methods.make(method).head(tree, FEATURES).eval()
    classifier = Classifier(head, scaling=FeatureScaling("none", FEATURES))
    rule = decisions.Hedging(caution=3.0)
    graph = RunGraph(classifier, Rules(None, rule, AnswerTree(Alteration.none(tree))), start="features")
    graph.input_shape = (FEATURES,)
    file, form = folder / "head.onnx", format_of("onnx")
    start = time.process_time()
    form.write(graph, file, {})
    spent, session = time.process_time() - start, form.open(file)
    given = 3 * torch.randn(32, FEATURES)
    with torch.inference_mode():
        began = time.process_time()
        prediction = head(given).settled()
        wanted = rule(prediction)
        in_torch = time.process_time() - began
    session({"features": given.numpy()})
    began = time.process_time()
    got = session({"features": given.numpy()})
    taken = time.process_time() - began
    equal = int((got["node"] == wanted.node.numpy()).sum())
    apart = float(np.abs(got["log_prob"] - wanted.log_prob.numpy()).max())
    nodes, size = len(onnx.load(str(file)).graph.node), file.stat().st_size / 1e6
    return Row(method, rule.handle, nodes, f"{equal} of 32", apart, spent, size, taken / 32, taken / in_torch)


def made_up(leaves: int, depth: int) -> Taxonomy:
    """A tree of so many leaves, of which a hundredth lie at the depth and the others four levels down."""
    deep = leaves // 100
    paths = [(f"o{i // 1000}", f"f{i // 100}", f"g{i // 10}", f"s{i}") for i in range(leaves - deep)]
    chain = tuple(f"d{k}" for k in range(1, depth))
    return Taxonomy.from_paths([*paths, *((*chain, f"x{i}") for i in range(deep))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--decision", action="append")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--formats", action="store_true", help="one row per format and precision of the encoder")
    parser.add_argument("--from", dest="start", choices=("images", "pixels"), default="images", help="with --formats")
    parser.add_argument("--tree", type=int, help="number of leaves of a made-up tree")
    parser.add_argument("--depth", type=int, default=40)
    parser.add_argument("--method", action="append")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(FORMATS_HEADER if given.formats else HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for run in given.runs if given.formats else ():
            for rule in given.decision or RULES[:1]:
                for to in FORMATS:
                    for precision in format_of(to).precisions:
                        print(of_format(run, rule, to, precision, given.images, Path(folder), given.start), flush=True)
        for run in () if given.formats else given.runs:
            for rule in given.decision or RULES:
                print(of_run(run, rule, given.images, Path(folder)), flush=True)
        if given.tree:
            tree = made_up(given.tree, given.depth)
            for method in given.method or METHODS:
                print(of_tree(tree, method, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
