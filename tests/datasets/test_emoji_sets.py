"""Emoji: small packages in the layout of the real ones, made by hand; the real ones in a slow test."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cladewise import InputError
from cladewise.datasets import cache_folder, decode, load, open
from cladewise.datasets.published.emoji.artwork import SIDE, DrawingCache
from cladewise.datasets.published.emoji.by_vendor import from_drawings, vendor_of
from cladewise.datasets.published.emoji.icons import IconSet
from cladewise.datasets.published.emoji.unicode import Emoji
from cladewise.datasets.published.emoji.vendors import VENDORS, Vendor
from cladewise.datasets.published.npm import Archive, Package

Pack = tuple[Package, bytes]


def pack(name: str, files: dict[str, Any]) -> Pack:
    """A package as npm packs it, and its right hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in files.items():
            text = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    digest = base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    return Package(name, "1.0.0", f"sha512-{digest}"), buffer.getvalue()


def square(color: str) -> dict[str, Any]:
    return {"body": f'<path fill="{color}" d="M0 0h8v8H0z"/>'}


LABELS = pack(
    "labels",
    {
        "meta/groups.json": {
            "groups": {"2": "component", "3": "animals-nature", "4": "food-drink", "9": "flags"},
            "subgroups": {"30": "animal-mammal", "31": "animal-bird", "40": "food-fruit", "90": "country-flag"},
        },
        "en/data.json": [
            {"label": "piñata’s pear", "hexcode": "1F350", "group": 4, "subgroup": 40, "order": 4},
            {
                "label": "cat",
                "hexcode": "1F408",
                "group": 3,
                "subgroup": 30,
                "order": 1,
                "skins": [{"label": "pale cat"}],
            },
            {"label": "dove", "hexcode": "1F54A-FE0F", "group": 3, "subgroup": 31, "order": 2},
            {"label": "flag: Trinidad & Tobago", "hexcode": "1F1F9", "group": 9, "subgroup": 90, "order": 9},
            {"label": "red hair", "hexcode": "1F9B0", "group": 2, "subgroup": 30, "order": 3},
            {"label": "regional indicator A", "hexcode": "1F1E6"},
        ],
    },
)
FIRST = pack(
    "first",
    {
        "icons.json": {
            "icons": {"kitty": square("red"), "dove": square("blue"), "pinatas-pear": square("#0f0")},
            "aliases": {"moggy": {"parent": "kitty"}},
            "width": 8,
            "height": 8,
        },
        "chars.json": {"1f408": "moggy", "1f54a": "dove"},
    },
)
SECOND = pack(
    "second",
    {
        "icons.json": {
            "icons": {"half": {"body": '<path d="M0 0h8v8H0z"/>', "width": 16}, "wide": {**square("red"), "width": 16}},
            "aliases": {
                "cat": {"parent": "half", "hFlip": True},
                "flag-for-trinidad-and-tobago": {"parent": "wide"},
                "dove": {"parent": "bird"},
                "bird": {"parent": "dove"},
            },
            "width": 8,
            "height": 8,
        },
        "chars.json": {},
    },
)
DOVE = Emoji("animals-nature", "animal-bird", "dove", "1F54A-FE0F")
VENDOR_PACKS = {"first": FIRST, "second": SECOND}


