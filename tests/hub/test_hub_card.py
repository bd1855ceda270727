"""Model cards: every figure is one of an evaluation, and the hub's own reader takes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from cladewise import Run
from cladewise.hub import CardFacts, share
from cladewise.hub.card import evaluations_of


def test_a_card_has_the_measured_figures(run_folder: Path, tmp_path: Path) -> None:
    facts = CardFacts(
        repo="jane/colours", license="apache-2.0", datasets=["jane/squares"], limits=["Only squares."], tags=["squares"]
    )
    copy = share(run_folder, tmp_path / "copy", card=facts)
    card = ModelCard.load(copy.path / "README.md")
    about = card.data.to_dict()
    assert about["library_name"] == "cladewise"
    assert about["pipeline_tag"] == "image-classification"
    assert about["license"] == "apache-2.0"
    assert about["datasets"] == ["jane/squares"]
    assert {"hierarchical-classification", "hxe", "squares"} <= set(about["tags"])
    run = Run.open(run_folder)
    evaluations = {each.decision: each for each in evaluations_of(run)}
    assert set(evaluations) == {"leaf", "majority", "hedging-0.8"}
    shown = {result.metric_type: result.metric_value for result in card.data.eval_results or ()}
    own = evaluations["leaf"]
    assert shown["accuracy"] == pytest.approx(own.top1, abs=1e-6)
    assert shown["correct"] == pytest.approx(own.correct, abs=1e-6)
    for decision, evaluation in evaluations.items():
        assert f"{100 * evaluation.correct:.1f}%" in card.text, decision
        assert evaluation.verdict in card.text
    assert "hf://jane/colours" in card.text
    assert "Only squares." in card.text
    assert "80% guarantee" in card.text.partition("## Promises")[2]
    assert f"{run.taxonomy.num_leaves} leaves" in card.text
    with Image.open(copy.path / "operating.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
    assert "](operating.png)" in card.text
    assert not re.search(r"\n{3}", card.text)
    assert "{{" not in card.text
    assert "{%" not in card.text


def test_names_of_the_data_are_no_markup(run_folder: Path, tmp_path: Path) -> None:
    config = run_folder / "config.toml"
    name = 'a|b <script>alert(1)</script> *x* `y`: "z"'
    text = re.sub(r'(\[images\]\nname = )"[^"]*"', lambda found: f"{found[1]}'{name}'", config.read_text())
    config.write_text(text)
    copy = share(run_folder, tmp_path / "copy", card=CardFacts(title="# a\n\n| b"))
    card = ModelCard.load(copy.path / "README.md")
    assert "<script>" not in card.text
    assert "\n# \\# a \\| b\n" in "\n" + card.text
    assert (card.data.eval_results or ())[0].dataset_name == name
