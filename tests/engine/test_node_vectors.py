"""Vectors of nodes from texts: the values of a slow twin, kept by content, and computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from backbones.tiny_towers import write_clip
from cladewise import InputError, Taxonomy
from cladewise.backbones import text
from cladewise.backbones.text import TextEncoder, Tokens
from cladewise.engine.describing.node_vectors import NodeVectors, TextPrecision, node_vectors
from cladewise.engine.feeding.cache_entries import cache_entries
from cladewise.taxonomy.class_texts import TemplatedTexts
from strategies import taxonomies

TREE = Taxonomy.from_paths([("bird", "wren"), ("bird", "warbler"), ("plant", "fern"), ("moth",)])
TEMPLATES = "a {name}|the {name}, a {parent}"


class Counting(TextEncoder):
    """A text encoder that counts the texts it encodes, and can be made to fail."""

    def __init__(self, inner: TextEncoder, fails_after: int | None = None) -> None:
        super().__init__(inner.name, inner.num_features)
        self.inner, self.encoded, self.fails_after = inner, 0, fails_after

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def tokens(self, texts: list[str]) -> Tokens:  # type: ignore[override]
        return self.inner.tokens(texts)

    def forward(self, tokens: Tokens) -> torch.Tensor:
        if self.fails_after is not None and self.encoded >= self.fails_after:
            raise KeyboardInterrupt
        self.encoded += len(tokens)
        return self.inner(tokens)


def every(found: NodeVectors) -> np.ndarray:
    return np.concatenate(list(found.parts()))


def slowly(taxonomy: Taxonomy, nodes: np.ndarray, templates: str = TEMPLATES) -> np.ndarray:
    encoder, texts = text.load("characters"), TemplatedTexts(taxonomy, templates)
    rows = []
    for node in nodes.tolist():
        one = [encoder(encoder.tokens([said]))[0].detach().double().numpy() for said in texts.of(node)]
        mean = sum(vector / np.linalg.norm(vector) for vector in one)
        rows.append(mean / np.linalg.norm(mean))
    return np.stack(rows)


@settings(max_examples=15)
@given(taxonomies())
def test_vectors_are_those_of_a_slow_twin(taxonomy: Taxonomy) -> None:
    import tempfile

    nodes = np.arange(1, taxonomy.num_nodes)
    if not nodes.size:
        return
    with tempfile.TemporaryDirectory() as folder:
        for chunk in (1, 3, 256):
            found = node_vectors(
                text.load("characters"),
                TemplatedTexts(taxonomy, TEMPLATES),
                nodes,
                chunk=chunk,
                cache_dir=Path(folder) / str(chunk),
                progress=False,
            )
            np.testing.assert_allclose(every(found), slowly(taxonomy, nodes), atol=1e-5)


@pytest.mark.parametrize(("precision", "atol"), [("float32", 1e-6), ("float16", 1e-3)])
def test_vectors_are_kept_in_the_stated_precision(precision: TextPrecision, atol: float, tmp_path: Path) -> None:
    nodes, texts = np.arange(1, TREE.num_nodes), TemplatedTexts(TREE, TEMPLATES)
    encoder = Counting(text.load("characters"))
    for computed in (len(nodes), 0):
        found = node_vectors(encoder, texts, nodes, precision=precision, cache_dir=tmp_path, progress=False)
        assert found.computed == computed
        assert every(found).dtype == np.dtype(precision)
        np.testing.assert_allclose(every(found), slowly(TREE, nodes), atol=atol)
    assert encoder.encoded == 2 * len(nodes)
    (entry,) = cache_entries(folder=tmp_path)
    assert (entry.name, entry.about) == ("texts", "features of texts")
    assert entry.num_bytes > len(nodes) * 128 * np.dtype(precision).itemsize


def test_odd_widths_are_aligned_in_half_precision(tmp_path: Path) -> None:
    class Narrow(Counting):
        def forward(self, tokens: Tokens) -> torch.Tensor:
            return super().forward(tokens)[:, :3]

    narrow = Narrow(text.load("characters"))
    narrow.num_features = 3
    nodes = np.array([2, 3, 5])
    found = node_vectors(narrow, TemplatedTexts(TREE, "{name}"), nodes, precision="float16", cache_dir=tmp_path)
    np.testing.assert_allclose(np.linalg.norm(every(found).astype(np.float64), axis=1), 1, atol=2e-3)


def test_an_edited_tree_computes_its_new_texts_alone(tmp_path: Path) -> None:
    encoder = Counting(text.load("characters"))
    for tree, texts in ((TREE, 6), (Taxonomy.from_paths([("moth",), ("bird", "wren"), ("bird", "robin")]), 1)):
        before, nodes = encoder.encoded, np.arange(1, tree.num_nodes)
        found = node_vectors(encoder, TemplatedTexts(tree, "a {name}"), nodes, cache_dir=tmp_path, progress=False)
        assert encoder.encoded - before == texts
        np.testing.assert_allclose(every(found), slowly(tree, nodes, "a {name}"), atol=1e-6)


def test_nodes_of_equal_texts_share_a_vector(tmp_path: Path) -> None:
    tree = Taxonomy.from_paths([("animal", "Ficus"), ("plant", "Ficus")])
    encoder, nodes = Counting(text.load("characters")), np.arange(1, tree.num_nodes)
    found = node_vectors(encoder, TemplatedTexts(tree, "{name}"), nodes, cache_dir=tmp_path, progress=False)
    assert (encoder.encoded, found.num_distinct, len(nodes)) == (3, 3, 4)
    rows = every(found)
    assert (rows[1] == rows[3]).all()
    assert (next(found.parts(np.array([4, 1]))) == rows[[3, 0]]).all()


def test_a_killed_computation_loses_only_what_was_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cladewise.engine.describing import node_vectors as module

    monkeypatch.setattr(module, "_SECONDS_BETWEEN_WRITES", 0.0)
    nodes, texts = np.arange(1, TREE.num_nodes), TemplatedTexts(TREE, "a {name}")
    killed = Counting(text.load("characters"), fails_after=4)
    with pytest.raises(KeyboardInterrupt):
        node_vectors(killed, texts, nodes, chunk=2, cache_dir=tmp_path / "a", progress=False)
    again = Counting(text.load("characters"))
    found = node_vectors(again, texts, nodes, chunk=2, cache_dir=tmp_path / "a", progress=False)
    assert (killed.encoded, again.encoded, found.computed) == (4, 2, 2)
    whole = node_vectors(text.load("characters"), texts, nodes, chunk=2, cache_dir=tmp_path / "b", progress=False)
    assert (every(found) == every(whole)).all()  # bit for bit


def test_texts_that_fill_the_context_are_counted(tmp_path: Path) -> None:
    encoder = text.load(write_clip(tmp_path / "clip", context=6))
    tree = Taxonomy.from_paths([("wren",), ("a very long name indeed",)])
    found = node_vectors(encoder, TemplatedTexts(tree, "{name}"), np.array([1, 2]), cache_dir=tmp_path, progress=False)
    assert found.cut == ("a very long name indeed", 1)
    assert not encoder.fills_context(encoder.tokens(["a wren"])).any()


def test_wrong_input(tmp_path: Path) -> None:
    encoder, texts, nodes = text.load("characters"), TemplatedTexts(TREE, "{name}"), np.array([1])
    with pytest.raises(InputError, match="a precision: float32, float16, but got 'bfloat16'"):
        node_vectors(encoder, texts, nodes, precision="bfloat16", cache_dir=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a chunk of at least 1 text, but got 0"):
        node_vectors(encoder, texts, nodes, chunk=0, cache_dir=tmp_path)
    with torch.no_grad():
        next(encoder.parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match="texts whose vectors are finite, but got 'bird'"):
        node_vectors(encoder, texts, nodes, cache_dir=tmp_path, progress=False)
