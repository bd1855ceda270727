"""Labels in the forms that scikit-learn and hiclass use, as nodes of a tree and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.paths import ROOT_NAME, SEPARATOR, label_steps

IntArray = NDArray[np.int64]
Kind = Literal["names", "paths", "padded"]
UNKNOWN = -1
"""Node of a label that is not in the tree."""


@dataclasses.dataclass(frozen=True)
class LabelForm:
    """The form in which labels were given, and in which answers are returned.

    Args:
        taxonomy: The label tree.
        kind: ``"names"``: one value per image. ``"paths"``: a tuple or list of names per image. ``"padded"``: one row
            per image with a column per level, in which blanks stand for levels that a label does not have.
        nodes: Node of every label that was given.
        steps: The value given for a node in a path, if it is not its name.
        type_of_values: Type of the array in which labels were given.
        separator: Text between the names of a path in one value, if any.
        is_open: Whether the tree was made from the labels, so that others are unknown rather than wrong.
        columns: Columns of padded rows that were given; there are more if the tree has more levels.
        is_rooted: Whether paths and padded rows begin with the root of a given tree, which has a name.
    """

    taxonomy: Taxonomy
    kind: Kind
    nodes: Mapping[Any, int]
    steps: Mapping[int, Any]
    type_of_values: np.dtype[Any]
    separator: str | None = None
    is_open: bool = False
    columns: int = 0
    is_rooted: bool = False

    def find(self, y: Any) -> IntArray:
        """Node of each label; -1 for one that is unknown.

        Raises:
            InputError: The labels have another form than those given before, or are not in a tree that was given.
        """
        kind, values, _ = as_values(y)
        if kind != self.kind:
            raise InputError(f"labels as {self.kind}, as in fit", f"labels as {kind}", at="y")
        distinct = {value: self.nodes.get(value, UNKNOWN) for value in values}
        others = [value for value, node in distinct.items() if node == UNKNOWN]
        if others and not self.is_open:
            distinct |= dict(zip(others, _looked_up(self.taxonomy, others, self.separator), strict=True))
        return np.fromiter((distinct[value] for value in values), np.int64, len(values))

    def labels(self, nodes: IntArray) -> NDArray[Any]:
        """The label of each node, in the form that was given.

        Names become one array of their type. Paths become an array of tuples. Padded rows have a column per level of
        the tree. The root is ``()``, a row of blanks, or the name of the root.
        """
        distinct, place = np.unique(nodes, return_inverse=True)
        if self.kind == "names":
            return _typed([self._name(node) for node in distinct.tolist()], self.type_of_values)[place]
        if self.kind == "paths":
            return _objects([self._path(node) for node in distinct.tolist()])[place]
        first = 0 if self.is_rooted else 1
        width = max(self.columns, self.taxonomy.num_levels + 1 - first)
        blank = np.full((len(distinct), width), "", dtype=object)
        for row, node in enumerate(distinct.tolist()):
            for above in self._shown(node):
                blank[row, self.taxonomy.level[above] - first] = self._step(above)
        cells = blank if self.type_of_values.kind not in "US" else blank.astype(np.str_)
        return cells[place]

    def classes(self, nodes: IntArray) -> NDArray[Any]:
        """One value per node, in one dimension: names, or tuples of names for paths and padded rows."""
        if self.kind == "names":
            return self.labels(nodes)
        return _objects([self._path(node) for node in nodes.tolist()])

    def _path(self, node: int) -> tuple[Any, ...]:
        return tuple(self._step(above) for above in self._shown(node))

    def _shown(self, node: int) -> tuple[int, ...]:
        """The nodes of a path that labels name."""
        return self.taxonomy.path(node)[0 if self.is_rooted else 1 :]

    def _step(self, node: int) -> Any:
        return self.steps.get(node, str(self.taxonomy.names[node]))

    def _name(self, node: int) -> Any:
        given = self._given.get(node)
        if given is not None:
            return given
        if node == 0 and self.taxonomy.synthetic_root:
            return ROOT_NAME
        if self._are_paths:
            return self._joined(node)
        name = str(self.taxonomy.names[node])
        return name if self.taxonomy.matches(name) == [node] else self._joined(node)

    def _joined(self, node: int) -> str:
        if self.separator is None or self.separator == SEPARATOR:
            return self.taxonomy.path_name(node)
        return self.separator.join(self.taxonomy.path_names(node))

    @cached_property
    def _given(self) -> dict[int, Any]:
        """A label that was given for each node that had one."""
        return {node: label for label, node in reversed(list(self.nodes.items()))}

    @cached_property
    def _are_paths(self) -> bool:
        """Whether names were given as whole paths."""
        deep = [(label, node) for label, node in self.nodes.items() if self.taxonomy.depth[node] > 1]
        return bool(deep) and all(label == self._joined(node) for label, node in deep)


def read_labels(y: Any, taxonomy: Taxonomy | None, *, separator: str | None = None) -> tuple[LabelForm, IntArray]:
    """The form of labels, and the node of each.

    Args:
        y: The labels: values (names, ids or paths of a given tree, or flat classes); tuples or lists of names; or a
            two-dimensional array or data frame with a column per level, as hiclass takes them, in which ``""``,
            ``None`` and NaN stand for levels that a label does not have.
        taxonomy: The tree; ``None`` to make it from the labels.
        separator: Text between the names of a path in one value, as in ``"/"``. Names of a given tree may be paths with
            ``/`` without it.

    Raises:
        InputError: A label is not in the tree, names several nodes, or has no name.

    Example:
        >>> form, nodes = read_labels([("fruit", "apple"), ("fruit",)], None)
        >>> nodes, form.labels(nodes).tolist()
        (array([2, 1]), [('fruit', 'apple'), ('fruit',)])
        >>> form, nodes = read_labels(np.array([["fruit", "apple"], ["tool", ""]]), None)
        >>> form.labels(nodes).tolist()
        [['fruit', 'apple'], ['tool', '']]
    """
    if separator == "":
        raise InputError("a separator with at least one character", "''", at="separator")
    kind, values, given = as_values(y)
    distinct, is_open = in_order(dict.fromkeys(values)), taxonomy is None
    if taxonomy is None:
        if kind == "names":
            _check_names(distinct)
            _warn_of_paths(distinct, separator)
        taxonomy, found = _tree_of([_steps(label, separator) for label in distinct], given.columns)
        nodes = dict(zip(distinct, found, strict=True))
    else:
        found = _looked_up(taxonomy, distinct, separator)
        nodes = dict(zip(distinct, found, strict=True))
    form = LabelForm(
        taxonomy,
        kind,
        nodes,
        {} if kind == "names" else _values_of_steps(taxonomy, distinct, found),
        given.type_of_values,
        separator,
        is_open=is_open,
        columns=given.width,
        is_rooted=not is_open and kind != "names" and _begin_with_root(taxonomy, nodes),
    )
    return form, np.fromiter((nodes[value] for value in values), np.int64, len(values))


@dataclasses.dataclass(frozen=True)
class _Given:
    type_of_values: np.dtype[Any]
    columns: tuple[str, ...] = ()
    width: int = 0


def as_values(y: Any) -> tuple[Kind, list[Any], _Given]:
    """The kind of labels, and one hashable value per image: a name, or a tuple of names in which blanks are ``""``.

    Raises:
        InputError: They are of several kinds, or have more than two dimensions.
    """
    columns: tuple[str, ...] = ()
    if hasattr(y, "columns"):  # a data frame
        columns = tuple(map(str, y.columns))
    elif isinstance(y, Sequence) and not isinstance(y, str):
        given = cast("Sequence[Any]", y)
        if any(_is_path(label) for label in given):
            return "paths", _paths(given), _Given(np.dtype(object))
    array = np.asarray(y)
    if array.ndim > 2:
        raise InputError("labels with one or two dimensions", f"{array.ndim}", at="y")
    if array.ndim == 2 and array.shape[1] == 1:
        from sklearn.utils import column_or_1d

        array = column_or_1d(array, warn=True)
    if array.ndim == 2:
        if array.dtype.kind == "f":
            advice = 'Whole numbers with gaps: y.astype("Int64"), or texts.'
            raise InputError("names or whole numbers as labels", f"an array of {array.dtype}", at="y", advice=advice)
        rows = [tuple("" if is_blank(cell) else cell for cell in row) for row in array.tolist()]
        return "padded", rows, _Given(array.dtype, columns, array.shape[1])
    if array.dtype == object and any(_is_path(label) for label in array):
        return "paths", _paths(array.tolist()), _Given(array.dtype)
    from sklearn.utils.multiclass import check_classification_targets

    check_classification_targets(array)
    return "names", array.tolist(), _Given(array.dtype)


def _paths(labels: Sequence[Any]) -> list[tuple[Any, ...]]:
    for label in labels:
        if not _is_path(label):
            raise InputError("a tuple or list of names for each image", f"{label!r:.60} among them", at="y")
    return [tuple("" if is_blank(value) else value for value in label) for label in labels]


def _is_path(label: Any) -> bool:
    return isinstance(label, tuple | list | np.ndarray)


def is_blank(value: Any) -> bool:
    """Whether a value stands for no name: ``""``, ``None``, NaN, or pandas' ``NA``, which equals nothing."""
    try:
        return value is None or bool(value == "" or value != value)
    except TypeError:
        return True


