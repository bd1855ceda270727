"""The model card of a shared run, filled from its configuration, tree and measured evaluations."""

from __future__ import annotations

import dataclasses
import html
import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cladewise.atomic import write_text
from cladewise.engine import Run
from cladewise.hub.operating_picture import operating_picture
from cladewise.records import Evaluation, read_evaluation
from cladewise.records.counts import read_counts
from cladewise.records.evaluation import NO_INFERENCE
from cladewise.records.metric_names import metric_text
from cladewise.records.promises import in_words
from cladewise.records.reading import read_toml
from cladewise.statistics import Interval
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.outline import draw_tree, size_line

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

README, PICTURE = "README.md", "operating.png"
SHOWN = ("correct", "specificity", "leaf_answers", "leaf_top1", "top1", "severity", "ap")
"""Metrics in the table of evaluations, as far as they were measured."""
_HUB_NAMES = {"top1": "accuracy"}
"""Names that the hub has for metrics of the same meaning."""
_MOST_EVALUATIONS = 20
_DEPTH, _CHILDREN, _OUTLINE_LINES = 3, 6, 60
_YAML_SAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclasses.dataclass(frozen=True)
class CardFacts:
    """Facts for a model card that are not recorded in a run.

    Args:
        repo: Repository on the hub, as in ``user/name``.
        name: Name of the model; by default that of the repository, or of the run folder.
        title: Heading; by default the method and the data.
        license: Identifier of the licence of the weights, as on the hub: ``apache-2.0``.
        datasets: Repositories of the data on the hub.
        intended: What the run is for.
        limits: Further limits, one sentence each.
        tags: Further tags.
    """

    repo: str = ""
    name: str = ""
    title: str = ""
    license: str = ""
    datasets: Sequence[str] = ()
    intended: str = ""
    limits: Sequence[str] = ()
    tags: Sequence[str] = ()


def model_card(run: Run, facts: CardFacts, *, has_scores: bool = False, picture: str = "") -> str:
    """The text of a model card: YAML for the hub, then Markdown for people.

    Every figure in it is of an evaluation in the run folder.

    Args:
        run: A run whose folder has its evaluations.
        facts: Facts that are not recorded in the run.
        has_scores: Whether scores of images are shared.
        picture: File of the operating curve; empty if there is none.
    """
    import jinja2

    evaluations = evaluations_of(run)
    template = (Path(__file__).parent / "templates" / "card.md").read_text(encoding="utf-8")
    text = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined).from_string(
        template
    )
    config = read_toml(run.folder.config, "a run's configuration", advice="Train the run again.")
    images = config.get("images", {})
    body = text.render(
        title=_plain(_title(run, facts, images)),
        summary=_summary(run, images),
        address=f"hf://{facts.repo or 'user/name'}",
        intended=facts.intended,
        limits=[*map(_plain, facts.limits)],
        license_text=f"Licence of the weights: `{facts.license}`." if facts.license else "The licence is not stated.",
        credit=_plain(str(images.get("credit", ""))) or "The source of the data is not recorded.",
        picture=picture,
        has_scores=has_scores,
        images=_images(run),
        training=_training(run, images),
        **_of_tree(run.taxonomy),
        **_of_evaluations(run, evaluations),
    )
    body = re.sub(r"\n{3,}", "\n\n", body).strip() + "\n"
    about = _about(run, facts, evaluations, images)
    return f"---\n{about.to_yaml()}\n---\n\n{body}"


def write_card(run: Run, facts: CardFacts, *, has_scores: bool = False) -> None:
    """Write the model card and the picture of the operating curve into the folder of a run."""
    from cladewise.drawing.paper import save_picture

    evaluations = evaluations_of(run)
    shown = _shown_first(run, evaluations)
    figure = None
    if shown is not None:
        same = [each for each in evaluations if (each.split, each.inference) == (shown.split, shown.inference)]
        figure = operating_picture(shown, same)
    if figure is not None:
        save_picture(figure, run.path / PICTURE)
    write_text(run.path / README, model_card(run, facts, has_scores=has_scores, picture=PICTURE if figure else ""))


