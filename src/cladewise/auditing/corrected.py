"""The table of corrections beside the page of an audit."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.datasets import Dataset
from cladewise.datasets.corrections import ACTION, ACTIONS, RELABEL, read_verdicts
from cladewise.datasets.manifest_table import LABEL, PATH
from cladewise.errors import InputError

FILE = "corrections.csv"

Decision = tuple[str, int]
"""An action, and the node of the new label; -1 for actions without one."""


def read_corrections(folder: Path, dataset: Dataset) -> dict[str, Decision]:
    """The decisions in the table of a folder, by the path of the image; empty if there is no table.

    Raises:
        InputError: The table is not one of corrections of this data.
    """
    if not (folder / FILE).is_file():
        return {}
    found = read_verdicts(dataset, folder / FILE)
    rows = zip(found.images.tolist(), found.actions, found.nodes.tolist(), strict=True)
    return {str(dataset.paths[image]): (action, node) for image, action, node in rows}


def write_corrections(folder: Path, dataset: Dataset, decided: Mapping[str, Decision]) -> Path:
    """Write the table, whole or not at all; images with the action ``keep`` have their present label.

    Args:
        folder: The folder.
        dataset: The data.
        decided: Decision by path.

    Returns:
        The table.

    Example:
        >>> import numpy as np
        >>> from cladewise.taxonomy import Taxonomy
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin")])
        >>> photos = Dataset("d", tree, Path(), ["a", "b"], np.array([2, 2]), {})
        >>> print(write_corrections(getfixture("tmp_path"), photos, {"b": ("label", 3), "a": ("keep", -1)}).read_text())
        path,label,action
        b,bird/robin,label
        a,bird/wren,keep
        <BLANKLINE>
    """
    place = {path: image for image, path in enumerate(dataset.paths)}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([PATH, LABEL, ACTION])
    for path, (action, node) in decided.items():
        label = node if action == RELABEL else int(dataset.nodes[place[path]])
        rows.writerow([path, dataset.taxonomy.path_name(label), action])
    write_text(folder / FILE, text.getvalue())
    return folder / FILE


def checked(dataset: Dataset, known: frozenset[str], path: object, action: object, node: object) -> Decision:
    """The decision of a request, checked.

    Raises:
        InputError: The image, the action or the node is not known.
    """
    if not isinstance(path, str) or path not in known:
        raise InputError(f"the path of an image of {dataset.name}", repr(path))
    if action not in ACTIONS:
        raise InputError(f"an action: {', '.join(ACTIONS)}", repr(action))
    if action != RELABEL:
        return str(action), -1
    if type(node) is not int or not 0 <= node < dataset.taxonomy.num_nodes:
        raise InputError(f"a node from 0 to {dataset.taxonomy.num_nodes - 1}", repr(node))
    if node == 0 and dataset.taxonomy.synthetic_root:
        raise InputError("a node with a name", "the root, which has none", advice="Use the action unsure or remove.")
    return RELABEL, node