class Registry:
    """Gives the packages above, and counts what was asked of it."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, package: Package) -> Archive:
        self.asked[package.name] += 1
        return Archive(package, {"labels": LABELS, **VENDOR_PACKS}[package.name][1])


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def cache(tmp_path: Path, registry: Registry) -> DrawingCache:
    vendors = [Vendor(name, package, f"{name}, MIT") for name, (package, _) in VENDOR_PACKS.items()]
    return DrawingCache(tmp_path, LABELS[0], vendors, registry)


def test_hierarchy_names_and_splits(cache: DrawingCache) -> None:
    data = from_drawings(cache, "emoji", test=["second"])
    tree = data.taxonomy
    assert tree.level_names == ("group", "subgroup", "emoji")
    assert [tree.path_name(int(node)) for node in tree.leaf_nodes] == [
        "animals-nature/animal-mammal/cat",
        "animals-nature/animal-bird/dove",
        "food-drink/food-fruit/piñata’s pear",
        "flags/country-flag/flag: Trinidad & Tobago",
    ]
    assert tree.columns["hexcode"][tree.find("dove")] == "1F54A-FE0F"
    assert tree.columns["text"][tree.find("food-drink")] == "food drink"
    drawn = {data.paths[i]: str(tree.names[data.nodes[i]]) for i in data.splits["train"]}
    assert drawn == {"first/1F408.png": "cat", "first/1F54A-FE0F.png": "dove", "first/1F350.png": "piñata’s pear"}
    assert [data.paths[i] for i in data.splits["test"]] == ["second/1F408.png", "second/1F1F9.png"]
    assert {vendor_of(path) for path in data.paths} == {"first", "second"}
    assert data.credit == "Drawings: first, MIT; second, MIT. Names: Unicode CLDR."


def test_drawings_are_on_white_mirrored_and_square(cache: DrawingCache) -> None:
    data = from_drawings(cache, "emoji", test=["second"])
    pixels = {path: np.asarray(decode(data.root / path)) for path in data.paths}
    assert all(picture.shape == (SIDE, SIDE, 3) for picture in pixels.values())
    assert (pixels["first/1F408.png"] == [255, 0, 0]).all()
    half = pixels["second/1F408.png"][SIDE // 2, :, 0]  # drawn on the left, mirrored to the right
    assert half[8] == 255
    assert half[-8] == 0
    wide = pixels["second/1F1F9.png"][:, 8]
    assert wide[4].tolist() == [255, 255, 255]
    assert wide[SIDE // 2].tolist() == [255, 0, 0]


def test_aliases_in_circles_end(registry: Registry) -> None:
    assert IconSet.read(registry(SECOND[0])).svg(DOVE) is None


def test_a_full_cache_asks_for_nothing(cache: DrawingCache, registry: Registry) -> None:
    from_drawings(cache, "emoji", test=["second"])
    again = from_drawings(cache, "emoji", test=["second"])
    assert registry.asked == {"labels": 1, "first": 1, "second": 1}
    assert len(again) == 5


def test_only_what_is_missing_is_drawn(cache: DrawingCache, registry: Registry) -> None:
    from_drawings(cache, "emoji-food-animals", test=["second"])
    kept = cache.folder / "first" / "1F408.png"
    before = kept.stat().st_mtime_ns
    (cache.folder / "first" / "food-drink.json").unlink()  # as if it had been killed there
    (cache.folder / "first" / "1F350.png").write_bytes(b"")
    data = from_drawings(cache, "emoji-food-animals", test=["second"])
    assert registry.asked == {"labels": 1, "first": 2, "second": 1}
    assert decode(data.root / "first/1F350.png").size == (SIDE, SIDE)
    assert kept.stat().st_mtime_ns == before
    assert data.taxonomy.num_leaves == 3


def test_a_lost_drawing_is_drawn_again(cache: DrawingCache) -> None:
    from_drawings(cache, "emoji", test=["second"])
    (cache.folder / "second" / "1F408.png").unlink()
    data = from_drawings(cache, "emoji", test=["second"])
    assert all((data.root / path).is_file() for path in data.paths)


def test_excluded_vendors_are_not_fetched(cache: DrawingCache, registry: Registry) -> None:
    with pytest.raises(InputError, match="a vendor to test on and another to train on"):
        from_drawings(cache, "emoji", test="first", exclude=["second"])
    assert not registry.asked


def test_a_drawing_that_fails_is_listed(tmp_path: Path, registry: Registry) -> None:
    torn = pack("torn", {"icons.json": {"icons": {"cat": {"body": "<path"}, "dove": square("red")}}, "chars.json": {}})
    vendors = [Vendor("first", FIRST[0], "first"), Vendor("torn", torn[0], "torn")]
    archives = {"torn": torn[1], "first": FIRST[1], "labels": LABELS[1]}
    cache = DrawingCache(tmp_path, LABELS[0], vendors, lambda package: Archive(package, archives[package.name]))
    data = from_drawings(cache, "emoji", test=["torn"])
    (skip,) = data.skipped
    assert skip.path == "torn/1F408.png"
    assert skip.reason.startswith("a drawing that cannot be rendered (")
    assert len(data.splits["test"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": ["third"]}, "vendors for test= among first, second, but got 'third'."),
        ({"exclude": ["x", "y"]}, "vendors for exclude= among first, second, but got 'x', 'y'."),
        ({"test": ["first"], "exclude": ["first"]}, "test vendors that are not left out, but got first."),
        ({"test": []}, "a vendor to test on and another to train on, but got test=(), exclude=()."),
        ({"test": ["first", "second"]}, "a vendor to test on and another to train on"),
    ],
)
def test_vendors_that_do_not_fit(cache: DrawingCache, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_drawings(cache, "emoji", **{"test": ["first"], **options})
    assert message in str(caught.value)


def test_a_changed_package_is_refused() -> None:
    package, content = FIRST
    with pytest.raises(InputError, match=r"the archive of first@1.0.0 to have the hash .*Clear the npm cache"):
        Archive(package, content[:-1] + b"x")
    with pytest.raises(InputError, match=r"a file gone.json in first@1.0.0, but got none"):
        Archive(package, content).read_json("gone.json")


def test_every_vendor_is_pinned_and_credited() -> None:
    assert len({vendor.package.integrity for vendor in VENDORS}) == 9
    for vendor in VENDORS:
        assert len(base64.b64decode(vendor.package.integrity.removeprefix("sha512-"))) == 64
        assert any(licence in vendor.credit for licence in ("MIT", "Apache-2.0", "CC-BY"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "leaves", "subgroups", "groups", "drawings"),
    [("emoji-food-animals", 291, 15, 2, 2064), ("emoji-objects", 861, 49, 5, 6332), ("emoji", 1914, 98, 9, 12555)],
)
def test_the_real_sets(name: str, leaves: int, subgroups: int, groups: int, drawings: int) -> None:
    """Fetches 35 MB where the cache is empty, and draws for about a minute."""
    data = load(name)
    tree = data.taxonomy
    assert [tree.level_nodes(level).size for level in (1, 2, 3)] == [groups, subgroups, leaves]
    assert len(data) == drawings
    assert not data.skipped
    assert data.splits["test"].size == leaves  # OpenMoji draws all of them
    assert data.root.is_relative_to(cache_folder())
    blank = [path for path in data.paths[::10] if (np.asarray(decode(data.root / path)) == 255).all()]
    assert blank == []
    assert open(data.source).paths == data.paths
    noto = load(name, test=("noto",), exclude=("noto-v1",))
    assert {vendor_of(noto.paths[i]) for i in noto.splits["test"]} == {"noto"}
    assert "noto-v1" not in {vendor_of(path) for path in noto.paths}