def in_order(labels: Iterable[Any]) -> list[Any]:
    """Labels in an order that does not depend on that of the images: as NumPy sorts them, or by type and text."""
    known = list(labels)
    try:
        return sorted(known)
    except TypeError:  # of several types
        return sorted(known, key=lambda label: (str(type(label)), str(label)))


def _steps(label: Any, separator: str | None) -> tuple[Any, ...]:
    if isinstance(label, tuple):
        return cast("tuple[Any, ...]", label)
    if separator is None or not isinstance(label, str):
        return (label,)
    return label_steps(label) if separator == SEPARATOR else tuple(label.split(separator))


def _tree_of(paths: list[tuple[Any, ...]], level_names: tuple[str, ...]) -> tuple[Taxonomy, list[int]]:
    """The tree of some paths, and the node of each."""
    texts = [tuple(map(str, path)) for path in paths]
    if len(set(texts)) < len(set(paths)):
        raise InputError("labels that differ as texts", "a number and a text that look the same", at="y")
    names = level_names if len(level_names) == max(map(len, paths), default=0) else None
    taxonomy = Taxonomy.from_paths([text for text in texts if any(text)], level_names=names)
    places, found = _places(taxonomy), list[int]()
    for text in texts:
        node = 0
        for level, name in enumerate(text, start=1):
            node = places[node, name, level] if name else node
        found.append(node)
    return taxonomy, found


