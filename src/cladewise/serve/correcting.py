"""Parsing of corrections: the image and the node of a request."""

from __future__ import annotations

from cladewise.serve.asking import json_object, text_of
from cladewise.serve.model import Model
from cladewise.serve.multipart import parts_of
from cladewise.serve.refusals import Refused, refusing


def read_correction(body: bytes, content_type: str) -> tuple[bytes | None, dict[str, str]]:
    """The image and the fields of a correction; no image if an id refers to one.

    Raises:
        Refused: The body has another type or is malformed.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        read = json_object(body)
        return None, {name: str(value) for name, value in read.items() if value is not None}
    if kind != "multipart/form-data":
        raise Refused(415, "a body of type multipart/form-data or application/json", kind or "none", kind="type")
    content, fields = None, dict[str, str]()
    for part in parts_of(body, content_type, most=16):
        if part.name == "image":
            content = part.content
        else:
            fields[part.name] = text_of(part.content, part.name)
    return content, fields


def label_of(model: Model, fields: dict[str, str]) -> str:
    """The path of the node that a correction gives as ``node`` or ``label_path``.

    Raises:
        Refused: There is none, or it is not a node below the root.
    """
    if "node" in fields:
        node = node_of(model, fields["node"], "node")
    elif fields.get("label_path"):
        node = refusing(model.taxonomy.find, fields["label_path"])
    else:
        raise Refused(422, "the right label as node or label_path", "neither")
    if node == 0:
        raise Refused(422, "a label below the root", "the root")
    return model.namer("").path(node)


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
