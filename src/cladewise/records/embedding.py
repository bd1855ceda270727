"""The folder of a label embedding: its configuration and results."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import tomli_w

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.records.config import setting, settings
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import building, read_json, read_toml


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """How labels are embedded."""

    geometry: str = setting("hyperbolic", "order, euclidean or hyperbolic, with options: euclidean:aperture=0.2")
    dim: int = setting(10, "dimensions of the vectors", least=1)
    closure: float = setting(
        0.25, "fraction of the transitive edges (without val and test) to train on, 0 to 1", least=0
    )
    negatives: str = setting("pick-per-level", "how negative edges are sampled", choices=("pick-per-level", "uniform"))
    num_negatives: int = setting(5, "negatives per edge with another parent, and as many with another child", least=1)
    margin: float = setting(1.0, "margin: the energy that a negative edge should reach", least=0)
    margins: str = setting("", "margins to choose from by F1 on val, with commas: 0.01,0.1,1; empty: the margin above")
    initial: str = setting(
        "random", "initial vectors: random, or from a Poincaré embedding", choices=("random", "poincare")
    )
    epochs: int = setting(500, "passes over the edges", least=0)
    batch_size: int = setting(10, "edges per step", least=1)
    lr: float = setting(0.01, "learning rate", least=0)
    evaluate_every: int = setting(10, "epochs between evaluations on val; the best epoch is kept", least=1)
    seed: int = setting(0, "random seed", least=0)


@dataclasses.dataclass(frozen=True)
class EmbeddingFolder:
    """Paths inside the folder of an embedding.

    Example:
        >>> EmbeddingFolder(Path("runs/labels")).vectors.as_posix()
        'runs/labels/embedding.safetensors'
    """

    path: Path

    @property
    def config(self) -> Path:
        """Resolved configuration."""
        return self.path / "config.toml"

    @property
    def taxonomy(self) -> Path:
        """The label tree."""
        return self.path / "taxonomy.csv"

    @property
    def vectors(self) -> Path:
        """One vector per label; the header has the geometry and threshold."""
        return self.path / "embedding.safetensors"

    @property
    def results(self) -> Path:
        """Scores of hypernym prediction and of the reconstruction of the tree."""
        return self.path / "results.json"

    def with_margin(self, margin: float) -> EmbeddingFolder:
        """The embedding with one of the margins to choose from.

        Example:
            >>> EmbeddingFolder(Path("runs/labels")).with_margin(0.1).path.as_posix()
            'runs/labels/margins/0.1'
        """
        return EmbeddingFolder(self.path / "margins" / f"{margin:g}")

    @property
    def log(self) -> Path:
        """One JSON object per epoch."""
        return self.path / "log.jsonl"

    @property
    def checkpoint(self) -> Path:
        """State to resume from; removed at the end."""
        return self.path / "checkpoint.safetensors"

    @property
    def picture(self) -> Path:
        """Picture of the vectors in the plane, without the suffix: there is a PNG and an SVG."""
        return self.path / "picture"


def read_results(files: EmbeddingFolder) -> dict[str, dict[str, float]]:
    """Scores of hypernym prediction on val and test, if there are any, and of the reconstruction of the whole tree.

    Raises:
        InputError: The embedding is not finished.
    """
    if not files.results.is_file():
        advice = "Make it: cladewise embed taxonomy."
        raise InputError("a finished embedding", "no results.json", at=str(files.path), advice=advice)
    content = read_json(files.results, "the results of an embedding", advice=_ADVICE)
    with building("the results of an embedding", at=str(files.results), advice=_ADVICE):
        return {**(content["hypernyms"] or {}), "reconstruction": content["reconstruction"]}


def write_embedding_config(config: EmbeddingConfig, path: Path, **extra: Any) -> None:
    """Write the file atomically; ``extra`` entries are for people and are not read back."""
    content = {"schema_version": SCHEMA_VERSION, **extra, "embedding": dataclasses.asdict(config)}
    write_text(path, tomli_w.dumps(content))


def read_embedding_config(path: Path) -> EmbeddingConfig:
    """Read the ``config.toml`` of an embedding.

    Raises:
        InputError: The file is missing, is not TOML, belongs to something else, or has settings that are not allowed.
    """
    if not path.is_file():
        raise InputError("an embedding's config.toml", "no such file", at=str(path))
    content = read_toml(path, "an embedding's configuration", advice=_ADVICE)
    if "embedding" not in content:
        raise InputError("a table [embedding]", "none", at=str(path), advice="Choose another folder.")
    if not isinstance(content["embedding"], dict):
        raise InputError("a table [embedding]", repr(content["embedding"]), at=str(path), advice=_ADVICE)
    return settings(EmbeddingConfig, content["embedding"], at=f"{path} [embedding]")


_ADVICE = "Remove the folder and embed again: cladewise embed taxonomy."