def evaluations_of(run: Run) -> list[Evaluation]:
    """Evaluations of a run in the tree that it answers in and with its present weights, the test split first."""
    found = [read_evaluation(file) for file in sorted(run.folder.evaluations().glob("*.json"))]
    kept = [each for each in found if not each.model or each.model == run.model_hash]
    return sorted(kept, key=lambda each: (each.split != "test", each.split))


# ---------------------------------------------------------------------- the parts


def _shown_first(run: Run, evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """The evaluation of the run's own rules, or else the first one."""
    own = read_toml(run.folder.config, "a run's configuration", advice="Train the run again.")
    rules = str(own.get("inference", NO_INFERENCE)), str(own.get("decision", ""))
    return next((each for each in evaluations if (each.inference, each.decision) == rules), None) or next(
        iter(evaluations), None
    )


def _title(run: Run, facts: CardFacts, images: Mapping[str, Any]) -> str:
    return facts.title or run.config.name or f"{run.method.title} on {images.get('name', 'images')}"


def _summary(run: Run, images: Mapping[str, Any]) -> str:
    tree, config = run.taxonomy, run.config
    how = "a head on frozen features of" if config.backbone.freeze else "trained end to end with"
    return (
        "Hierarchical image classification with cladewise: "
        f"{_plain(run.method.title)} over a tree of {tree.num_nodes:,} nodes and {tree.num_leaves:,} leaves, "
        f"{how} `{config.backbone.name}`, trained on {_plain(str(images.get('name', 'images')))}."
    )


def _of_tree(tree: Taxonomy) -> dict[str, Any]:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=100, no_color=True, color_system=None, emoji=False, highlight=False).print(
        draw_tree(tree, depth=_DEPTH, max_children=_CHILDREN)
    )
    lines = [line.rstrip().replace("```", "'''") for line in out.getvalue().splitlines()]
    if len(lines) > _OUTLINE_LINES:
        lines = [*lines[:_OUTLINE_LINES], "..."]
    levels = [
        {"name": _plain(name), "nodes": f"{here.sum():,}", "leaves": f"{(here & tree.is_leaf).sum():,}"}
        for level, name in enumerate(tree.level_names, start=1)
        if (here := tree.level == level) is not None
    ]
    languages = ", ".join(sorted(name.removeprefix("name:") for name in tree.columns if name.startswith("name:")))
    above = int((~tree.is_leaf).sum())
    coarse = f"{above:,} of the nodes are internal: an answer there says that the run cannot tell what is below."
    size = _plain(size_line(tree))
    return {"size": size, "levels": levels, "outline": "\n".join(lines), "languages": languages, "coarse": coarse}


