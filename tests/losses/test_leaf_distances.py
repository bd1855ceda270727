"""Distances between leaves: by the tree, and read from files in any order."""

from __future__ import annotations

import lzma
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings

from cladewise import InputError, datasets, methods, metrics
from cladewise.losses import SoftLabelLoss, read_distances
from cladewise.losses.distances import distance_by_lca
from cladewise.taxonomy import Taxonomy
from reference import losses_margin as reference
from strategies import taxonomies

TREE = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "fox"), ("dog", "wolf"), ("owl",)])
NAMES = ["cat/lion", "cat/lynx", "dog/fox", "dog/wolf", "owl"]
MATRIX = np.array(
    [[0, 1, 5, 4, 8], [1, 0, 6, 5, 7], [5, 6, 0, 2, 8], [4, 5, 2, 0, 8], [8, 7, 8, 8, 0]], dtype=np.float64
)


@settings(max_examples=12)
@given(taxonomies(max_nodes=16))
def test_distances_by_the_lowest_common_ancestor(taxonomy: Taxonomy) -> None:
    for kind in ("lca-height", "hace"):
        leaves = taxonomy.leaf_nodes
        expected = reference.leaf_distances(taxonomy, kind)
        np.testing.assert_allclose(distance_by_lca(taxonomy, kind)[taxonomy.lca(leaves[:, None], leaves)], expected)


def test_the_root_above_an_only_child_does_not_scale_distances() -> None:
    tall = Taxonomy.from_parents([-1, 0, 1, 1], ["all", "life", "a", "b"])
    assert distance_by_lca(tall)[1] == 1.0


def _table(names: list[str], matrix: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"leaf": names, **{name: matrix[:, k] for k, name in enumerate(names)}})


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".tsv", ".parquet"])
def test_a_file_of_distances(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"distances{suffix}"
    order = [3, 0, 4, 2, 1]
    shuffled = _table([NAMES[k].split("/")[-1] for k in order], MATRIX[np.ix_(order, order)])
    match suffix:
        case ".npy":
            np.save(path, MATRIX)
        case ".csv":
            shuffled.write_csv(path)
        case ".tsv":
            _table(NAMES, MATRIX).write_csv(path, separator="\t")
        case _:
            shuffled.write_parquet(path)
    np.testing.assert_allclose(read_distances(path, TREE), MATRIX / 8)


def test_methods_take_a_file(tmp_path: Path) -> None:
    path = tmp_path / "distances.npy"
    np.save(path, MATRIX)
    wanted = torch.tensor(-4.0 * MATRIX / 8).softmax(1).float()
    logits, leaves = torch.randn(5, 5), torch.tensor(TREE.leaf_nodes)
    loss = methods.make("soft-labels", beta=4, distance=str(path)).loss(TREE)
    torch.testing.assert_close(loss(logits, leaves), -(wanted * logits.log_softmax(1)).sum(1))
    assert methods.make("hace-soft", distance=str(path)).loss(TREE)(torch.randn(5, 7), leaves).isfinite().all()


def test_levels_are_chosen_by_text() -> None:
    for text, width in (("all", 8), ("2", 5), (2, 5), ("1,2", 8)):
        assert methods.make("level-softmax", levels=text).loss(TREE).num_outputs == width
    with pytest.raises(InputError, match="Expected levels as all or as numbers like 1,6,7, but got 'fine'"):
        methods.make("level-softmax", levels="fine").loss(TREE)
    with pytest.raises(InputError, match="Expected ascending levels among 1 to 2, the finest among them, but got 1"):
        methods.make("level-softmax", levels="1").head(TREE, 4)


def _written(path: Path, content: object) -> Path:
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, pl.DataFrame):
        content.write_csv(path)
    elif content is not None:
        path.write_bytes(pickle.dumps(content))
    return path


PAIRS = "".join(
    f"{NAMES[i].split('/')[-1]} {NAMES[k].split('/')[-1]} {MATRIX[i, k]:g}\n" for i in range(5) for k in range(i)
)


@pytest.mark.parametrize("suffix", [".txt", ".txt.xz"])
def test_a_list_of_pairs(tmp_path: Path, suffix: str) -> None:
    """As the released files of published trees: pairs in one order or both, of leaves and of inner nodes."""
    path = tmp_path / f"tree_ilsvrc_distances{suffix}"
    both = PAIRS + "lion   lynx\t1\nlion lion 0\ncat dog 8\ncat lion 1\nowl tiger 3\n"
    path.write_bytes(lzma.compress(both.encode()) if suffix == ".txt.xz" else both.encode())
    np.testing.assert_allclose(read_distances(path, TREE), MATRIX / 8)
    np.testing.assert_array_equal(read_distances(path, TREE, normalised=False), MATRIX)
    wanted = methods.make("soft-labels", beta=4, distance=str(path)).loss(TREE)
    np.save(tmp_path / "same.npy", MATRIX)
    same = methods.make("soft-labels", beta=4, distance=str(tmp_path / "same.npy")).loss(TREE)
    logits, leaves = torch.randn(5, 5), torch.tensor(TREE.leaf_nodes)
    assert wanted(logits, leaves).equal(same(logits, leaves))


