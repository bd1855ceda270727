"""Predictions as a table: one row per image, with names instead of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, singledispatch
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise.decisions import Answer, LabelSets, Leaf, LevelNodes, Nodes
from cladewise.metrics import set_tips
from cladewise.predictions import Prediction
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.arrays import StrArray
from cladewise.taxonomy.names.paths import ROOT_NAME

IntArray = NDArray[np.int64]
Columns = dict[str, pl.Series]

NO_PROBABILITY = "an image whose answer has no probability (NaN)"
_NONE = -1  # no node
MANY = 32
"""A tree with up to this many times the nodes of a table is named once, and not node by node."""
_OTHER_COLUMNS = (
    "path",
    "label",
    "label_path",
    "node",
    "probability",
    "new",
    "leaf",
    "leaf_path",
    "leaf_probability",
    "error",
)


def answer_table(answer: Answer, prediction: Prediction, names: StrArray | None = None) -> pl.DataFrame:
    """Table of an answer, one row per image, with names, paths and probabilities.

    Args:
        answer: The answer.
        prediction: The prediction that it was taken from.
        names: Name of every node to show instead of its own, as from :meth:`Taxonomy.names_in`. Paths keep the own
            names. Sets of labels, which are paths, get the column ``label_names`` next to them; ``finest_labels`` are
            those without another label of the set below them.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)], level_names=["order", "species"])
        >>> prediction = LeafSoftmax(t, torch.tensor([[0.4, 0.35, 0.25]]).log())
        >>> table = answer_table(Nodes(torch.tensor([1]), torch.zeros(1)), prediction)
        >>> table.select("label", "order", "species", "leaf").rows(), round(table["order_probability"][0], 6)
        ([('bird', 'bird', None, 'wren')], 0.75)
    """
    return pl.DataFrame(_columns(answer, prediction, names))


def printable(path: str) -> str:
    r"""A path as text that can be written anywhere: bytes that are not UTF-8 appear as ``\udc80`` to ``\udcff``.

    Example:
        >>> printable("caf\udce9.jpg")
        'caf\\udce9.jpg'
    """
    return path.encode(errors="backslashreplace").decode()


def whole_table(
    paths: Sequence[str], errors: Sequence[str | None], rows: IntArray, table: pl.DataFrame
) -> pl.DataFrame:
    """Extend a table to one row per input; inputs without an answer get an error.

    Args:
        paths: Every input.
        errors: Why each input has no answer; ``None`` if it has one.
        rows: Index of the input of each row of the table.
        table: The table, one row per entry of ``rows``.
    """
    every = pl.DataFrame(
        {
            "row": pl.Series(np.arange(len(paths))),
            "path": pl.Series([printable(path) for path in paths], dtype=pl.String),
            "error": pl.Series(errors, dtype=pl.String),
        }
    )
    some = table.insert_column(0, pl.Series("row", rows))
    lost = some.select("row", lost=pl.any_horizontal(pl.col(pl.Float64).is_nan(), pl.lit(False)))
    some = some.join(lost.filter("lost"), on="row", how="anti")
    joined = every.join(lost, on="row", how="left").join(some, on="row", how="left", maintain_order="left")
    error = pl.when(pl.col("lost")).then(pl.lit(NO_PROBABILITY)).otherwise(pl.col("error")).alias("error")
    return joined.select("path", *table.columns[1:], error)


def top_columns(prediction: Prediction, top: int, names: StrArray | None = None) -> pl.DataFrame:
    """Paths and probabilities of the best nodes of each image, most probable first, and names if they are given.

    The nodes are those of :meth:`Prediction.ranking`.
    """
    nodes = prediction.ranking(top)
    probabilities = prediction.log_prob_of(nodes).exp().double().cpu().numpy()
    distinct, place = np.unique(nodes.cpu().numpy(), return_inverse=True)
    shape = nodes.shape[1]

    def lists(text: Callable[[int], str]) -> pl.Series:
        texts = pl.Series([text(node) for node in distinct.tolist()], dtype=pl.String).gather(place.reshape(-1))
        found = texts.reshape((-1, shape)) if len(nodes) else pl.Series([], dtype=pl.List(pl.String))
        return found.cast(pl.List(pl.String))

    return pl.DataFrame(
        {
            "top_labels": lists(partial(node_path, prediction.taxonomy)),
            **({} if names is None else {"top_names": lists(partial(node_name, names))}),
            "top_probabilities": pl.Series(probabilities, dtype=pl.Array(pl.Float64, shape)).cast(pl.List(pl.Float64)),
        }
    )


def names_beside(given: Sequence[str], taken: Iterable[str]) -> dict[str, str]:
    """Names under which the columns of an input are passed through: their own, or with ``input_`` before those taken.

    Example:
        >>> names_beside(["night", "label"], ["path", "label", "error"])
        {'night': 'night', 'label': 'input_label'}
    """
    used = set(taken)
    names: dict[str, str] = {}
    for name in given:
        shown = name
        while shown in used:
            shown = f"input_{shown}"
        names[name] = shown
        used.add(shown)
    return names


@singledispatch
def _columns(answer: Any, prediction: Prediction, names: StrArray | None) -> Columns:
    raise TypeError(f"cannot tabulate a {type(answer).__name__}")


@_columns.register
def _(answer: Nodes, prediction: Prediction, names: StrArray | None) -> Columns:
    taxonomy = prediction.taxonomy
    node, leaf = _array(answer.node), _array(Leaf()(prediction).node)
    steps = [_at_exactly(level, node, taxonomy) for level in range(1, taxonomy.num_levels + 1)]
    # in one call, so that the same node has the same probability everywhere in a row
    probability = _probabilities(prediction, np.stack([node, leaf, *steps], 1))
    columns: Columns = {
        "label": _names(node, taxonomy, names),
        "label_path": _paths(node, taxonomy),
        "node": pl.Series(node),
        "probability": probability[0],
        **({} if answer.new is None else {"new": pl.Series(answer.new.cpu().numpy())}),
    }
    for name, at, values in zip(level_columns(taxonomy), steps, probability[2:], strict=True):
        columns |= {name: _names(at, taxonomy, names), f"{name}_probability": values}
    return columns | {
        "leaf": _names(leaf, taxonomy, names),
        "leaf_path": _paths(leaf, taxonomy),
        "leaf_probability": probability[1],
    }


@_columns.register
def _(answer: LevelNodes, prediction: Prediction, names: StrArray | None) -> Columns:
    taxonomy, nodes = prediction.taxonomy, _array(answer.node)
    probabilities = answer.log_prob.exp().double().cpu().numpy()
    columns: Columns = {}
    for level, name in enumerate(level_columns(taxonomy)):
        repeated = (nodes[:, :level] == nodes[:, level, None]).any(1)  # a coarser level has this node already
        node = np.where(repeated, _NONE, nodes[:, level])
        columns[name] = _names(node, taxonomy, names)
        columns[f"{name}_path"] = _paths(node, taxonomy)
        columns[f"{name}_probability"] = _values(probabilities[:, level], ~repeated)
    return columns


@_columns.register
def _(answer: LabelSets, prediction: Prediction, names: StrArray | None) -> Columns:
    image, node = answer.chosen.nonzero(as_tuple=True)
    found = pl.DataFrame(
        {
            "image": pl.Series(_array(image)),
            "labels": _paths(_array(node), prediction.taxonomy),
            **({} if names is None else {"label_names": _names(_array(node), prediction.taxonomy, names)}),
            "probabilities": pl.Series(answer.log_prob[image, node].exp().double().cpu().numpy()),
            "is_finest": pl.Series(_array(set_tips(answer.chosen, prediction.taxonomy)[image, node])),
        }
    )
    every = pl.DataFrame({"image": pl.Series(np.arange(len(answer.chosen)))})
    finest = pl.col("labels").filter("is_finest").alias("finest_labels")
    lists = [*(name for name in found.columns[1:] if name != "is_finest"), "finest_labels"]
    sets = found.group_by("image", maintain_order=True).agg(*lists[:-1], finest)
    return (
        every.join(sets, on="image", how="left", maintain_order="left")
        .with_columns(pl.col(lists).fill_null([]))
        .select(lists)
        .to_dict()
    )


def level_columns(taxonomy: Taxonomy) -> list[str]:
    """The name of each level's column: the level's name, with its number if another column has that name.

    Example:
        >>> level_columns(Taxonomy.from_paths([("a", "b", "c")], level_names=["order", "path", "order"]))
        ['order', 'path_2', 'order_3']
    """
    taken = set(_OTHER_COLUMNS)
    names: list[str] = []
    for level, given in enumerate(taxonomy.level_names, start=1):
        name = given or "level"
        while not taken.isdisjoint(own := {name, f"{name}_path", f"{name}_probability"}):
            name = f"{name}_{level}"
        taken |= own
        names.append(name)
    return names


def _at_exactly(level: int, node: IntArray, taxonomy: Taxonomy) -> IntArray:
    """The node at a level on the path to each node; none if the path skips the level or ends above it."""

    def of_every_node() -> IntArray:
        at = taxonomy.at_level(level)
        return np.where(taxonomy.level[at] == level, at, _NONE)

    return cached_for(taxonomy, f"nodes at exactly level {level}", of_every_node)[node]


def _probabilities(prediction: Prediction, nodes: IntArray) -> list[pl.Series]:
    """A column of probabilities per column of nodes."""
    log_prob = prediction.log_prob_of(torch.from_numpy(nodes).clamp_min(0).to(prediction.device))
    values = log_prob.exp().double().cpu().numpy()
    return [_values(*column) for column in zip(values.T, nodes.T != _NONE, strict=True)]


def _values(values: NDArray[np.float64], there: NDArray[np.bool_]) -> pl.Series:
    found = pl.Series(values.copy())
    return found if there.all() else found.scatter(np.flatnonzero(~there), None)


def _texts(nodes: IntArray, text: Callable[[int], str]) -> pl.Series:
    """A text for each node, computed once per distinct node."""
    distinct, place = np.unique(nodes, return_inverse=True)
    texts = [None if node == _NONE else text(node) for node in distinct.tolist()]
    return pl.Series(texts, dtype=pl.String).gather(place.reshape(-1))


def _names(nodes: IntArray, taxonomy: Taxonomy, names: StrArray | None) -> pl.Series:
    """The name of each node, in a language if its names are given."""
    if names is None and _are_many(nodes, taxonomy):
        return _gathered(nodes, taxonomy, "names", lambda: taxonomy.names)
    return _texts(nodes, partial(node_name, taxonomy.names if names is None else names))


def _paths(nodes: IntArray, taxonomy: Taxonomy) -> pl.Series:
    """The path of each node."""
    if _are_many(nodes, taxonomy):
        return _gathered(nodes, taxonomy, "paths", lambda: path_texts(taxonomy))
    return _texts(nodes, partial(node_path, taxonomy))


def _are_many(nodes: IntArray, taxonomy: Taxonomy) -> bool:
    """Whether a text of every node of the tree, made once, takes less than one of each of these nodes."""
    return nodes.size * MANY >= taxonomy.num_nodes


def _gathered(nodes: IntArray, taxonomy: Taxonomy, what: str, texts: Callable[[], StrArray]) -> pl.Series:
    """A text for each node, from those of all nodes, which are kept with the tree."""

    def every() -> pl.Series:
        known: list[str | None] = [text or ROOT_NAME for text in texts().tolist()]
        return pl.Series([*known, None], dtype=pl.String)

    return cached_for(taxonomy, f"{what} in tables", every)[np.where(nodes == _NONE, taxonomy.num_nodes, nodes)]


def node_name(names: StrArray, node: int) -> str:
    """Name of a node among those of all; a root without a name is ``root``."""
    return str(names[node]) or ROOT_NAME


def node_path(taxonomy: Taxonomy, node: int) -> str:
    """Path of a node, as accepted by :meth:`Taxonomy.find`; a root without a name is ``root``."""
    return taxonomy.path_name(node) or ROOT_NAME


def _array(nodes: Tensor) -> IntArray:
    return nodes.cpu().numpy()
