"""Text towers and the heads on them: what is kept, what learns, and what a batch needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backbones.tiny_towers import SIGMOID_CONFIG, write_bert, write_clip
from cladewise import Taxonomy, backbones, methods
from cladewise.backbones import text
from cladewise.errors import InputError
from cladewise.heads import ImageTextHead, TextClassifierHead, TextTower
from cladewise.taxonomy.class_texts import class_texts

TREE = Taxonomy.from_paths([("bird", "wood warbler"), ("bird", "reed warbler"), ("plant", "wood fern"), ("moth",)])


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


def tower(width: int = 128, *, tuned: bool = True, templates: str = "{name}", chunk: int = 256) -> TextTower:
    return TextTower(class_texts(TREE, templates), text.load("characters"), width, tuned=tuned, chunk=chunk)


def test_a_node_is_the_mean_of_its_texts() -> None:
    made = tower(templates="a {name}|the {name}")
    assert made.projection.weight.equal(torch.eye(128))  # the encoder's space is the space
    encoder = text.load("characters")
    for node in (1, 2, 3):
        unit = torch.nn.functional.normalize(encoder(encoder.tokens(class_texts(TREE, "a {name}|the {name}").of(node))))
        torch.testing.assert_close(made()[node], torch.nn.functional.normalize(unit.sum(0), dim=0))
    assert made()[0].abs().sum() == 0
    for chunk in (1, 4):
        torch.testing.assert_close(tower(templates="a {name}|the {name}", chunk=chunk)(), made())


def test_a_frozen_encoder_is_gone_and_its_features_are_kept() -> None:
    fixed = tower(16, tuned=False)
    assert [name for name, _ in fixed.named_parameters()] == ["projection.weight"]
    assert fixed.state_dict().keys() == {"text_features", "projection.weight"}
    learnt = tower(16)
    learnt.projection.load_state_dict(fixed.projection.state_dict())
    torch.testing.assert_close(learnt(), fixed())


def test_vectors_are_computed_anew_when_a_weight_has_changed() -> None:
    made = tower().eval()
    first = made()
    assert made() is first
    assert not first.requires_grad
    with torch.no_grad():
        made.encoder.vectors.mul_(torch.randn_like(made.encoder.vectors))  # type: ignore[union-attr,operator]
    second = made()
    assert not second.allclose(first)
    made.load_state_dict(tower().state_dict())
    torch.testing.assert_close(made(), first)
    made.train()
    assert made().requires_grad
    kept = tower().eval()
    with torch.inference_mode():
        kept()
    (kept()[1] * torch.ones(128, requires_grad=True)).sum().backward()  # what is kept is no inference tensor


def test_only_foreseen_texts_are_learnt_from() -> None:
    made = tower(16)
    whole = made()
    made.foresee(torch.tensor([2, 1, 2]))
    some = made()
    torch.testing.assert_close(some, whole)
    some[3:].sum().backward(retain_graph=True)
    assert made.projection.weight.grad is None or made.projection.weight.grad.abs().sum() == 0
    some.sum().backward()
    assert made.encoder is not None
    touched = made.encoder.vectors.grad.abs().sum(-1) > 0  # type: ignore[union-attr]
    rows = made.encoder.tokens(class_texts(TREE).texts)
    asked = set(rows.ids[:2][rows.present[:2]].tolist())
    assert set(torch.nonzero(touched).flatten().tolist()) <= asked
    assert made().requires_grad  # a word about one batch holds for one batch


def test_what_a_batch_foresees_gives_the_same_gradient() -> None:
    method = methods.make("hmcf", width=16)
    loss, target = method.loss(TREE), torch.tensor([2, 3, 4, 1, 6])
    features = torch.randn(5, 9)
    found = []
    for foresee in (False, True):
        torch.manual_seed(0)
        head = method.head(TREE, 9)
        if foresee:
            head.foresee(target)
        losses = loss(head(features).logits, target)
        losses.sum().backward()
        found.append((losses.detach(), [p.grad for p in head.parameters()]))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-3)


def test_heads_of_levels_start_alike_and_scores_are_scaled_cosines() -> None:
    head = ImageTextHead(TREE, 128, tower(), scale=20.0)
    features = torch.randn(3, 128)
    prediction = head(features)
    assert head.projections.shape == (2, 128, 128)
    assert head.projections[0].equal(torch.eye(128))  # and the images', where the widths agree
    unit = torch.nn.functional.normalize(features, dim=-1)
    torch.testing.assert_close(prediction.scores[:, 1:], 20 * unit @ head.tower()[1:].T, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(head.represent(features), unit)
    head.log_scale.data.fill_(50.0)
    assert head(features).logits.abs().max() <= 100.001
    assert list(head.encoders()) == [head.tower.encoder]
    assert list(ImageTextHead(TREE, 5, tower(16, tuned=False)).encoders()) == []


def test_a_classifier_without_bias_and_projection_has_weights_alone() -> None:
    features = torch.randn(3, 128)
    whole = methods.make("text-classifier").head(TREE, 128)
    bare = methods.make("text-classifier", bias=False, projection=False).head(TREE, 128)
    assert {name for name, _ in whole.named_parameters()} == {"weight", "bias", "projection"}
    assert [name for name, _ in bare.named_parameters()] == ["weight"]
    assert bare.rows().keys() == {"weight"}
    torch.testing.assert_close(bare(features).logits, whole(features).logits)  # at first
    cosines = torch.nn.functional.normalize(features, dim=-1) @ bare.get_parameter("weight").T
    torch.testing.assert_close(bare(features).logits, cosines)
    extreme = bare(features * torch.tensor([[1e4], [-1e4], [0.0]])).logits
    assert extreme.isfinite().all()
    assert extreme[2].abs().sum() == 0  # no bias
    narrow = methods.make("text-classifier", projection=False).head(TREE, 16)  # the texts go to the images' space
    assert narrow.get_parameter("weight").shape[1] == 16
    with pytest.raises(InputError, match="text vectors as wide as the features, 16, where there is no projection, but"):
        methods.make("text-classifier", projection=False, width=8).head(TREE, 16)


@pytest.mark.parametrize("kind", ["transformers", "open_clip"])
def test_methods_take_every_kind_of_text_encoder(kind: str, tmp_path: Path) -> None:
    name = write_bert(tmp_path / "bert") if kind == "transformers" else write_clip(tmp_path / "clip")
    method = methods.make("hmcf", text=name)
    head = method.head(TREE, 16)
    assert isinstance(head, ImageTextHead)
    target = torch.tensor([2, 3, 5])
    method.loss(TREE)(head(torch.randn(3, 16)).logits, target).sum().backward()
    assert [key for key, p in head.named_parameters() if p.requires_grad and p.grad is None] == []
    if kind == "open_clip":  # both towers are in one space: no projection to learn from nothing, and its own scale
        assert head.tower.width == 16
        torch.testing.assert_close(head.log_scale.exp(), torch.tensor(text.load(name).scale))
        backbone = backbones.load(name).eval()
        images = torch.randn(2, 3, 32, 32)
        head.eval()
        unit = torch.nn.functional.normalize(backbone(images), dim=-1)
        torch.testing.assert_close(head.represent(backbone(images)), unit)


def test_settings_out_of_range() -> None:
    with pytest.raises(InputError, match="an embedding of at least 1 number, but got 0"):
        tower(0)
    with pytest.raises(InputError, match=r"a scale of cosines in \(0, 100\], but got 200"):
        ImageTextHead(TREE, 5, tower(), scale=200.0)


def test_a_model_that_was_trained_with_sigmoids_brings_its_bias(tmp_path: Path) -> None:
    name = write_clip(tmp_path / "sigmoid", config=SIGMOID_CONFIG)
    head = methods.make("text-classifier", text=name, over="independent").head(TREE, 16)
    assert head.get_parameter("bias").tolist() == pytest.approx([-2.0] * (TREE.num_nodes - 1))
    assert methods.make("text-classifier").head(TREE, 16).get_parameter("bias").abs().sum() == 0
    weight = head.get_parameter("weight").norm(dim=1)
    torch.testing.assert_close(weight, torch.full_like(weight, 2.718281828**3))


def test_scores_that_cannot_be_adjusted_are_refused() -> None:
    with pytest.raises(InputError, match="scores over levels, which can be adjusted, but got over=leaves, adjust=1"):
        methods.make("text-classifier", over="leaves", adjust=1.0).loss(TREE)
    with pytest.raises(InputError, match="a scale of cosines above 0, but got 0"):
        TextClassifierHead(TREE, 16, None, scale=0.0, width=16)
    with pytest.raises(InputError, match="but got 'leave'"):
        TextClassifierHead(TREE, 16, None, over="leave", width=16)  # type: ignore[arg-type]
