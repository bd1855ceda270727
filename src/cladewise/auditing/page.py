"""The page to walk through the findings of an audit: one image at a time, decided by keyboard."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from cladewise.auditing.corrected import read_corrections
from cladewise.auditing.duplicates import Duplicates
from cladewise.auditing.result import Audit
from cladewise.auditing.suspicion import UNSUPPORTED, VERDICTS
from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.charts import as_script_data
from cladewise.report.templating import environment, write_html

IntArray = NDArray[np.int64]

TEMPLATES = Path(__file__).parent / "templates"
SIDE = 224
"""Longest side of a picture in pixels."""
EXAMPLES = 8
"""Pictures of each class among the findings about classes."""
MOST_CLASSES = 60
"""Findings about classes on the page; the table has all."""


def write_audit_page(found: Audit, out: Path, *, most: int) -> Path:
    """Write the page as one self-contained HTML file.

    Without a server the page keeps decisions in the browser and saves them as a table; decisions that are in
    ``corrections.csv`` beside it are shown as made.

    Args:
        found: The audit.
        out: The file to write.
        most: Largest number of images on each list.

    Raises:
        InputError: The file cannot be written.
    """
    data, record = found.dataset, found.record
    name = Path(found.folder).parent.parent.name
    content = {
        "key": hashlib.sha256(f"{data.root}|{found.split}|{record.model}".encode()).hexdigest()[:16],
        "tree": {
            "names": found.taxonomy.names.tolist(),
            "parents": found.taxonomy.parents.tolist(),
            "unnamed": found.taxonomy.synthetic_root,
        },
        "lists": [each for each in _lists(found, most) if each["items"]],
        "decided": read_corrections(out.parent, data),
    }
    text = as_script_data(json.dumps(content, separators=(",", ":"), allow_nan=False))
    html = (
        environment(TEMPLATES)
        .get_template("audit.html")
        .render(
            title=f"Labels worth a second look: {name}, {found.split}",
            record=record,
            data=Markup(text),
            classes=_classes(found),
            credit=data.credit,
            date=datetime.date.today().isoformat(),
        )
    )
    return write_html(out, html)


def _lists(found: Audit, most: int) -> list[dict[str, Any]]:
    conflicting = found.conflicting
    across = found.duplicates.chosen(found.across & ~found.contradict)
    return [
        {
            "key": "suspects",
            "title": "Probably wrong",
            "lead": "The model, which has not seen these images, places them elsewhere. The most expected false "
            "information comes first.",
            "items": _images(found, found.suspects[:most]),
        },
        {
            "key": "conflicts",
            "title": "Twice, with different labels",
            "lead": "The same picture, or nearly, with two labels that contradict each other.",
            "items": _pairs(found, conflicting, most),
        },
        {
            "key": "across",
            "title": "In two splits",
            "lead": "The same picture, or nearly, in different splits: remove one, or the test measures memorisation.",
            "items": _pairs(found, across, most),
        },
        {
            "key": "finer",
            "title": "Could be finer",
            "lead": "These labels are not wrong, but the evidence goes further down the tree.",
            "items": _images(found, found.finer[:most]),
        },
    ]


def _offered(found: Audit, node: int) -> int | None:
    """A node that can be accepted as a label; a root without a name of its own is none."""
    return None if node == 0 and found.taxonomy.synthetic_root else node


def _images(found: Audit, positions: IntArray) -> list[dict[str, Any]]:
    evidence = found.found
    items: list[dict[str, Any]] = []
    for at in positions.tolist():
        is_open = VERDICTS[int(evidence.verdict[at])] == UNSUPPORTED
        items.append(
            {
                **_image(found, int(found.index[at])),
                "proposal": _offered(found, int(evidence.proposal[at])),
                "open": is_open,
                "p": round(float(evidence.probability[at]), 4),
                "wrong": round(float(evidence.wrong[at]), 4),
                "bits": round(float(evidence.bits[at]), 3),
                "gain": round(float(evidence.gain[at]), 3),
                "top": [
                    [node, round(p, 4)]
                    for node, p in zip(evidence.top[at].tolist(), evidence.top_probability[at].tolist(), strict=True)
                ],
            }
        )
    return items


def _pairs(found: Audit, pairs: Duplicates, most: int) -> list[dict[str, Any]]:
    """One item per pair: the image of which the label is less probable, beside the other."""
    position = np.full(len(found.dataset), -1, dtype=np.int64)
    position[found.index] = np.arange(found.index.size)
    items: list[dict[str, Any]] = []
    for first, second, bits, same in zip(
        pairs.first[:most].tolist(),
        pairs.second[:most].tolist(),
        pairs.bits[:most].tolist(),
        pairs.same_content[:most].tolist(),
        strict=True,
    ):
        doubt = [float(found.found.wrong[position[i]]) if position[i] >= 0 else -1.0 for i in (first, second)]
        image, other = (first, second) if doubt[0] >= doubt[1] else (second, first)
        labels = int(found.dataset.nodes[image]), int(found.dataset.nodes[other])
        items.append(
            {
                **_image(found, image),
                "proposal": _offered(found, labels[1]) if labels[0] != labels[1] else None,
                "beside": {
                    **_image(found, other),
                    "text": "the same file content" if same else f"{bits} of 64 bits of the picture hash differ",
                },
            }
        )
    return items


def _image(found: Audit, index: int) -> dict[str, Any]:
    data = found.dataset
    return {
        "path": data.paths[index],
        "picture": thumbnail(data.root / data.paths[index], SIDE),
        "label": int(data.nodes[index]),
        "split": found.splits[index],
    }


def _classes(found: Audit) -> list[dict[str, Any]]:
    """Findings about classes, with the images that show them."""
    data, tree, shown = found.dataset, found.taxonomy, list[dict[str, Any]]()
    nodes = data.nodes[found.index]
    for one in found.one_class[:MOST_CLASSES]:
        groups = [(tree.path_name(node), found.index[nodes == node]) for node in (one.first, one.second)]
        text = (
            f"told apart in {100 * one.area:.0f}% of pairs of images, at most {100 * one.upper:.0f}% (chance: 50%)"
            f"; {'siblings' if one.are_siblings else 'of different branches'}"
        )
        shown.append({"kind": "one class?", "text": text, "groups": [_group(found, *group) for group in groups]})
    for two in found.two_kinds[:MOST_CLASSES]:
        rows = found.usable[data.nodes[found.usable] == two.node]
        sides = [("the larger group", rows[~two.second]), ("the smaller group", rows[two.second])]
        text = (
            f"{tree.path_name(two.node)}: its two groups are {two.separation:.1f} times as far apart as sibling "
            f"classes are, and explain {100 * two.explained:.0f}% of its variance"
        )
        shown.append({"kind": "two classes?", "text": text, "groups": [_group(found, *side) for side in sides]})
    return shown


def _group(found: Audit, title: str, images: IntArray) -> dict[str, Any]:
    chosen: Sequence[int] = images[np.linspace(0, len(images) - 1, min(EXAMPLES, len(images))).astype(int)].tolist()
    data = found.dataset
    pictures = [{"path": data.paths[i], "picture": thumbnail(data.root / data.paths[i], SIDE // 2)} for i in chosen]
    return {"title": title, "count": len(images), "pictures": pictures}
