"""The picture cards."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cladewise.report.groups import group_runs
from cladewise.report.mistakes import make_card, mistakes_of, rank_mistakes
from cladewise.report.run import read_run
from cladewise.report.thumbnail import thumbnail


@pytest.fixture
def run(maker, taxonomy, images):
    """Rows 0 to 3 by path are mistakes: heights 1, 3, 1, 3 with confidences 0.9, 0.5, 0.7, 0.8."""
    order = np.argsort(images.paths)
    predicted, confidence = images.target.copy(), np.full(images.target.size, 0.99)
    heron, pear = taxonomy.find("heron"), taxonomy.find("pear")
    predicted[order[:4]] = [heron, pear, heron, pear]
    confidence[order[:4]] = [0.9, 0.5, 0.7, 0.8]
    return read_run(maker.write("f", predicted=predicted, confidence=confidence), "test")


def test_the_farthest_first_then_the_most_confident(run):
    worst, confident = rank_mistakes(run)
    assert worst.tolist() == [3, 1, 0, 2]
    assert confident.tolist() == [0, 3, 2, 1]


def test_a_card_names_both_paths_and_where_they_part(run):
    near, far = make_card(run, 0), make_card(run, 3)
    assert (near.shared, near.true, near.predicted) == (("animals", "birds"), ("warbler <b>&amp;</b>",), ("heron",))
    assert (far.shared, far.true[0], far.predicted) == ((), "animals", ("food", "fruit", "pear"))
    assert (near.height, far.height) == (1, 3)
    assert near.confidence_text == "90%"
    assert near.picture is not None


def test_an_answer_above_its_label_is_coarser_and_no_mistake(maker, taxonomy, images):
    predicted = images.target.copy()
    predicted[0], predicted[1] = taxonomy.find("birds"), taxonomy.find("food")
    (group,) = group_runs([read_run(maker.write("f", predicted=predicted), "test")])
    entry = mistakes_of(group)
    assert (entry.num_mistakes, entry.num_coarser) == (1, 1)
    assert [card.predicted for card in entry.worst] == [("food",)]
    correct = group.runs[0].outcomes["correct"].sum()
    assert entry.num_images - entry.num_mistakes == correct
    card = make_card(group.runs[0], 0)
    assert (card.predicted, card.true) == ((), ("warbler <b>&amp;</b>",))


def test_no_mistakes_no_cards(maker, images):
    entry = mistakes_of(group_runs([read_run(maker.write("f", predicted=images.target), "test")])[0])
    assert (entry.num_mistakes, entry.worst, entry.most_confident) == (0, (), ())


def test_unknown_confidence_is_left_out(run):
    object.__setattr__(run, "outcomes", run.outcomes.drop("confidence"))
    assert make_card(run, 0).confidence_text == ""
    assert rank_mistakes(run)[0].tolist() == [1, 3, 0, 2]


def opened(address: str) -> Image.Image:
    assert address.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16", "I", "F"])
def test_every_kind_of_picture_becomes_a_small_one(tmp_path, mode):
    samples = Image.new("L", (400, 200), 128)
    if mode in ("I", "F", "I;16"):
        picture = Image.fromarray(
            (np.arange(400 * 200).reshape(200, 400) % 60000).astype({"I": "i4", "F": "f4", "I;16": "u2"}[mode])
        )
    else:
        picture = samples.convert("RGB").convert(mode) if mode != "LA" else samples.convert("LA")
    file = tmp_path / "picture.tiff"
    picture.save(file)
    small = opened(thumbnail(file))
    assert small.size == (128, 64)
    assert small.mode == "RGB"


def test_transparency_lies_over_white_and_rotation_is_undone(tmp_path):
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert opened(thumbnail(tmp_path / "clear.png")).getpixel((5, 5)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30)).save(tmp_path / "turned.jpg", exif=exif)
    assert opened(thumbnail(tmp_path / "turned.jpg")).size == (30, 60)


def test_what_cannot_be_opened_has_no_picture(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    Image.new("RGB", (300, 300), (9, 200, 40)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    assert [thumbnail(tmp_path / name) for name in ("text.jpg", "cut.png", "missing.png", ".")] == [None] * 4
