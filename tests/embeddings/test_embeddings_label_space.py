"""A space of labels answers, is saved, takes one more label, and is drawn."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import embeddings
from cladewise.drawing.label_space import embedding_drawing
from cladewise.drawing.paper import save_figure
from cladewise.embeddings import LabelSpace, embed, picture
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from strategies import taxonomies

NAMES = ("order", "euclidean", "hyperbolic")
GEOMETRIES = pytest.mark.parametrize("name", NAMES)
TREE = Taxonomy.from_paths([*itertools.product(("bird", "fish"), ("x", "y"), ("1", "2", "3")), ("moss",)])


@pytest.fixture(scope="module", params=NAMES)
def space(request: pytest.FixtureRequest) -> LabelSpace:
    """Nineteen labels, well trained."""
    return embed(TREE, geometry=request.param, dim=8, epochs=60, lr=0.02, margin=0.5, closure=1.0, progress=False)


def random_space(taxonomy: Taxonomy, name: str, dim: int, *, threshold: float = 0.3) -> LabelSpace:
    made = embeddings.make(name)
    vectors = made.start(taxonomy.num_nodes - 1, dim, torch.Generator().manual_seed(0))
    return LabelSpace(taxonomy, vectors, made, threshold)


def test_questions(space: LabelSpace) -> None:
    assert space.entails("bird", "bird/x")
    assert not space.entails("bird/x", "bird")
    assert not space.entails("fish", ("bird", "x", "1"))
    leaf = TREE.find("fish/y/2")
    assert {TREE.find("fish"), TREE.find("fish/y")} <= set(space.ancestors(leaf).tolist())
    assert space.energy("fish", leaf) <= space.threshold < space.energy("bird", leaf)


@GEOMETRIES
def test_answers_are_those_of_the_energy(name: str) -> None:
    space, labels = random_space(TREE, name, 3, threshold=0.9), range(1, TREE.num_nodes)
    held = {(u, v) for u in labels for v in labels if u != v and space.entails(u, v)}
    assert held
    for v in labels:
        assert space.ancestors(v).tolist() == [u for u in labels if (u, v) in held]
        assert space.descendants(v).tolist() == [w for w in labels if (v, w) in held]
    points = space.vectors[:18].reshape(2, 9, 3)
    energies = space.energies(points)
    assert energies.shape == (2, 9, len(space.vectors))
    wanted = float(space.geometry.energy(space.vector(5), points[1, 2]))
    assert float(energies[1, 2, 4]) == pytest.approx(wanted, abs=1e-5)


@GEOMETRIES
def test_nearest(name: str) -> None:
    space, own = random_space(TREE, name, 3), TREE.find("bird/x")
    found = space.nearest("bird/x", 4)
    far = space.geometry.pairwise_distance(space.vector(own)[None], space.vectors)[0]
    assert found.nodes.tolist() == [node for node in (far.argsort() + 1).tolist() if node != own][:4]
    assert found.distance.tolist() == sorted(found.distance.tolist())
    at_a_point = space.nearest(space.vector("moss"), 1)
    assert at_a_point.nodes.tolist() == [TREE.find("moss")]
    assert len(space.nearest("moss", 1000).nodes) == TREE.num_nodes - 2


def test_saved_and_loaded(space: LabelSpace, tmp_path: Path) -> None:
    space.save(tmp_path)
    again = LabelSpace.load(tmp_path)
    assert again.vectors.equal(space.vectors)
    assert (again.taxonomy, again.geometry, again.threshold) == (space.taxonomy, space.geometry, space.threshold)
    TREE.with_leaf("fern")[0].write(tmp_path / "taxonomy.csv")
    with pytest.raises(InputError, match="Expected vectors for taxonomy"):
        LabelSpace.load(tmp_path)
    (tmp_path / "embedding.safetensors").unlink()
    with pytest.raises(InputError, match=r"Expected embedding\.safetensors, but got no such file"):
        LabelSpace.load(tmp_path)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"schema_version": "9"}, "schema_version 1, but got 9 at .*Update cladewise, or make one"),
        ({}, "schema_version 1, but got none"),
        ({"schema_version": "1", "threshold": "high"}, "a file of label vectors, but got could not convert string"),
        (None, r"a file of label vectors, but got .* at .*embedding\.safetensors\. Make one: cladewise embed taxonomy"),
    ],
)
def test_files_of_another_version_or_kind_are_refused(
    space: LabelSpace, tmp_path: Path, about: dict[str, str] | None, message: str
) -> None:
    space.save(tmp_path)
    file = tmp_path / "embedding.safetensors"
    if about is None:
        file.write_bytes(file.read_bytes()[:-1])
    else:
        kept = {"geometry": "euclidean", "threshold": "0.0", "taxonomy": space.taxonomy.fingerprint}
        safetensors.torch.save_file({"vectors": space.vectors}, str(file), metadata={**kept, **about})
    with pytest.raises(InputError, match=message):
        LabelSpace.load(tmp_path)


@pytest.mark.parametrize("parent", ["fish/x", "moss", None])
def test_another_label(space: LabelSpace, parent: str | None) -> None:
    grown = space.with_label("new", parent, steps=75, lr=0.06)
    node = grown.taxonomy.find("new")
    kept = np.delete(np.arange(1, grown.taxonomy.num_nodes), node - 1)
    assert grown.vectors[torch.tensor(kept - 1)].equal(space.vectors)
    assert [grown.taxonomy.path_names(v) for v in kept.tolist()] == [
        TREE.path_names(v) for v in range(1, TREE.num_nodes)
    ]
    wanted = [] if parent is None else [v for v in grown.taxonomy.path(grown.taxonomy.find(parent)) if v]
    strangers = [v for v in range(1, grown.taxonomy.num_nodes) if v not in (*wanted, node)]
    missing = sum(not grown.entails(v, node) for v in wanted)
    wrong = sum(grown.entails(v, node) for v in strangers) + sum(grown.entails(node, v) for v in strangers)
    assert missing + wrong <= 3
    assert space.taxonomy == TREE


def test_another_label_that_cannot_be() -> None:
    space = random_space(TREE, "order", 2)
    with pytest.raises(InputError, match="Expected a name that no child has, but got 'x' at bird"):
        space.with_label("x", "bird")
    with pytest.raises(InputError, match="Expected a label of the taxonomy, but got 'tree'"):
        space.with_label("oak", "tree")


@settings(max_examples=15)
@given(taxonomies(min_nodes=2), st.sampled_from(NAMES), st.integers(0, 99))
def test_a_label_can_be_added_anywhere(taxonomy: Taxonomy, name: str, seed: int) -> None:
    parent = seed % taxonomy.num_nodes
    grown = random_space(taxonomy, name, 2).with_label("new", parent or None, steps=3)
    assert grown.vectors.shape == (taxonomy.num_nodes, 2)
    assert grown.vectors.isfinite().all()
    node = int(taxonomy.end[parent])
    assert (grown.taxonomy.names[node], grown.taxonomy.parents[node]) == ("new", parent)


def test_what_is_no_label() -> None:
    space = random_space(TREE, "order", 2)
    for label in (0, TREE.num_nodes, -1):
        with pytest.raises(InputError, match=f"Expected a label below the root, 1 to {TREE.num_nodes - 1}, but got"):
            space.vector(label)
    with pytest.raises(InputError, match=r"Expected a point of shape \[2\], but got shape \[3\]"):
        space.nearest(torch.zeros(3))
    with pytest.raises(InputError, match=rf"Expected vectors \[{TREE.num_nodes - 1}, dim\], but got shape"):
        LabelSpace(TREE, torch.zeros(TREE.num_nodes, 2), embeddings.make("order"))


@GEOMETRIES
@pytest.mark.parametrize("dim", [1, 2, 40])
def test_pictures(name: str, dim: int, tmp_path: Path) -> None:
    space = random_space(TREE, name, dim)
    drawn = picture(space)
    assert drawn.points.shape == (TREE.num_nodes - 1, 2)
    assert len(drawn.edges) == len(drawn.special) == int((TREE.parents > 0).sum())
    assert drawn.disk == (name == "hyperbolic")
    assert (drawn.share == 1) == (dim <= 2)
    for edge, node in zip(drawn.edges, drawn.special, strict=True):
        np.testing.assert_allclose(edge[0], drawn.points[TREE.parents[node] - 1], atol=1e-6)
        np.testing.assert_allclose(edge[-1], drawn.points[node - 1], atol=1e-6)
    assert bool(drawn.regions) == (dim == 2)
    if dim == 2:
        np.testing.assert_allclose(drawn.points, space.vectors, atol=1e-7)
        for region, owner in zip(drawn.regions, drawn.owners, strict=True):
            assert TREE.num_children[owner]
            apex = space.vector(owner).double()
            beyond = torch.tensor(region)[np.linalg.norm(region - apex.numpy(), axis=1) > 1e-6]  # it has no angle there
            assert space.geometry.energy(apex, beyond).max() < 1e-4
    figure = embedding_drawing(drawn, TREE)
    if dim == 2:
        files = save_figure(figure, tmp_path / "picture")
        assert [file.name for file in files] == ["picture.png", "picture.svg"]
        assert "moss" in files[1].read_text()


@GEOMETRIES
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_images_go_the_way_of_labels(name: str, dim: int) -> None:
    space = random_space(TREE, name, dim)
    drawn = picture(space, space.vectors[:4])
    np.testing.assert_allclose(drawn.images, drawn.points[:4], atol=1e-9)
    assert picture(space).images.shape == (0, 2)
    assert 0 < drawn.image_share <= 1
    assert drawn.centred == (name != "order")
    origin = picture(space, torch.zeros(1, dim)).images
    if drawn.centred:
        np.testing.assert_allclose(origin, 0, atol=1e-9)


@settings(max_examples=8)
@given(taxonomies(min_nodes=2), st.sampled_from(NAMES))
def test_every_tree_can_be_drawn(taxonomy: Taxonomy, name: str) -> None:
    for dim in (1, 2, 3):
        drawn = picture(random_space(taxonomy, name, dim))
        assert np.isfinite(drawn.points).all(), dim
    embedding_drawing(drawn, taxonomy)
