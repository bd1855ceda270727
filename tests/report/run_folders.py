"""Writes run folders as docs/architecture.md describes them, with made-up answers on drawn pictures."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomli_w
from PIL import Image, ImageDraw

from cladewise import Taxonomy
from cladewise.records import counts, explanations
from cladewise.records.explanations import OF_FILES, ExplainedImage, Explanations, LevelMap
from cladewise.records.layout import SCHEMA_VERSION, RunFolder
from cladewise.records.plates import Measure, NumberTable, Plate, Plates, write_plates
from cladewise.records.transitions import Order, Transitions, write_transitions

Sequences = list[tuple[list[int], list[float]]]
SEQUENCES: dict[tuple[Any, ...], Sequences] = {}
CURVES: dict[tuple[Any, ...], dict[str, list[float | None]]] = {}
TEMPLATES: dict[tuple[Any, ...], Path] = {}
"""Runs that were made up already, by what they were made from."""

PATHS = [
    ("animals", "birds", "warbler <b>&amp;</b>"),
    ("animals", "birds", 'wren "house"'),
    ("animals", "birds", "heron"),
    ("animals", "cats", "lynx 🐈"),
    ("animals", "cats", "חתול"),
    ("animals", "slug"),
    ("food", "fruit", "apple"),
    ("food", "fruit", "pear"),
    ("food", "fruit", "cherry"),
    ("food", "bread", "bread"),
    ("food", "</script><script>alert(1)</script>"),
]


def small_taxonomy() -> Taxonomy:
    """Ragged, with a single-child chain, a repeated name, and names that HTML must not take at their word."""
    return Taxonomy.from_paths(PATHS, level_names=["kingdom", "family", "species"])


@dataclasses.dataclass(frozen=True)
class Images:
    """Test images: where they are, and their nodes. Every ninth label is an internal node."""

    root: Path
    paths: list[str]
    target: np.ndarray


def draw_images(root: Path, taxonomy: Taxonomy, per_leaf: int = 6, *, drawn: bool = True) -> Images:
    paths: list[str] = []
    target: list[int] = []
    root.mkdir(parents=True, exist_ok=True)
    for position, leaf in enumerate(taxonomy.leaf_nodes.tolist()):
        for number in range(per_leaf):
            paths.append(f"{leaf:03d}/{number:02d} <i>&.jpg")
            internal = (position * per_leaf + number) % 9 == 8
            target.append(int(taxonomy.parents[leaf]) if internal else leaf)
            if drawn:
                _draw(root / paths[-1], position, number)
    return Images(root, paths, np.array(target))


def _draw(file: Path, position: int, number: int) -> None:
    file.parent.mkdir(exist_ok=True)
    hue = (position * 47) % 256
    image = Image.new("HSV", (200, 150), (hue, 60, 235)).convert("RGB")
    corners = (40 + 6 * number, 30, 120 + 8 * number, 120)
    shape = ImageDraw.Draw(image)
    (shape.ellipse if position % 2 else shape.rectangle)(
        corners, fill=(hue, 90, 255 - hue), outline=(40, 40, 40), width=4
    )
    image.save(file, quality=85)


@dataclasses.dataclass(frozen=True)
class RunMaker:
    """Writes runs over the same images into one parent folder, from templates that all tests share."""

    parent: Path
    taxonomy: Taxonomy
    images: Images
    templates: Path

    def write(self, name: str, **settings: Any) -> Path:
        """A run as :meth:`make` writes it; equal settings are made up once and copied from then on."""
        arrays = {name: np.asarray(settings[name]).tolist() for name in ("predicted", "confidence") if name in settings}
        values = {name: repr(value) for name, value in {**settings, **arrays}.items()}
        key = (self.taxonomy.fingerprint, *self.images.paths, self.images.target.tobytes(), *sorted(values.items()))
        if key not in TEMPLATES:
            TEMPLATES[key] = self.make(tempfile.mkdtemp(dir=self.templates), **settings)
        return Path(shutil.copytree(TEMPLATES[key], self.parent / name))

    def make(
        self,
        folder: str | Path,
        *,
        method: str = "flat-softmax",
        seed: int = 0,
        skill: float = 0.6,
        options: Mapping[str, Any] | None = None,
        decision: str = "leaf",
        predicted: Sequence[int] | None = None,
        confidence: Sequence[float] | None = None,
        config: Mapping[str, Any] | None = None,
        epochs: int = 8,
        with_operating: bool = True,
    ) -> Path:
        """A run with the given answers, or with made-up ones of which about the share ``skill`` is right.

        Without operating points it is as a version wrote it that knew none.
        """
        folder = RunFolder(Path(folder))
        answers = self._answers(method, seed, skill) if predicted is None else np.asarray(predicted)
        generator = np.random.default_rng([seed, 3])
        log_prob = np.log(generator.uniform(0.2, 1, answers.size) if confidence is None else np.asarray(confidence))
        resolved = {
            "schema_version": SCHEMA_VERSION,
            "cladewise": "0.1.0",
            "name": "",
            "seed": seed,
            "images": {"name": "toys <&>", "root": str(self.images.root), "credit": "Drawn & 'free'"},
            "data": {"kind": "folder"},
            "method": {"name": method, **(options or {})},
            "backbone": {"name": "efficientnet_lite0", "freeze": True},
            "training": {"epochs": epochs, "lr": 0.001},
        } | dict(config or {})
        folder.config.write_text(tomli_w.dumps(resolved), encoding="utf-8")
        self.taxonomy.write(folder.taxonomy, format="nodes")
        folder.log.write_text(
            "".join(json.dumps(event) + "\n" for event in self._events(epochs, seed)) + '{"event": "ep'
        )
        sequences = made_up_sequences(self.taxonomy, self.images.target, seed, skill) if with_operating else None
        self.evaluate(folder, answers, log_prob, decision, sequences=sequences)
        return folder.path

    def write_inference(
        self, path: Path, inference: str, *, skill: float, seed: int = 0, decision: str = "leaf"
    ) -> None:
        """Another evaluation of a run, by an inference with made-up answers of its own."""
        answers = self._answers(inference, seed, skill)
        sequences = made_up_sequences(self.taxonomy, self.images.target, seed, skill)
        self.evaluate(
            RunFolder(path), answers, np.zeros(answers.size), decision, inference=inference, sequences=sequences
        )

    def evaluate(
        self,
        folder: RunFolder,
        answers: np.ndarray,
        log_prob: np.ndarray,
        decision: str,
        split: str = "test",
        *,
        inference: str = "none",
        sequences: list[tuple[list[int], list[float]]] | None = None,
    ) -> None:
        columns = self.metric_columns(answers)
        if sequences is not None:
            columns |= self.information_columns(answers)
        level_means = [np.nanmean(values) for name, values in columns.items() if name.startswith("level_accuracy/")]
        metrics = {name: _entry(values) for name, values in columns.items()}
        metrics["level_accuracy"] = {
            "value": float(np.mean(level_means)),
            "low": 0.0,
            "high": 1.0,
            "count": answers.size,
        }
        curves: dict[str, Any] = {}
        if sequences is not None:
            curves = {
                "operating": operating_curve(self.taxonomy, self.images.target, sequences),
                "reliability": made_up_reliability(self.taxonomy, answers.size, errors=1 - columns["top1"].mean()),
            }
            recall, correct = curves["operating"]["recall"], curves["operating"]["correct"]
            aggregates = {"ap": recall[-1], "ac": correct[-1] * recall[-1], "r@90": 0.5, "r@95": 0.4}
            aggregates |= {"majority_f1": 0.7, "leaf_f1": 0.75, "leaf_top1": correct[-1]}
            aggregates |= {f"ece/{level}": 0.01 * place for place, level in enumerate(curves["reliability"], start=1)}
            for name, value in aggregates.items():
                metrics[name] = {"value": value, "low": None, "high": None, "count": answers.size}
        summary = {
            "schema_version": SCHEMA_VERSION,
            "split": split,
            "inference": inference,
            "decision": decision,
            "num_images": answers.size,
            "num_skipped": 2,
            "fingerprint": self.taxonomy.fingerprint,
            "metrics": metrics,
            "curves": curves,
        }
        file = folder.evaluation(split, inference, decision)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(summary), encoding="utf-8")
        lca = self.taxonomy.lca(self.images.target, answers)
        outcome = {"path": self.images.paths, "target": self.images.target, "predicted": answers, "lca": lca}
        frame = pl.DataFrame(outcome | {"confidence": log_prob} | columns)
        if sequences is not None:
            nodes, log_probs = zip(*sequences, strict=True)
            frame = frame.with_columns(
                pl.Series("operating_nodes", nodes, dtype=pl.List(pl.Int64)),
                pl.Series("operating_log_probs", log_probs, dtype=pl.List(pl.Float32)),
            )
        frame.write_parquet(folder.outcomes(split, inference, decision))

    def write_counts(self, path: Path, num_images: Mapping[str, np.ndarray]) -> None:
        """The counts of a run, from the images of every node by split."""
        counts.write_counts(
            RunFolder(path).counts,
            {split: np.repeat(np.arange(number.size), number) for split, number in num_images.items()},
        )

    def write_transitions(
        self,
        path: Path,
        *,
        order: Order = "f2c",
        leak: float = 0.1,
        seed: int = 0,
        levels: Sequence[int] = (),
        known: Taxonomy | None = None,
    ) -> dict[int, np.ndarray]:
        """Transition matrices that follow the tree but for a made-up leak; ``known`` is the tree of the network."""
        levels = tuple(levels) or tuple(range(1, self.taxonomy.num_levels + 1))
        generator, means = np.random.default_rng(seed), {}
        for coarse, fine in itertools.pairwise(levels):
            rows, columns = self.taxonomy.level_nodes(coarse), self.taxonomy.level_nodes(fine)
            inside = rows[:, None] == self.taxonomy.at_level(coarse)[columns][None]
            matrix = (1 - leak) * inside + leak * generator.uniform(size=inside.shape)
            matrix /= matrix.sum(axis=0 if order == "f2c" else 1, keepdims=True)
            means[coarse] = matrix.astype(np.float32)
        kept = Transitions(order, levels, means, 66, {"taxonomy": (known or self.taxonomy).fingerprint})
        write_transitions(RunFolder(path).transitions("test"), kept, self.taxonomy)
        return means

    def write_explanations(self, path: Path, *, split: str = "test", rows: Sequence[int] = (0, 8, 20)) -> Explanations:
        """Pictures of single colours that stand for maps; every second image is answered with its label."""
        folder = RunFolder(path).explanations(split).parent
        folder.mkdir(parents=True)
        explained = []
        for place, row in enumerate(rows):
            label = int(self.images.target[row])
            maps = [self._level_map(folder, place, level, label) for level in range(1, self.taxonomy.num_levels + 1)]
            Image.new("RGB", (64, 64), (90, 120, 200)).save(folder / f"{place:04d}.webp")
            true = None if split == OF_FILES else label
            explained.append(ExplainedImage(self.images.paths[row], true, f"{place:04d}.webp", tuple(maps)))
        made = Explanations(
            split=split,
            method="grad-cam",
            target="predicted",
            layers={1: "layer4"},
            model="0",
            fingerprint=self.taxonomy.fingerprint,
            images=tuple(explained),
            skipped=(("broken.png", "an empty file"),),
        )
        explanations.write_explanation_index(folder / "index.json", made)
        return made

    def write_plates(self, path: Path, *, kind: str = "manifolds", model: str = "0", shift: float = 0.0) -> Plates:
        """A drawing of one colour, a table of two measures by level, and a file of data."""
        index, levels = RunFolder(path).plates(kind, "test"), self.taxonomy.level_names
        index.parent.mkdir(parents=True)
        Image.new("RGB", (64, 48), (90, 120, 200)).save(index.parent / "dots.png")
        (index.parent / "dots.svg").write_text("<svg/>")
        (index.parent / "pairs.csv").write_text("first,second\n")
        measures = (Measure("purity", "Of <neighbours>.", "higher"), Measure("images", ""))
        values = tuple((0.5 + shift + place / 10, 60.0) for place in range(len(levels)))
        made = Plates(
            kind=kind,
            split="test",
            title="Where images lie",
            about="Dots & names.",
            model=model,
            fingerprint=self.taxonomy.fingerprint,
            plates=(Plate("dots", "Dots <1>", "A dot an image.", "Dots in a plane"),),
            tables=(NumberTable("overlap", "Overlap", "60 images", "level", levels, measures, values),),
            data=("pairs.csv",),
        )
        write_plates(index, made)
        return made

    def _level_map(self, folder: Path, place: int, level: int, label: int) -> LevelMap:
        nodes = self.taxonomy.level_nodes(level)
        answer = int(self.taxonomy.at_level(level)[label]) if place % 2 == 0 else int(nodes[-1])
        file = f"{place:04d}-{level}.webp"
        Image.new("RGB", (64, 64), (200, 60 * level, 20)).save(folder / file)
        return LevelMap(level, answer, answer, -0.1 * level, file, is_blank=level == 3)

    def information_columns(self, answers: np.ndarray) -> dict[str, np.ndarray]:
        """How specific and how correct each answer is."""
        recall, precision, correct = np.array(
            [worth(self.taxonomy, *pair) for pair in zip(self.images.target.tolist(), answers.tolist(), strict=True)]
        ).T
        f1 = np.divide(2 * recall * precision, recall + precision, out=np.zeros_like(recall), where=recall > 0)
        return {"info_recall": recall, "info_precision": precision, "info_f1": f1, "correct": correct}

    def metric_columns(self, answers: np.ndarray) -> dict[str, np.ndarray]:
        """Some of the metrics, by their definitions."""
        tree, target = self.taxonomy, self.images.target
        lca = tree.lca(target, answers)
        distance = np.where(lca == target, 0.0, tree.height[lca])
        columns = {
            "top1": (lca == target).astype(float),
            "severity": np.where(lca == target, np.nan, distance),
            "hd@1": distance,
        }
        for level, name in enumerate(tree.level_names, start=1):
            representative = tree.at_level(level)
            correct = (representative[target] == representative[answers]).astype(float)
            unsaid = ~tree.is_leaf[target] & (tree.level[target] < level)
            columns[f"level_accuracy/{name}"] = np.where(unsaid, np.nan, correct)
        return columns

    def _answers(self, method: str, seed: int, skill: float) -> np.ndarray:
        """Right with probability ``skill``, else a sibling or anything; images hard for one method are for all."""
        tree, target = self.taxonomy, self.images.target
        hardness = np.random.default_rng(1).uniform(size=target.size)
        own = np.random.default_rng([seed, len(method)])
        right = hardness + own.normal(0, 0.12, target.size) < skill
        anything = own.choice(tree.leaf_nodes, target.size)
        parent = tree.parents[target]
        first = tree.leaf_nodes[tree.leaf_start[parent]]
        return np.where(right, target, np.where(own.uniform(size=target.size) < 0.5, first, anything))

    def _events(self, epochs: int, seed: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = [
            {"event": "skipped", "path": "broken/<x>.png", "reason": "truncated after 12 bytes"},
            {"event": "skipped", "path": "empty.gif", "reason": "empty file"},
            {"event": "warning", "text": "3 classes have no training image"},
        ]
        for epoch in range(epochs):
            loss = 3.0 * 0.8**epoch + 0.02 * seed
            events.append(
                {
                    "event": "epoch",
                    "epoch": epoch,
                    "train_loss": loss,
                    "val_loss": 1.1 * loss,
                    "val_top1": 0.7 - 0.6 * 0.75**epoch,
                    "lr": 1e-3,
                    "seconds": 1.5,
                }
            )
        return events


def information(tree: Taxonomy, node: int) -> float:
    """Bits that a node tells of a leaf."""
    leaves_under = sum(tree.is_leaf[other] for other in range(node, tree.end[node]))
    return float(np.log2(tree.num_leaves / leaves_under))


def worth(tree: Taxonomy, target: int, answer: int) -> tuple[float, float, float]:
    """Information recall, precision and correctness of one answer."""
    lca = int(tree.lca(np.array([target]), np.array([answer]))[0])
    answer = target if lca == target else answer
    shared, wanted, given = (information(tree, node) for node in (lca, target, answer))
    return shared / wanted if wanted else 1.0, shared / given if given else 1.0, float(lca in (target, answer))


def made_up_sequences(tree: Taxonomy, target: np.ndarray, seed: int, skill: float) -> Sequences:
    """As :func:`_sequences`, once for equal arguments: many runs differ in something else."""
    key = (tree.fingerprint, target.tobytes(), seed, skill)
    if key not in SEQUENCES:
        SEQUENCES[key] = _sequences(tree, target, seed, skill)
    return SEQUENCES[key]


def _sequences(tree: Taxonomy, target: np.ndarray, seed: int, skill: float) -> Sequences:
    """For each image the nodes that answer it as the threshold falls, with their log-probabilities.

    The leaves have random scores, raised where they lie near the label.
    """
    generator = np.random.default_rng([seed, int(100 * skill)])
    bits = [information(tree, node) for node in range(tree.num_nodes)]
    nontrivial = [node for node in range(tree.num_nodes) if len(tree.children(node)) != 1]
    sequences = []
    for label in target.tolist():
        score = generator.gumbel(size=tree.num_leaves)
        for node in tree.path(label)[1:]:
            score[tree.leaf_start[node] : tree.leaf_start[node] + _num_leaves(tree, node)] += 5 * skill**2
        leaf = np.exp(score - np.logaddexp.reduce(score))
        mass = [
            leaf[tree.leaf_start[node] : tree.leaf_start[node] + _num_leaves(tree, node)].sum()
            for node in range(tree.num_nodes)
        ]
        nodes: list[int] = []
        for node in sorted(nontrivial, key=lambda node: (-round(mass[node], 12), -bits[node])):
            if not nodes or bits[node] > bits[nodes[-1]]:
                nodes.append(node)
        sequences.append((nodes, [min(0.0, float(np.log(mass[node]))) for node in nodes]))
    return sequences


def _num_leaves(tree: Taxonomy, node: int) -> int:
    return int(tree.is_leaf[node : tree.end[node]].sum())


def operating_curve(tree: Taxonomy, target: np.ndarray, sequences: Sequences) -> dict[str, list[float | None]]:
    """As :func:`_operating_curve`, once for equal arguments."""
    key = (tree.fingerprint, target.tobytes(), repr(sequences))
    if key not in CURVES:
        CURVES[key] = _operating_curve(tree, target, sequences)
    return CURVES[key]


def _operating_curve(tree: Taxonomy, target: np.ndarray, sequences: Sequences) -> dict[str, list[float | None]]:
    """The points of a curve, by answering all images at each threshold anew."""
    probabilities = [np.exp(np.float32(log_probs)) for _, log_probs in sequences]
    thresholds = sorted({float(p) for each in probabilities for p in each[1:]}, reverse=True)[::7]
    curve: dict[str, list[float | None]] = {"threshold": [], "recall": [], "precision": [], "correct": []}
    for threshold in [None, *thresholds, 0.0]:
        answers = [
            nodes[0 if threshold is None else max(0, int((each >= threshold).sum()) - 1)]
            for (nodes, _), each in zip(sequences, probabilities, strict=True)
        ]
        values = np.mean([worth(tree, *pair) for pair in zip(target.tolist(), answers, strict=True)], axis=0)
        for name, value in zip(curve, (threshold, *values.tolist()), strict=True):
            curve[name].append(value)
    return curve


def made_up_reliability(
    tree: Taxonomy, num_images: int, errors: float
) -> dict[str, dict[str, list[float | int | None]]]:
    """Fifteen bins a level, the first three empty, the answers too sure, and more so where there are more errors."""
    centre = (np.arange(15) + 0.5) / 15
    content = {}
    for place, level in enumerate(tree.level_names):
        there = np.arange(15) >= 3
        accuracy = centre ** (1 + errors * (1 + place))
        content[level] = {
            "confidence": [float(value) if kept else None for value, kept in zip(centre, there, strict=True)],
            "accuracy": [float(value) if kept else None for value, kept in zip(accuracy, there, strict=True)],
            "count": [int(num_images // 12) if kept else 0 for kept in there],
        }
    return content


def _entry(values: np.ndarray) -> dict[str, float | int]:
    value = float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
    return {"value": value, "low": value, "high": value, "count": int((~np.isnan(values)).sum())}
