"""ETHEC from made-up files in the layout of its release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cladewise import InputError, datasets
from cladewise.datasets.finding import find_data
from cladewise.datasets.published.ethec import from_ethec
from cladewise.errors import InputWarning

RANKS = ("family", "subfamily", "genus", "specific_epithet")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(datasets.write_made_up("ethec", tmp_path / "ETHEC_dataset", images_per_class=3)["path"])


def test_labels_and_splits_are_those_of_the_lists(root: Path) -> None:
    found = from_ethec(root)
    tree = found.taxonomy
    for split in ("train", "val", "test"):
        expected: dict[str, tuple[str, ...]] = {}
        for entry in json.loads((root / "splits" / f"{split}.json").read_text()).values():
            *above, epithet = (entry[rank] for rank in RANKS)
            path = f"IMAGO_build_test_resized/{entry['image_path']}/{entry['image_name']}"
            expected[path] = (*above, f"{above[-1]} {epithet}")
        assert {found.paths[i]: tree.path_names(int(found.nodes[i])) for i in found.splits[split]} == expected
        assert len(expected) == 21
    assert tree.level_names == ("family", "subfamily", "genus", "species")
    assert len(tree.matches("Papilio machaon")) == len(tree.matches("Parnassius machaon")) == 1
    assert found.notes == ()
    assert datasets.open(found.source).paths == found.paths


def test_the_folder_is_recognised(root: Path) -> None:
    with pytest.warns(InputWarning, match=r"layout of ethec with 3 classes of family.* instead of 6 classes of family"):
        assert find_data(str(root)).source["kind"] == "ethec"


def test_photographs_under_several_tokens_are_counted(root: Path) -> None:
    train = json.loads((root / "splits" / "train.json").read_text())
    token, entry = next(iter(train.items()))
    (root / "splits" / "train.json").write_text(json.dumps({**train, "again": {**entry, "token": "again"}}))
    test = json.loads((root / "splits" / "test.json").read_text())
    (root / "splits" / "test.json").write_text(json.dumps({**test, token: entry}))
    found = from_ethec(root)
    assert {split: part.size for split, part in found.splits.items()} == {"train": 22, "val": 21, "test": 22}
    assert found.notes == ("1 photographs are listed more than once, 1 of them in several splits",)


REFUSED = [
    ("[]", r"a JSON object of specimens.*Expected `object`, got `array`"),
    ('{"t": {"image_path": "p"}}', r"missing required field `image_name`"),
    ('{"t": ', r"specimens.* but got an error: .*at .*val\.json.*research-collection"),
]


@pytest.mark.parametrize(("text", "told"), REFUSED)
def test_malformed_lists(root: Path, text: str, told: str) -> None:
    (root / "splits" / "val.json").write_text(text)
    with pytest.raises(InputError, match=told):
        from_ethec(root)


def test_what_is_missing(root: Path) -> None:
    whole = json.loads((root / "splits" / "val.json").read_text())
    token = next(iter(whole))
    blank = {**whole, token: {**whole[token], "genus": " "}}
    (root / "splits" / "val.json").write_text(json.dumps(blank))
    with pytest.raises(InputError, match=rf"a genus for every specimen, but got none for '{token}' at .*val\.json"):
        from_ethec(root)
    (root / "splits" / "val.json").unlink()
    with pytest.raises(
        InputError, match=r"the file splits/val\.json or .* of ETHEC, but got none.*research-collection"
    ):
        from_ethec(root)
    (root / "splits" / "val.json").write_text(json.dumps(whole))
    shutil.rmtree(root / "IMAGO_build_test_resized")
    with pytest.raises(InputError, match=r"the folder IMAGO_build_test_resized"):
        from_ethec(root)
