"""Zero-shot runs: the open_clip model's own probabilities, every way to compete, and ordinary run folders."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from backbones.tiny_towers import SIGMOID_CONFIG, write_clip
from cladewise import engine
from cladewise.datasets import Dataset
from cladewise.engine import Run, evaluate, predict, zero_shot
from cladewise.engine.describing.templates import Ensemble, templates
from cladewise.errors import InputError, InputWarning
from cladewise.heads.image_text import Over
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.class_texts import TemplatedTexts

TREE = Taxonomy.from_paths([("warm", "red"), ("warm", "orange"), ("cold", "blue", "navy"), ("grey",)])


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def sigmoid(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_clip(
        tmp_path_factory.mktemp("sigmoid"),
        config=SIGMOID_CONFIG,
        preprocess={"resize_mode": "squash", "interpolation": "bilinear"},
    )


def photos(folder: Path, count: int = 3) -> list[Path]:
    random, found = np.random.default_rng(0), []
    for number in range(count):
        found.append(folder / f"{number}.png")
        Image.fromarray(random.integers(0, 255, (40, 56, 3), dtype=np.uint8)).save(found[-1])
    return found


def own_scores(run: Run, name: str, paths: list[Path], said: list[list[str]]) -> torch.Tensor:
    """The scores of the model by open_clip alone, in double precision: ``[image, list of texts]``."""
    import open_clip

    model, _ = open_clip.create_model_from_pretrained(name.removeprefix("open_clip:"))
    tokenizer = open_clip.get_tokenizer(name.removeprefix("open_clip:"))
    pictures = torch.stack([run.backbone.transform()(Image.open(path)) for path in paths])
    with torch.no_grad():
        images = torch.nn.functional.normalize(model.encode_image(pictures), dim=-1).double()
        columns = []
        for texts in said:
            unit = torch.nn.functional.normalize(model.encode_text(tokenizer(texts)), dim=-1).double().mean(0)
            columns.append(images @ (unit / unit.norm()))
        bias = getattr(model, "logit_bias", None)
        return model.logit_scale.double().exp() * torch.stack(columns, 1) + (0 if bias is None else bias.double())


def slowly(over: Over, scores: torch.Tensor, nodes: list[int]) -> torch.Tensor:
    """Probabilities at or under every node of the tree, from the scores of some nodes."""
    of = dict(zip(nodes, scores.T, strict=True))
    found = torch.zeros(len(scores), TREE.num_nodes, dtype=torch.float64)
    found[:, 0] = 1
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(TREE.parents.tolist()[1:], start=1):
        children.setdefault(parent, []).append(node)
    if over == "independent":
        for node in nodes:
            found[:, node] = of[node].sigmoid()
    elif over == "siblings":
        for node in range(1, TREE.num_nodes):
            parent = int(TREE.parents[node])
            rivals = torch.stack([of[child] for child in children[parent]], 1)
            share = rivals.softmax(1)[:, children[parent].index(node)]
            found[:, node] = share * found[:, parent]
    else:
        mass = dict(zip(nodes, scores.softmax(1).T, strict=True))
        for node in range(1, TREE.num_nodes):
            under = [u for u in mass if node in ancestors(u)]
            found[:, node] = sum(mass[u] for u in under)
    return found


def ancestors(node: int) -> list[int]:
    found = [node]
    while found[-1] > 0:
        found.append(int(TREE.parents[found[-1]]))
    return found


@pytest.mark.parametrize("kind", ["clip", "sigmoid"])
@pytest.mark.parametrize("over", ["leaves", "siblings", "nodes", "independent"])
def test_probabilities_are_the_models_own(
    over: Over, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = request.getfixturevalue(kind)
    run = zero_shot(TREE, model=name, out=tmp_path / "run", over=over, texts="{name}|a {parent}", progress=False)
    nodes = TREE.leaf_nodes.tolist() if over == "leaves" else list(range(1, TREE.num_nodes))
    filled, paths = TemplatedTexts(TREE, "{name}|a {parent}"), photos(tmp_path)
    wanted = slowly(over, own_scores(run, name, paths, [filled.of(node) for node in nodes]), nodes)
    found = predict(run, paths, progress=False).prediction.log_prob.exp()
    torch.testing.assert_close(found.double(), wanted, atol=1e-5, rtol=1e-4)
    assert run.backbone.image_input.resize == ("square" if kind == "sigmoid" else "shorter-side")
    assert run.backbone.image_input.interpolation == ("bilinear" if kind == "sigmoid" else "bicubic")


def test_levels_are_softmaxes_of_their_own(clip: str, tmp_path: Path) -> None:
    run, paths = zero_shot(TREE, model=clip, out=tmp_path / "run", over="levels", progress=False), photos(tmp_path)
    prediction = predict(run, paths, progress=False).prediction
    for level in (1, 2, 3):
        nodes = TREE.level_nodes(level).tolist()
        scores = own_scores(run, clip, paths, [[f"a photo of a {TREE.names[node]}"] for node in nodes])
        found = prediction.level_log_prob(level).log_prob.double()
        torch.testing.assert_close(found, scores.log_softmax(1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("ensemble", "count"), [("simple", 7), ("imagenet", 80)])
def test_an_ensemble_is_open_clips(ensemble: Ensemble, count: int, clip: str, tmp_path: Path) -> None:
    import open_clip

    run = zero_shot(TREE, model=clip, out=tmp_path / "run", ensemble=ensemble, progress=False)
    model, _ = open_clip.create_model_from_pretrained(clip.removeprefix("open_clip:"))
    tokenizer = open_clip.get_tokenizer(clip.removeprefix("open_clip:"))
    phrasings = {"simple": open_clip.SIMPLE_IMAGENET_TEMPLATES, "imagenet": open_clip.OPENAI_IMAGENET_TEMPLATES}
    names = [str(TREE.names[leaf]) for leaf in TREE.leaf_nodes]
    assert len(run.config.options["texts"].split("|")) == count
    wanted = open_clip.build_zero_shot_classifier(model, tokenizer, names, phrasings[ensemble])
    weight = run.classifier.head.get_parameter("weight")
    torch.testing.assert_close(weight, (model.logit_scale.exp() * wanted.T).detach(), atol=1e-4, rtol=1e-4)


def test_known_templates_and_their_phrasings() -> None:
    pytest.importorskip("open_clip")
    bears = Taxonomy([-1, 0, 1], ["", "Ursus", "Ursus arctos"], columns={"name:en": ["", "", "brown bear"]})
    assert templates("clip", "none", bears) == "a photo of a {name}"
    common = templates("bioclip-common", "none", bears)
    assert TemplatedTexts(bears, common).of(2) == ["a photo of Ursus arctos with common name brown bear."]
    assert TemplatedTexts(bears, common).of(1) == ["a photo of Ursus."]
    whole = TemplatedTexts(bears, templates("bioclip-common", "imagenet", bears)).of(2)
    assert len(whole) == 80
    assert "a blurry photo of the Ursus arctos with common name brown bear." in whole
    assert len(templates("{name}|{path}", "simple", bears).split("|")) == 14
    with pytest.raises(InputError, match="a taxonomy with names in en, but got none"):
        templates("bioclip-common", "none", TREE)
    with pytest.raises(InputError, match="an ensemble: none, simple, imagenet, but got"):
        templates("clip", "simpel", bears)  # type: ignore[arg-type]


def test_half_precision_halves_the_run_and_hardly_moves_it(clip: str, tmp_path: Path) -> None:
    paths, found = photos(tmp_path), []
    for precision, size in (("float32", 4), ("float16", 2)):
        run = zero_shot(TREE, model=clip, out=tmp_path / precision, precision=precision, progress=False)  # type: ignore[arg-type]
        with safe_open(run.folder.model, framework="np") as file:  # type: ignore[no-untyped-call]
            assert file.get_tensor("head.weight").itemsize == size
        found.append(predict(run, paths, progress=False).prediction)
    assert found[1].logits.dtype == torch.float32
    torch.testing.assert_close(found[1].log_prob, found[0].log_prob, atol=5e-3, rtol=0)


def test_no_text_is_encoded_when_a_run_is_opened(clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = zero_shot(TREE, model=clip, out=tmp_path / "run", progress=False)
    before = predict(run, photos(tmp_path), progress=False).prediction
    monkeypatch.setattr(engine.describing.zero_shot.text, "load", None)
    monkeypatch.setattr("cladewise.methods.image_text.text.load", None)
    after = predict(Run.open(tmp_path / "run"), photos(tmp_path), progress=False).prediction
    assert after.logits.equal(before.logits)


def test_a_run_with_data_is_evaluated_and_calibrated(colours: Dataset, clip: str, tmp_path: Path) -> None:
    run = zero_shot(data=colours, model=clip, out=tmp_path / "run", progress=False)
    assert run.taxonomy == colours.taxonomy
    for inference in ("none", "calibrate"):
        for decision in ("leaf", "hedging", "majority", "threshold:threshold=0.5"):
            found = evaluate(run, split="test", inference=inference, decision=decision, progress=False)
            assert 0 <= found.metrics["correct"].value <= 1
    assert zero_shot(colours.taxonomy, data=colours, model=clip, out=tmp_path / "run", progress=False) == run


def test_rules_learn_from_the_images_of_train_if_there_are_no_others(clip: str, tmp_path: Path) -> None:
    rows = ["path,label,split"]
    for number, path in enumerate(photos(tmp_path, 8)):
        rows.append(f"{path.name},{'wren' if number % 2 else 'crow'},{'train' if number < 6 else 'test'}")
    (tmp_path / "photos.csv").write_text("\n".join(rows))
    run = zero_shot(data=tmp_path / "photos.csv", model=clip, out=tmp_path / "run", progress=False)
    found = evaluate(run, inference="calibrate", progress=False)
    assert found.fitted_on == {"calibrate": "train"}
    assert "calibrate learns from val, which the data has not: it learnt from train" in found.warnings
    with pytest.raises(InputError, match="for cross-validation, but got one that was made without training"):
        evaluate(run, inference="calibrate", fit_split="5-fold", progress=False)


def test_an_empty_split_is_answered_with_the_others(clip: str, tmp_path: Path) -> None:
    for number, path in enumerate(photos(tmp_path, 2)):
        (tmp_path / "photos" / str(number)).mkdir(parents=True)
        path.rename(tmp_path / "photos" / str(number) / path.name)
    run = zero_shot(data=tmp_path / "photos", model=clip, out=tmp_path / "run", progress=False)
    with pytest.raises(InputError, match=r"on, but got none at split test of photos\. Splits with images: train\."):
        evaluate(run, split="test", progress=False)


def test_a_run_without_data_says_so_when_it_needs_some(clip: str, tmp_path: Path) -> None:
    run = zero_shot(TREE, model=clip, out=tmp_path / "run", progress=False)
    assert run.dataset_if_there is None
    message = "a run with images, but got one that was made without any"
    with pytest.raises(InputError, match=message):
        evaluate(run, progress=False)
    with pytest.raises(InputError, match=message):
        predict(run, photos(tmp_path), decision="hedging", progress=False)


def test_the_same_call_finds_its_run_and_another_is_refused(clip: str, tmp_path: Path) -> None:
    first = zero_shot(TREE, model=clip, out=tmp_path / "run", progress=False)
    written = first.folder.model.stat().st_mtime_ns
    assert zero_shot(TREE, model=clip, out=tmp_path / "run", progress=False).folder.model.stat().st_mtime_ns == written
    other = Taxonomy.from_paths([("warm", "red"), ("cold",)])
    for changed, what in (
        ({"over": "nodes"}, "method.over"),
        ({"texts": "{name}"}, "method.texts"),
        ({"precision": "float16"}, "precision"),
    ):
        with pytest.raises(InputError, match=f"a run that differs in {what}"):
            zero_shot(TREE, model=clip, out=tmp_path / "run", progress=False, **changed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a run that differs in tree"):
        zero_shot(other, model=clip, out=tmp_path / "run", progress=False)
    again = zero_shot(other, model=clip, out=tmp_path / "run", overwrite=True, progress=False)
    assert again.taxonomy == other
    again.folder.model.unlink()  # a process that was killed before the last file
    assert zero_shot(other, model=clip, out=tmp_path / "run", progress=False).folder.model.is_file()


def test_equal_texts_and_cut_ones_are_told(clip: str, tmp_path: Path) -> None:
    homonyms = Taxonomy.from_paths([("animal", "Ficus"), ("plant", "Ficus"), ("plant", "fern")])
    with pytest.warns(InputWarning, match="1 nodes have the texts of another one, .* such as 'a photo of a Ficus'"):
        zero_shot(homonyms, model=clip, out=tmp_path / "a", progress=False)
    long = Taxonomy.from_paths([("one two three four five six seven eight nine ten",), ("b",)])
    with pytest.warns(InputWarning, match="1 texts fill the context of the text encoder"):
        zero_shot(long, model=clip, out=tmp_path / "b", progress=False)


def test_a_folder_can_be_given_from_anywhere(clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(clip.removeprefix("open_clip:local-dir:"))
    monkeypatch.chdir(folder.parent)
    run = zero_shot(TREE, model=folder.name, out=tmp_path / "run", progress=False)
    os.chdir(tmp_path)
    assert run.config.backbone.name == clip
    assert isinstance(predict(run.path, photos(tmp_path), progress=False).prediction, Prediction)


def test_weights_that_are_missing_are_not_random(tmp_path: Path) -> None:
    name = write_clip(tmp_path / "clip")
    (tmp_path / "clip" / "open_clip_model.safetensors").unlink()
    with pytest.raises(InputError, match="Required pretrained weights"):
        zero_shot(TREE, model=name, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "resnet50"}, "an open_clip model, but got 'resnet50'. Give open_clip:MODEL/WEIGHTS"),
        ({"over": "leafs"}, "scores over levels, leaves, .* but got 'leafs'. Did you mean leaves?"),
        ({"precision": "half"}, "a precision: float32, float16, but got 'half'"),
        (
            {"model": "open_clip:ViT-B-3/openai"},
            "an open_clip model, but got 'open_clip:ViT-B-3/openai'. Did you mean ViT-",
        ),
        ({"model": "open_clip:ViT-B-32/opnai"}, "its weights, but got .* Did you mean openai?"),
        ({"texts": "bioclp"}, "one of clip, bioclip, bioclip-common, but got 'bioclp'. Did you mean bioclip?"),
        ({"texts": "a {nome}"}, "placeholders among .* but got {nome}. Did you mean name?"),
        ({"taxonomy": None}, "a label tree, or data that has one, but got neither"),
        ({"data": "photos"}, "data that is open, beside a taxonomy in memory"),
    ],
)
def test_wrong_input(given: dict[str, str], message: str, clip: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        zero_shot(**{"taxonomy": TREE, "model": clip, "out": tmp_path / "run", "progress": False, **given})  # type: ignore[arg-type]


def test_a_padded_input_is_refused(tmp_path: Path) -> None:
    name = write_clip(tmp_path / "clip", preprocess={"resize_mode": "longest"})
    with pytest.raises(InputError, match="a square, but got one that resizes the longest and pads"):
        zero_shot(TREE, model=name, out=tmp_path / "run", progress=False)


def test_data_in_another_tree_is_refused(colours: Dataset, clip: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data with the taxonomy"):
        zero_shot(TREE, data=colours, model=clip, out=tmp_path / "run", progress=False)
    (tmp_path / "tree.csv").write_text("warmth,colour\nwarm,red\ncold,blue\n")
    with pytest.raises(InputError, match="data with the taxonomy"):
        zero_shot(tmp_path / "tree.csv", data=colours, model=clip, out=tmp_path / "run", progress=False)
