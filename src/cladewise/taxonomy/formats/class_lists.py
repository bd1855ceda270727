"""Classes of the bird data sets CUB-200 and NABirds, in text files with an id and a value per line.

``classes.txt`` has the name of each class; NABirds' ``hierarchy.txt`` its parent, both by id. CUB-200 has no tree: its
classes are below the root.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.members import Members, matching, members_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.names.columns import ID, SYNONYMS, join_names
from cladewise.taxonomy.order import cycle_text, cycles
from cladewise.taxonomy.tree import Taxonomy

CLASSES, HIERARCHY = "classes.txt", "hierarchy.txt"


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the classes of a folder or archive, with their ids; see :func:`tree_of_lists`."""
    del options
    with members_of(path) as members:
        found = matching(members.names, [CLASSES])
        if found is None:
            raise InputError(f"a file {CLASSES}", "none", at=str(path))
        above = matching(members.names, [HIERARCHY])
        return tree_of_lists(
            pairs(_text(members, found[0]), f"{path}/{CLASSES}"),
            pairs(_text(members, above[0]), f"{path}/{HIERARCHY}") if above else {},
            str(path),
        )


def tree_of_lists(names: dict[str, str], parents: dict[str, str], at: str) -> Taxonomy:
    """The tree of classes by id.

    A name such as CUB's ``001.Black_footed_Albatross`` is also found without its number and with blanks.

    Args:
        names: Name of each class.
        parents: Id of the parent of each class; those without one are at the top.
        at: The folder, for messages.

    Raises:
        InputError: A parent is no class, or there is a cycle.

    Example:
        >>> tree = tree_of_lists({"0": "Birds", "1": "Ducks", "2": "Wood Duck (Male)"}, {"1": "0", "2": "1"}, "here")
        >>> tree.path_name(tree.find("2"))
        'Birds/Ducks/Wood Duck (Male)'
    """
    position = {identifier: node for node, identifier in enumerate(names, start=1)}
    unknown = [identifier for pair in parents.items() for identifier in pair if identifier not in position]
    if unknown:
        raise InputError(f"ids of {CLASSES} in {HIERARCHY}", some(unknown), at=at)
    above = np.array([-1, *(position[parents[i]] if i in parents else 0 for i in names)])
    if loops := cycles(above):
        shown = cycle_text([list(names)[node - 1] for node in loops[0]])
        raise InputError("a tree", f"a cycle: {shown}", at=f"{at}/{HIERARCHY}")
    others = [_without_number(name) for name in names.values()]
    columns = {ID: ["", *names]} | ({SYNONYMS: ["", *others]} if any(others) else {})
    texts = ["", *names.values()]
    if parents and int((above == 0).sum()) == 1:  # one class at the top, which is the root
        above = np.where(above[1:] == 0, -1, above[1:] - 1)
        columns, texts = {key: values[1:] for key, values in columns.items()}, texts[1:]
    return Taxonomy.from_parents(above, texts, columns=columns)


def pairs(text: str, at: str) -> dict[str, str]:
    """An id and a value per line, with a blank between.

    Raises:
        InputError: A line has no value, an id repeats, or there is no line.

    Example:
        >>> pairs("1 wren\\n2 Wood Duck\\n", "classes.txt")
        {'1': 'wren', '2': 'Wood Duck'}
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        identifier, _, value = line.strip().partition(" ")
        if not value.strip() or identifier in found:
            got = "an id again" if identifier in found else "no value"
            raise InputError("an id of its own and a value per line", f"{got}: {line!r:.60}", at=f"{at}:{number}")
        found[identifier] = value.strip()
    if not found:
        raise InputError("an id of its own and a value per line", "an empty file", at=at)
    return found


def _without_number(name: str) -> str:
    """Other names of a class: without the number in front, and with blanks for underscores."""
    number, _, rest = name.partition(".")
    return join_names([rest, rest.replace("_", " ")]) if number.isdigit() and rest else ""


def _text(members: Members, name: str) -> str:
    with members.open(name) as stream:
        data = stream.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("UTF-8 text", f"byte 0x{data[error.start]:02X}", at=f"{members.path}/{name}") from error
