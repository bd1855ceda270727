"""Label Studio: the nested choices of a labelling configuration, read and written.

A control, ``<Taxonomy>`` or ``<Choices>``, holds ``<Choice value="Birds">`` elements in each other. An ``alias`` stands
in the annotations in place of the value, and is the node's ``id`` here, or a synonym if several choices have it. Its
``hint`` and ``html`` are kept as columns. Format: https://labelstud.io/tags/taxonomy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from cladewise.atomic import write_text
from cladewise.errors import InputError, warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.labelling.label_tree import label_tree
from cladewise.taxonomy.formats.losses import tell_losses
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.safe_xml import Element, read_xml
from cladewise.taxonomy.names.columns import ID, SYNONYMS, join_names
from cladewise.taxonomy.tree import Taxonomy

CONTROLS = ("taxonomy", "choices")
KEPT = ("hint", "html")
NAME, IMAGE = "taxonomy", "image"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the choices of a control of a labelling configuration.

    Raises:
        InputError: The file is not such a configuration, has several controls and none is chosen, or the choices of the
            control are not in the file.
    """
    control = _chosen(read_xml(path), options.control, str(path))
    found = list(_choices(control))
    if not found:
        loaded = control.get("apiUrl") or control.get("value")
        got = f"choices that are loaded from {loaded!r}" if loaded else "none"
        advice = "Save what is loaded there as JSON, and read that." if loaded else ""
        raise InputError(f"choices in the control {control.get('name')!r}", got, at=str(path), advice=advice)
    names = [choice.get("value") or choice.get("alias") or "" for _, choice in found]
    aliases = [choice.get("alias", "") if choice.get("value") else "" for _, choice in found]
    columns = _names(aliases) | {key: [choice.get(key, "") for _, choice in found] for key in KEPT}
    return label_tree(names, [above for above, _ in found], str(path), columns)


def write(taxonomy: Taxonomy, path: Path) -> None:
    """Write a labelling configuration for images with the tree as a ``<Taxonomy>``.

    Ids become aliases, so that annotations name nodes by them; a column ``hint`` becomes hints. Other columns and
    levels are lost, with a warning.

    Raises:
        InputError: A name or id has a control character, which XML cannot hold.
    """
    tell_losses(taxonomy, str(path), columns=(ID, *KEPT))
    _tell_same_names(taxonomy, str(path))
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
    control = ElementTree.SubElement(view, "Taxonomy", name=NAME, toName=IMAGE)
    element_of: dict[int, Element] = {}
    columns = {"alias": taxonomy.columns.get(ID), **{name: taxonomy.columns.get(name) for name in KEPT}}
    for node in range(1 if taxonomy.synthetic_root else 0, taxonomy.num_nodes):
        above = element_of.get(int(taxonomy.parents[node]), control)
        texts = {name: str(column[node]) for name, column in columns.items() if column is not None and column[node]}
        element_of[node] = ElementTree.SubElement(above, "Choice", {"value": str(taxonomy.names[node]), **texts})
    ElementTree.indent(view)
    _refuse_control_characters(taxonomy, str(path))
    write_text(path, ElementTree.tostring(view, encoding="unicode") + "\n")


def _chosen(root: Element, name: str | None, source: str) -> Element:
    """The control of a name, or the only one."""
    found = {element.get("name", ""): element for element in root.iter() if _tag(element) in CONTROLS}
    listed = ", ".join(f"{key!r} ({element.tag})" for key, element in found.items()) or "none"
    if name is not None and name not in found:
        raise InputError(f"the name of a control of choices: {listed}", repr(name), at=source)
    if name is None and len(found) != 1:
        advice = f'Choose one with control="{next(iter(found))}".' if found else ""
        raise InputError("one control of choices (Taxonomy or Choices)", listed, at=source, advice=advice)
    return found[name] if name is not None else next(iter(found.values()))


def _choices(control: Element) -> Iterator[tuple[int, Element]]:
    """Choices in pre-order, each with the position of its parent or -1; other elements are only wrappers."""
    stack = [(-1, element) for element in reversed(control)]
    number = 0
    while stack:
        above, element = stack.pop()
        if _tag(element) == "choice":
            yield above, element
            above = number
            number += 1
        stack += [(above, child) for child in reversed(element)]


def _tag(element: Element) -> str:
    return element.tag.lower()


def _names(aliases: list[str]) -> dict[str, list[str]]:
    """Aliases as ids, or as synonyms if one is that of several nodes."""
    given = [alias for alias in aliases if alias]
    if not given:
        return {}
    unique = len(set(given)) == len(given)
    return {ID: aliases} if unique else {SYNONYMS: [join_names([alias]) for alias in aliases]}


def _tell_same_names(taxonomy: Taxonomy, source: str) -> None:
    """Warn about names in several branches, which Label Studio's own summaries and filters count as one."""
    without = taxonomy.columns[ID] == "" if ID in taxonomy.columns else np.ones(taxonomy.num_nodes, dtype=bool)
    names, counts = np.unique(taxonomy.names[(taxonomy.names != "") & without], return_counts=True)
    again = names[counts > 1].tolist()
    if again:
        noun = "1 name" if len(again) == 1 else f"{len(again)} names"
        text = f"{noun} in several branches, which Label Studio's statistics count as one: {some(again)}"
        warn(text, at=source, advice="Give the nodes ids, which are written as aliases and tell them apart.")


def _refuse_control_characters(taxonomy: Taxonomy, source: str) -> None:
    for texts in (taxonomy.names, *(taxonomy.columns[name] for name in (ID, *KEPT) if name in taxonomy.columns)):
        wrong = next((text for text in texts.tolist() if _CONTROL.search(text)), None)
        if wrong is not None:
            raise InputError("texts without control characters", repr(wrong), at=source)
