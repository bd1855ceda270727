"""Runs of methods with words: zero-shot, from frozen features, and both towers end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backbones.tiny_towers import write_clip
from cladewise import engine
from cladewise.datasets import Dataset
from cladewise.engine import Run, predict
from cladewise.errors import InputError
from cladewise.records import log

FAST = {"epochs": 2, "batch_size": 16, "workers": 0, "progress": False, "val_split": "none"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize(
    ("method", "options"),
    [("text-classifier", {}), ("text-classifier", {"bias": False, "projection": False}), ("hmcf", {})],
)
def test_without_training_the_answer_is_the_models_own(
    colours: Dataset, clip: str, tmp_path: Path, method: str, options: dict[str, bool], freeze: bool
) -> None:
    wanted = {**FAST, "epochs": 0, "backbone": clip, "options": {"text": clip, **options}, "freeze": freeze}
    run = engine.train(colours, method=method, out=tmp_path / "run", **wanted)
    predicted = predict(run, [colours.root / path for path in colours.paths[:4]], progress=False)
    import open_clip

    model, preprocess = open_clip.create_model_from_pretrained(clip.removeprefix("open_clip:"))
    tokens = open_clip.get_tokenizer(clip.removeprefix("open_clip:"))
    names = [f"a photo of a {colours.taxonomy.names[leaf]}" for leaf in colours.taxonomy.leaf_nodes]
    transform = run.backbone.transform()
    from PIL import Image

    pictures = [transform(Image.open(colours.root / path).convert("RGB")) for path in colours.paths[:4]]
    assert preprocess is not None
    with torch.no_grad():
        images = torch.nn.functional.normalize(model.encode_image(torch.stack(pictures)), dim=-1)
        texts = torch.nn.functional.normalize(model.encode_text(tokens(names)), dim=-1)
        scores = model.logit_scale.exp() * images @ texts.T
    found = predicted.prediction.level_log_prob(colours.taxonomy.num_levels).log_prob
    torch.testing.assert_close(found, scores.log_softmax(-1), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("method", ["text-classifier", "flyp", "hmcf"])
def test_towers_that_share_no_space_have_to_be_trained(colours: Dataset, tmp_path: Path, method: str) -> None:
    message = "both towers of one open_clip model, to classify without training, but got images by test_resnet"
    with pytest.raises(InputError, match=message):
        engine.train(
            colours,
            method=method,
            backbone="test_resnet",
            pretrained=False,
            image_size=24,
            out=tmp_path / "run",
            **{**FAST, "epochs": 0},
        )


def test_both_towers_learn_end_to_end(colours: Dataset, clip: str, tmp_path: Path) -> None:
    wanted = {"options": {"text": clip}, "backbone": clip, "optimizer": "adamw", "lr": 1e-3, "backbone_lr": 1e-4}
    run = engine.train(colours, method="hmcf", out=tmp_path / "run", chunk=8, **wanted, **FAST)
    epochs = [entry for entry in log.read(tmp_path / "run" / "log.jsonl") if entry["event"] == "epoch"]
    assert epochs[1]["train_loss"] < epochs[0]["train_loss"]
    again = Run.open(tmp_path / "run")
    paths = [colours.root / path for path in colours.paths[:3]]
    first, second = (predict(one, paths, progress=False).prediction.logits for one in (run, again))
    torch.testing.assert_close(first, second)


def test_a_run_with_words_is_evaluated_with_diffusion(colours: Dataset, tmp_path: Path) -> None:
    encoder = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "freeze": True}
    run = engine.train(colours, method="hmcf", out=tmp_path / "run", **encoder, **FAST)
    for inference in ("none", "bottom-up", "diffusion"):
        scores = engine.evaluate(run, split="test", inference=inference, progress=False)
        assert 0 <= scores.metrics["leaf_top1"].value <= 1
