"""Parsing of corrections: the image and the node of a request."""

from __future__ import annotations

from cladewise.serving.asking import IMAGE_FIELDS, MOST_NAME, json_object, text_of
from cladewise.serving.model import Model
from cladewise.serving.multipart import parts_of
from cladewise.serving.refusals import Refused, refusing

CORRECTION_FIELDS = ("id", "node", "label_path", "predicted")
"""Fields of a correction besides the image."""


def read_correction(body: bytes, content_type: str) -> tuple[bytes | None, dict[str, str]]:
    """The image and the fields of a correction; no image if an id refers to one.

    Raises:
        Refused: The body has another type, is malformed or has several images, an unknown field, or two values of one.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        given = [(name, str(value)) for name, value in json_object(body).items() if value is not None]
        return None, _fields(given)
    if kind != "multipart/form-data":
        raise Refused(415, "a body of type multipart/form-data or application/json", kind or "none", kind="type")
    images, given = list[bytes](), list[tuple[str, str]]()
    for part in parts_of(body, content_type, most=16):
        if part.name in IMAGE_FIELDS:
            images.append(part.content)
        else:
            _check_field(part.name)
            given.append((part.name, text_of(part.content, part.name)))
    if len(images) > 1:
        raise Refused(422, "one image", f"{len(images)}", kind="count")
    return next(iter(images), None), _fields(given)


def label_of(model: Model, fields: dict[str, str]) -> str:
    """The path of the node that a correction gives as ``node`` or ``label_path``.

    Raises:
        Refused: There is none, it is not a node below the root, or both are given and do not agree.
    """
    path = fields.get("label_path", "")
    if "node" in fields:
        node = node_of(model, fields["node"], "node")
    elif path:
        node = refusing(model.taxonomy.find, path)
    else:
        raise Refused(422, "the right label as node or label_path", "neither")
    if node == 0:
        raise Refused(422, "a label below the root", "the root")
    found = model.namer("").path(node)
    if "node" in fields and path and path != found:
        advice = "If the model was replaced, its tree is another one: ask for it again."
        expected = f"a label_path that is the path of node {node}, {found}"
        raise Refused(422, expected, repr(path[:MOST_NAME]), advice=advice)
    return found


def node_of(model: Model, text: str, field: str) -> int:
    """A node by its index, or by its path.

    Raises:
        Refused: There is no such node.
    """
    if not text.isdecimal() or len(text) > 12:
        return refusing(model.taxonomy.find, text)
    if int(text) >= model.taxonomy.num_nodes:
        raise Refused(422, f"a node from 0 to {model.taxonomy.num_nodes - 1} as {field}", text)
    return int(text)


def _fields(given: list[tuple[str, str]]) -> dict[str, str]:
    """The fields of a correction that are not blank."""
    fields: dict[str, str] = {}
    for name, value in given:
        _check_field(name)
        if value and fields.setdefault(name, value) != value:
            raise Refused(422, f"one value of {name}", f"{fields[name]!r} and {value!r}"[:MOST_NAME], kind="option")
    return fields


def _check_field(name: str) -> None:
    if name not in CORRECTION_FIELDS:
        raise Refused(422, f"an image or a field: {', '.join(CORRECTION_FIELDS)}", repr(name[:100]), kind="option")