def _values_of_steps(taxonomy: Taxonomy, paths: list[tuple[Any, ...]], nodes: list[int]) -> dict[int, Any]:
    """The value given for each node in paths, if it is not a text.

    Raises:
        InputError: A number and a text were given for the same node.
    """
    found: dict[int, Any] = {}
    for path, node in zip(paths, nodes, strict=True):
        values = [value for value in path if not is_blank(value)]
        for value, above in zip(reversed(values), reversed(taxonomy.path(node)), strict=False):
            if found.setdefault(above, value) != value:
                got = f"{found[above]!r} and {value!r} for one node"
                raise InputError("labels that differ as texts", got, at="y")
    return {node: value for node, value in found.items() if not isinstance(value, str)}


def _begin_with_root(taxonomy: Taxonomy, nodes: Mapping[Any, int]) -> bool:
    """Whether all paths begin with a root that has a name."""
    lengths = {label: sum(not is_blank(value) for value in label) for label in nodes}
    return not taxonomy.synthetic_root and all(
        lengths[label] == taxonomy.depth[node] + 1 for label, node in nodes.items() if lengths[label]
    )


def _places(taxonomy: Taxonomy) -> dict[tuple[int, str, int], int]:
    """Node by its parent, name and level."""
    nodes = zip(taxonomy.parents.tolist(), taxonomy.names.tolist(), taxonomy.level.tolist(), strict=True)
    return {place: node for node, place in enumerate(nodes) if node}


def _looked_up(taxonomy: Taxonomy, labels: list[Any], separator: str | None) -> list[int]:
    """Nodes of labels in a tree that was given."""
    texts: list[Any] = []
    for label in labels:
        steps = tuple(str(value) for value in _steps(label, separator) if not is_blank(value))
        texts.append(steps if isinstance(label, tuple) or len(steps) > 1 else steps[0] if steps else "")
    asked = [text for text in texts if text != ()]
    try:
        found = iter(taxonomy.find(asked, at="y").tolist() if asked else [])
    except InputError as error:
        advice = error.advice
        if any(isinstance(label, int) for label in labels):
            advice += (
                " Numbers are looked up as names; for nodes, pass their paths: [tree.path_names(n) for n in nodes]."
            )
        raise InputError(error.expected, error.got, at=error.at, advice=advice) from None
    return [0 if text == () else next(found) for text in texts]


def _check_names(labels: Sequence[Any]) -> None:
    blank = [label for label in labels if is_blank(label)]
    if blank:
        raise InputError("a name for each label", repr(blank[0]), at="y")


def _warn_of_paths(labels: Sequence[Any], separator: str | None) -> None:
    """Warn if flat classes are probably meant as paths: most contain ``/``, or none contains the separator."""
    deep = [label for label in labels if isinstance(label, str) and SEPARATOR in label.strip(SEPARATOR)]
    looks = 2 * len(deep) > len(labels) > 1
    if separator is None and looks:
        warn(f"Labels that look like paths, such as {deep[0]!r}, as flat classes", advice='Pass separator="/".')
    elif separator is not None and not any(separator in str(label) for label in labels):
        advice = 'Pass separator="/".' if looks else "Pass the text between the names of a path."
        warn(f"Flat classes, since no label contains the separator {separator!r}", advice=advice)


def _typed(values: list[Any], wanted: np.dtype[Any]) -> NDArray[Any]:
    """An array of the wanted type, or of objects if the values are others."""
    if all(isinstance(value, str) for value in values) and wanted.kind == "U":
        return np.array(values, dtype=np.str_)
    if wanted.kind != "O" and not any(isinstance(value, str) for value in values):
        return np.array(values, dtype=wanted)
    return _objects(values)


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        found[place] = value
    return found