def _of_evaluations(run: Run, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    shown = _shown_first(run, evaluations)
    names = [name for name in SHOWN if any(name in each.metrics for each in evaluations)]
    listed = evaluations[:_MOST_EVALUATIONS]
    rows = [
        {
            "split": each.split,
            "inference": each.rules.get("inference", each.inference),
            "decision": each.rules.get("decision", each.decision),
            "cells": [_cell(name, each.metrics.get(name)) for name in names],
        }
        for each in listed
    ]
    numbers = {(each.split, each.num_images, "groups of images" if each.grouped_by else "images") for each in listed}
    sizes = ", ".join(f"{number:,} {unit} of {split}" for split, number, unit in sorted(numbers))
    texts = [f"{metric_text(name).title}: {metric_text(name).description}" for name in names]
    promises = [
        f"`{each.rules.get('decision', each.decision)}`, fitted on {_fitted_on(each)}: "
        + "; ".join(in_words(one, "group" if each.grouped_by else "image") for one in each.promises)
        for each in listed
        if each.promises
    ]
    curve = None if shown is None else shown.curves.operating
    picture_text = ""
    if curve is not None and shown is not None:
        picture_text = (
            f"Operating curve on {shown.split}: {100 * curve.correct[-1]:.1f}% right answers at "
            f"{100 * curve.recall[-1]:.1f}% information recall"
        )
    return {
        "evaluations": rows,
        "metric_titles": [metric_text(name).title for name in names],
        "metric_texts": texts,
        "measured_on": f"On {sizes}; 95% intervals in brackets." if sizes else "",
        "verdicts": [f"{each.split}, `{each.decision}`: {each.verdict}." for each in listed],
        "promises": promises,
        "picture_text": picture_text,
    }


def _fitted_on(evaluation: Evaluation) -> str:
    return ", ".join(dict.fromkeys(evaluation.fitted_on.values())) or "no split"


def _training(run: Run, images: Mapping[str, Any]) -> list[tuple[str, str]]:
    config = run.config
    options = ", ".join(f"{name}={value}" for name, value in config.options.items())
    source = run.method.citation
    rows = [
        ("data", _plain(str(images.get("name", "images")))),
        ("method", f"`{config.method}`" + (f" with {_plain(options)}" if options else "")),
        ("paper", f"{_plain(source.authors)}. [{_plain(source.title)}]({source.url}). {source.venue} {source.year}"),
        ("encoder", f"`{config.backbone.name}`, {'frozen' if config.backbone.freeze else 'trained'}"),
        ("epochs", str(config.training.epochs)),
        ("seed", str(config.seed)),
    ]
    if run.carried is not None:
        rows.append(("tree", "answers are carried over from the tree that the network was trained in"))
    return rows


def _images(run: Run) -> list[dict[str, str]]:
    if not run.folder.counts.is_file() or run.carried is not None:
        return []
    counts = read_counts(run.folder.counts, run.labelled_taxonomy.num_nodes)
    return [
        {"split": _plain(split), "images": f"{each.sum():,}", "nodes": f"{np.count_nonzero(each):,}"}
        for split, each in counts.items()
    ]


def _about(run: Run, facts: CardFacts, evaluations: Sequence[Evaluation], images: Mapping[str, Any]) -> ModelCardData:
    """The metadata of the card, with a result for each metric of the run's own rules on each split."""
    from huggingface_hub import EvalResult, ModelCardData

    name = _yaml(facts.name or facts.repo.rpartition("/")[2] or run.path.name)
    data = _yaml(str(images.get("name", "images"))) or "images"
    results: list[EvalResult] = []
    for split in dict.fromkeys(each.split for each in evaluations):
        shown = _shown_first(run, [each for each in evaluations if each.split == split])
        if shown is None:
            continue
        for metric in SHOWN:
            value = shown.value(metric)
            if not math.isnan(value):
                results.append(
                    EvalResult(
                        task_type="image-classification",
                        dataset_type=_yaml(facts.datasets[0]) if facts.datasets else data,
                        dataset_name=data,
                        dataset_split=_yaml(split),
                        metric_type=_HUB_NAMES.get(metric, metric),
                        metric_name=metric_text(metric).title,
                        metric_value=round(value, 6),
                    )
                )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ModelCardData(
            library_name="cladewise",
            pipeline_tag="image-classification",
            tags=["image-classification", "hierarchical-classification", "taxonomy", run.config.method, *facts.tags],
            license=facts.license or None,
            datasets=list(facts.datasets) or None,
            model_name=name,
            eval_results=results or None,
        )


def _cell(name: str, found: Interval | None) -> str:
    if found is None or math.isnan(found.value):
        return "–"
    scale, unit = (100.0, "%") if metric_text(name).is_share else (1.0, "")
    digits = 1 if unit else 3
    value = f"{scale * found.value:.{digits}f}{unit}"
    if math.isnan(found.low) or math.isnan(found.high):
        return value
    return f"{value} [{scale * found.low:.{digits}f}, {scale * found.high:.{digits}f}]"


def _plain(text: str) -> str:
    """A text of the data in Markdown: without markup, and in one line."""
    return re.sub(r"([\\`*_{}\[\]|#])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _yaml(text: str) -> str:
    return _YAML_SAFE.sub(" ", text).strip()