def test_distances_of_published_files_reach_losses_and_metrics(tmp_path: Path) -> None:
    options = datasets.write_made_up("tiered-imagenet-h", tmp_path)
    data = datasets.load("tiered-imagenet-h", **options)
    tree, leaves = data.taxonomy, data.taxonomy.leaf_nodes
    file = Path(options["hierarchy"]) / "data" / "tiered_imagenet_ilsvrc_distances.txt.xz"
    table = read_distances(file, tree, normalised=False)
    first, other = (torch.as_tensor(part.copy()) for part in np.broadcast_arrays(leaves[:, None], leaves))
    expected = metrics.hierarchical_distance(first, other, tree)  # the made-up distances are heights
    assert torch.equal(metrics.hierarchical_distance(first, other, tree, table), expected)
    assert torch.equal(
        metrics.hd_at_k(other, first[:, 0], 3, tree, table), metrics.hd_at_k(other, first[:, 0], 3, tree)
    )
    logits = torch.randn(8, tree.num_leaves, generator=torch.Generator().manual_seed(0))
    losses = [
        SoftLabelLoss(tree, 3.0, each)(logits, torch.as_tensor(leaves.copy())) for each in (str(file), "lca-height")
    ]
    torch.testing.assert_close(losses[0], losses[1])
    with pytest.raises(InputError, match="predictions that are leaves, since the distances are those of leaves"):
        metrics.hierarchical_distance(torch.tensor([0]), torch.as_tensor(leaves[:1].copy()), tree, table)
    with pytest.raises(InputError, match=r"distances \[8, 8\], one row per leaf, but got shape \[7, 7\]"):
        metrics.hierarchical_distance(first, other, tree, table[1:, 1:])


ASYMMETRIC = MATRIX + np.triu(np.ones((5, 5)), 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "d.pkl",
            {("a", "b"): 1.0},
            r"Expected distances as \.npy, \.csv, \.tsv, \.parquet, \.txt or \.txt\.xz, but got a pickle.*numpy\.save",
        ),
        ("d.pkl.xz", None, r"Expected distances as .* or \.txt\.xz, but got a pickle.*numpy\.save"),
        ("d.npy", {("a", "b"): 1.0}, "Expected an array of numbers, but got "),
        ("d.dat", MATRIX, r"Expected distances as \.npy, .* or \.txt\.xz, but got '.*d\.dat'"),
        ("d.txt", "lion lynx 1\nlion fox far", "two names and their distance, but got 'lion fox far' at .*line 2"),
        ("d.txt", "lion lynx 1\n\nlion fox", "two names and their distance, but got 'lion fox' at .*line 3"),
        (
            "d.txt",
            "lion lynx 1\n",
            "a distance for every pair of leaves, but got none of cat/lion and dog/fox at .*d.t",
        ),
        ("d.txt", PAIRS + "wolf fox 3\n", "one distance for every pair of leaves, but got several that differ at "),
        ("d.txt", PAIRS + "owl owl 3\n", "several that differ|0 between a leaf and itself"),
        ("d.txt", "", "Expected two names and their distance per line, but got an empty file at .*d.txt"),
        ("d.txt.xz", "lion lynx 1\n", "Expected a text, or one compressed by xz, but got "),
        ("d.npy", None, "Expected a file of distances, but got none at .*d.npy"),
        ("d.npy", MATRIX[:4, :4], r"Expected distances \[5, 5\], one row per leaf, but got shape \[4, 4\] at "),
        ("d.npy", -MATRIX, "Expected distances that are numbers >= 0, but got others at "),
        ("d.npy", MATRIX * np.nan, "Expected distances that are numbers >= 0, but got others at "),
        ("d.npy", MATRIX + 1, "Expected symmetric distances that are 0 between a leaf and itself, but got others at "),
        ("d.npy", ASYMMETRIC, "Expected symmetric distances that are 0 between a leaf and itself, but got others at "),
        ("d.csv", _table(NAMES[:4], MATRIX[:4, :4]), "Expected every leaf once, but got no owl at .*first column"),
        ("d.csv", _table(["cat", *NAMES[1:]], MATRIX), "Expected a leaf, but got 'cat' at .*first column"),
        ("d.csv", _table(["tiger", *NAMES[1:]], MATRIX), "got 1 that does not: 'tiger' at .*d.csv, first column"),
        (
            "d.csv",
            pl.DataFrame({"leaf": NAMES, **dict.fromkeys(NAMES, "far")}),
            "Expected a table of distances, but got ",
        ),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, name: str, content: object, message: str) -> None:
    file = tmp_path / name
    if isinstance(content, str):
        file.write_text(content)
    elif file.suffix == ".dat":
        file.write_text("0 1\n1 0\n")
    else:
        _written(file, content)
    with pytest.raises(InputError, match=message) as caught:
        read_distances(file, TREE)
    assert "\n" not in str(caught.value)
