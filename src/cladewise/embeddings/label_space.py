"""A label tree with one vector per label: entailment, nearest labels, and adding labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cladewise.atomic import write_bytes
from cladewise.catalogue import from_spec, spec
from cladewise.embeddings.adding import fitted_vector
from cladewise.embeddings.geometries import available
from cladewise.embeddings.label_geometry import Geometry
from cladewise.errors import InputError
from cladewise.records import SCHEMA_VERSION, EmbeddingFolder, building, check_schema
from cladewise.taxonomy import Taxonomy
from cladewise.tensor_files import reproducible

_ADVICE = "Make one: cladewise embed taxonomy."

Label = int | str | Sequence[str]
"""A node, or a label as :meth:`~cladewise.taxonomy.Taxonomy.find` takes it."""


class Nearest(NamedTuple):
    """Labels and their distances, nearest first."""

    nodes: Int[Tensor, " rank"]
    distance: Float[Tensor, " rank"]


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSpace:
    """An embedded taxonomy: a vector for every node but the root, and the geometry.

    Label spaces are immutable: adding a label returns a new one.

    Args:
        taxonomy: The label tree. Its root is no label and has no vector.
        vectors: Row i belongs to node i + 1.
        geometry: The geometry of the vectors.
        threshold: Maximum energy at which one label counts as containing another.

    Raises:
        InputError: There is not a vector for every node but the root.

    Example:
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("moth",)])
        >>> space = LabelSpace(t, torch.tensor([[0.0, 1.0], [1.0, 2.0], [1.0, 0.0]]), make("order"))
        >>> space.entails("bird", "wren"), space.entails("moth", "wren"), space.ancestors("wren")
        (True, True, tensor([1, 3]))
    """

    taxonomy: Taxonomy
    vectors: Float[Tensor, "label dim"]
    geometry: Geometry
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.shape[0] != self.taxonomy.num_nodes - 1:
            raise InputError(f"vectors [{self.taxonomy.num_nodes - 1}, dim]", f"shape {list(self.vectors.shape)}")

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return self.vectors.shape[1]

    def node(self, label: Label) -> int:
        """Node of a label.

        Raises:
            InputError: It names no node, or the root.
        """
        if not isinstance(label, int):
            label = self.taxonomy.find(label if isinstance(label, str) else tuple(label))
        node = label
        if not 0 < node < self.taxonomy.num_nodes:
            raise InputError(f"a label below the root, 1 to {self.taxonomy.num_nodes - 1}", node)
        return node

    def vector(self, label: Label) -> Float[Tensor, " dim"]:
        """The vector of a label.

        Raises:
            InputError: It names no node, or the root.
        """
        return self.vectors[self.node(label) - 1]

    def energy(self, general: Label, special: Label) -> float:
        """How far ``special`` is outside the region of ``general``; 0 inside.

        Raises:
            InputError: One of them names no node, or the root.
        """
        return float(self.geometry.energy(self.vector(general), self.vector(special)))

    def entails(self, general: Label, special: Label) -> bool:
        """Whether ``general`` contains ``special`` by their vectors: every ``special`` is a ``general``.

        Raises:
            InputError: One of them names no node, or the root.
        """
        return self.energy(general, special) <= self.threshold

    def energies(self, points: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch label"]:
        """How far points, such as images, are outside the region of every label; column i is node i + 1."""
        flat = points.reshape(-1, self.dim)
        return self.geometry.pairwise_energy(self.vectors, flat).T.reshape(*points.shape[:-1], len(self.vectors))

    def ancestors(self, label: Label) -> Int[Tensor, " node"]:
        """Labels that contain a label by their vectors, ascending, without itself.

        Raises:
            InputError: It names no node, or the root.
        """
        return self._others(self.geometry.energy(self.vectors, self.vector(label)), self.node(label))

    def descendants(self, label: Label) -> Int[Tensor, " node"]:
        """Labels that a label contains by their vectors, ascending, without itself.

        Raises:
            InputError: It names no node, or the root.
        """
        return self._others(self.geometry.energy(self.vector(label), self.vectors), self.node(label))

    def _others(self, energy: Tensor, node: int) -> Tensor:
        held = energy <= self.threshold
        held[node - 1] = False
        return held.nonzero()[:, 0] + 1

    def nearest(self, to: Label | Tensor, k: int = 5) -> Nearest:
        """The ``k`` labels whose vectors are nearest to a label's, itself left out, or to a point.

        Args:
            to: A label, or a vector [dim].
            k: Number of labels; fewer are returned if there are fewer.

        Raises:
            InputError: It names no node, or the root, or is no vector of the space.
        """
        if isinstance(to, Tensor):
            if to.shape != (self.dim,):
                raise InputError(f"a point of shape [{self.dim}]", f"shape {list(to.shape)}")
            point, own = to, 0
        else:
            own = self.node(to)
            point = self.vectors[own - 1]
        far = self.geometry.pairwise_distance(point[None], self.vectors)[0]
        if own:
            far[own - 1] = torch.inf
        distance, place = far.topk(min(k, len(far) - bool(own)), largest=False)
        return Nearest(place + 1, distance)

    def with_label(
        self,
        name: str,
        parent: Label | None = None,
        *,
        images: Float[Tensor, "image dim"] | None = None,
        steps: int = 500,
        lr: float = 0.01,
    ) -> LabelSpace:
        """A space with one more label. Only its vector is fitted; all others keep their exact values.

        Its ancestors should contain it, and no other label should contain it or be contained in it: the training loss,
        with the expected number of negative edges in place of sampled ones.

        Args:
            name: Name of the new label, the last child of its parent.
            parent: A label; the root by default.
            images: Vectors of images of the new label, which it should contain as well.
            steps: Optimiser steps.
            lr: Learning rate.

        Raises:
            InputError: The parent is no label, or has a child of this name.
        """
        above = 0 if parent is None else self.node(parent)
        taxonomy, node = self.taxonomy.with_leaf(name, above)
        vector = fitted_vector(self.taxonomy, self.geometry, self.vectors, above, images=images, steps=steps, lr=lr)
        before, after = self.vectors[: node - 1], self.vectors[node - 1 :]
        return dataclasses.replace(self, taxonomy=taxonomy, vectors=torch.cat([before, vector[None], after]))

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``embedding.safetensors``, and ``taxonomy.csv`` next to it."""
        files = EmbeddingFolder(Path(folder))
        self.taxonomy.write(files.taxonomy)
        about = {
            "schema_version": str(SCHEMA_VERSION),
            "geometry": spec(self.geometry),
            "threshold": repr(self.threshold),
            "taxonomy": self.taxonomy.fingerprint,
        }
        vectors = {"vectors": self.vectors.detach().cpu().contiguous()}
        write_bytes(files.vectors, reproducible(safetensors.torch.save(vectors, metadata=about)))

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> LabelSpace:
        """Load a space written by :meth:`save`.

        Raises:
            InputError: Something is missing or cannot be read, or the vectors belong to another taxonomy.
        """
        files = EmbeddingFolder(Path(folder))
        for file in (files.vectors, files.taxonomy):
            if not file.is_file():
                raise InputError(file.name, "no such file", at=str(folder), advice=_ADVICE)
        taxonomy, at = Taxonomy.read(files.taxonomy), str(files.vectors)
        try:
            with safe_open(at, framework="pt") as content:  # type: ignore[no-untyped-call]
                about: dict[str, str] = dict(content.metadata() or {})
                vectors: Tensor = content.get_tensor("vectors")
        except SafetensorError as error:
            raise InputError("a file of label vectors", f"{error}", at=at, advice=_ADVICE) from None
        version = about.pop("schema_version", "")
        numbered = {"schema_version": int(version)} if version.isdecimal() else {}
        check_schema({**about, **numbered}, at=at, advice=_ADVICE)
        if about.get("taxonomy") != taxonomy.fingerprint:
            raise InputError(f"vectors for taxonomy {taxonomy.fingerprint}", about.get("taxonomy"), at=at)
        with building("a file of label vectors", at=at, advice=_ADVICE):
            return cls(
                taxonomy, vectors, from_spec(available(), "geometry", about["geometry"]), float(about["threshold"])
            )

    def __repr__(self) -> str:
        return f"LabelSpace({self.taxonomy!r}, {self.geometry!r}, {self.dim} dimensions)"
