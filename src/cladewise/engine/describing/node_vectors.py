"""Vectors of the nodes of a tree from their texts, computed once per text and cached on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from cladewise.backbones.text import TextEncoder
from cladewise.cache import cache_folder
from cladewise.engine.feeding.feature_store import FeatureStore, Segments
from cladewise.engine.feeding.recipes import TEXTS
from cladewise.engine.feeding.segments import MISSING, Keys
from cladewise.errors import InputError
from cladewise.progress import track
from cladewise.taxonomy.class_texts import TemplatedTexts

IntArray = NDArray[np.int64]

TextPrecision = Literal["float32", "float16"]
"""Precision in which vectors of texts are kept."""
FORMAT = 1
"""Incremented whenever the same texts would give other vectors."""
TEXTS_AT_ONCE = 256
"""Number of texts encoded at once."""
NODES_AT_ONCE = 1 << 14
"""Nodes whose texts are in memory together."""

_KINDS = {"float32": "f4", "float16": "f2"}
_SECONDS_BETWEEN_WRITES = 10.0
_BYTES_BETWEEN_WRITES = 1 << 26


@dataclasses.dataclass(frozen=True)
class NodeVectors:
    """A unit vector per node, in memory-mapped files.

    Args:
        nodes: The nodes, ascending.
        places: Where the vector of each node is.
        segments: The files.
        folder: Their folder.
        computed: Number of distinct vectors that were computed now; the others were there.
        cut: A text that fills the context of the encoder, so that its end may be missing, and the number of such texts
            among those that were encoded now.
    """

    nodes: IntArray
    places: IntArray
    segments: Segments
    folder: Path
    computed: int
    cut: tuple[str, int]

    @property
    def width(self) -> int:
        """Values per vector."""
        return self.segments.width

    @property
    def num_distinct(self) -> int:
        """Number of distinct vectors; nodes of equal texts share one."""
        return len(np.unique(self.places))

    def parts(
        self, nodes: IntArray | None = None, size: int = NODES_AT_ONCE
    ) -> Iterator[Float[NDArray[Any], "node feature"]]:
        """The vectors of some of the nodes in the order given, of all by default, some at a time."""
        places = self.places if nodes is None else self.places[np.searchsorted(self.nodes, nodes)]
        for start in range(0, len(places), size):
            yield self.segments.rows(places[start : start + size])
            self.segments.release()


def node_vectors(
    encoder: TextEncoder,
    texts: TemplatedTexts,
    nodes: IntArray,
    *,
    precision: TextPrecision = "float32",
    chunk: int = TEXTS_AT_ONCE,
    device: torch.device | str = "cpu",
    cache_dir: Path | None = None,
    progress: bool = True,
) -> NodeVectors:
    r"""A unit vector for each of some nodes: the normalised mean of the unit vectors of its texts.

    .. math:: t_v = \operatorname{unit}\Big(\sum_{x \in \text{texts of}\ v} \operatorname{unit}(e(x))\Big)

    There is a folder in the cache for each recipe: the encoder with all its weights, and the precision. In it a vector
    is found by a hash of the texts that it is the mean of. So an edited tree, another tree with the same names, or a
    computation that was killed computes what is missing alone; at most the last ten seconds of work are lost. Memory
    does not grow with the tree, apart from its names and 32 bytes per node.

    Args:
        encoder: The text encoder; always used in evaluation mode.
        texts: The texts of every node.
        nodes: The nodes, ascending.
        precision: Precision in which vectors are kept; they are computed in single precision.
        chunk: Number of texts encoded at once.
        device: Device to encode on, to which the encoder is moved.
        cache_dir: Folder of caches; by default ``CLADEWISE_CACHE`` of the environment, or the user's cache folder.
        progress: Show a progress bar.

    Raises:
        InputError: An option is out of its range, a text has a vector that is not finite, or the cache is damaged or
            cannot be written.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.backbones import text
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "warbler")])
        >>> encoder, texts = text.load("characters"), TemplatedTexts(t, "a {name}|the {name}")
        >>> found = node_vectors(encoder, texts, np.array([2, 3]), cache_dir=getfixture("tmp_path"), progress=False)
        >>> found.computed, [part.shape for part in found.parts()]
        (2, [(2, 128)])

    References: Radford et al., ICML 2021, arXiv:2103.00020, section 3.1.4 (the mean over templates, in the space of
        embeddings).
    """
    if precision not in get_args(TextPrecision):
        raise InputError(f"a precision: {', '.join(get_args(TextPrecision))}", repr(precision))
    if chunk < 1:
        raise InputError("a chunk of at least 1 text", chunk)
    store = _store(encoder, precision, cache_dir or cache_folder())
    keys = np.concatenate([_keys(texts, part) for part in _slices(nodes)] or [np.zeros((2, 0), np.uint64)], axis=1)
    pending, cut = _pending(store, keys), ("", 0)
    if len(pending):
        with store.lock("texts"):
            pending = _pending(store, keys)
            store.require_space(len(pending))
            cut = _fill(store, encoder.to(device), texts, nodes, keys, pending, chunk=chunk, progress=progress)
    store.used()
    segments = store.refresh()
    return NodeVectors(nodes, segments.find(keys), segments, store.folder, len(pending), cut)


def _fill(
    store: FeatureStore,
    encoder: TextEncoder,
    texts: TemplatedTexts,
    nodes: IntArray,
    keys: Keys,
    pending: IntArray,
    *,
    chunk: int,
    progress: bool,
) -> tuple[str, int]:
    """Compute and write the vectors of the pending nodes, given by their positions; returns which texts were cut."""
    waiting, size, last = list[tuple[IntArray, NDArray[Any]]](), 0, time.monotonic()
    cut = _Cut()
    starts = range(0, len(pending), chunk)
    learning = encoder.training
    try:
        encoder.eval()
        for start in track(starts, "texts of the nodes", shown=progress):
            part = pending[start : start + chunk]
            said = [texts.of(node) for node in nodes[part].tolist()]
            rows = _means(encoder, said, chunk, cut).cpu().numpy().astype(store.kind)
            if not np.isfinite(rows).all():
                lost = said[int(np.flatnonzero(~np.isfinite(rows).all(1))[0])]
                raise InputError("texts whose vectors are finite", repr(lost[0]), advice="Are the weights damaged?")
            waiting.append((part, rows))
            size += rows.nbytes
            if size >= _BYTES_BETWEEN_WRITES or time.monotonic() - last >= _SECONDS_BETWEEN_WRITES:
                _write(store, keys, waiting)
                waiting, size, last = [], 0, time.monotonic()
        if waiting:
            _write(store, keys, waiting)
    finally:
        encoder.train(learning)
    return cut.example, cut.count


@dataclasses.dataclass
class _Cut:
    """Texts that fill the context of the encoder."""

    example: str = ""
    count: int = 0

    def add(self, texts: Sequence[str], fills: Bool[Tensor, " text"]) -> None:
        """Count those of some texts."""
        if bool(fills.any()):
            self.example = self.example or texts[int(fills.nonzero()[0])]
            self.count += int(fills.sum())


def _write(store: FeatureStore, keys: Keys, waiting: Sequence[tuple[IntArray, NDArray[Any]]]) -> None:
    at = np.concatenate([part for part, _ in waiting])
    store.write(keys[:, at], np.concatenate([rows for _, rows in waiting]))


def _means(encoder: TextEncoder, said: Sequence[Sequence[str]], chunk: int, cut: _Cut) -> Float[Tensor, "node feature"]:
    """The unit vector of each list of texts, of any number of them, with a chunk of texts encoded at once."""
    owner = torch.arange(len(said)).repeat_interleave(torch.tensor([len(texts) for texts in said]))
    every = [text for texts in said for text in texts]
    sums = torch.zeros(len(said), encoder.num_features, device=encoder.device)
    with torch.inference_mode():
        for start in range(0, len(every), chunk):
            part = every[start : start + chunk]
            tokens = encoder.tokens(part).to(encoder.device)
            cut.add(part, encoder.fills_context(tokens))
            unit = normalize(encoder(tokens).float(), dim=-1, eps=1e-6)
            sums.index_add_(0, owner[start : start + chunk].to(sums.device), unit)
    return normalize(sums, dim=-1, eps=1e-6)


def _pending(store: FeatureStore, keys: Keys) -> IntArray:
    """Positions of the keys without a row, the first of equals."""
    missing = np.flatnonzero(store.segments.find(keys) == MISSING)
    _, first = np.unique(keys[:, missing].T, axis=0, return_index=True)
    return missing[np.sort(first)]


def _keys(texts: TemplatedTexts, nodes: IntArray) -> Keys:
    """A 128-bit key of the texts of each node."""
    digests = [
        hashlib.blake2b("\0".join(texts.of(node)).encode(errors="surrogateescape"), digest_size=16).digest()
        for node in nodes.tolist()
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 2).T.astype(np.uint64)


def _slices(nodes: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(nodes), NODES_AT_ONCE):
        yield nodes[start : start + NODES_AT_ONCE]


def _store(encoder: TextEncoder, precision: TextPrecision, cache: Path) -> FeatureStore:
    description = {
        "format": FORMAT,
        "encoder": encoder.name,
        "weights": encoder.fingerprint,
        "vectors": "unit vector of the mean of the unit vectors of a node's texts",
        "precision": precision,
    }
    key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:24]
    name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', encoder.name[-80:])}-{key}"
    about = {"recipe": key, **description, "num_features": encoder.num_features}
    return FeatureStore(cache / TEXTS / name, encoder.num_features, _KINDS[precision], about)
