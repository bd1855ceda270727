"""Refusal of known documents and tables that are not taxonomies."""

from __future__ import annotations

import re

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.column_names import IMAGE_FILE, squeezed
from cladewise.taxonomy.formats.tables.table import Table

SAMPLE = 1000
SAMPLE_BYTES = 2**16
DOCUMENTS = {
    rb"[{\[]": ("JSON", 'Pass format="json".'),
    rb"<[!?a-zA-Z]": ("XML or HTML", "Save its table as CSV."),
    rb"#NEXUS|\(.*\)[^()]*;\s*\Z": ("Newick or NEXUS", 'Pass format="newick".'),
    rb"\|[^\n]*\|[ \t]*\r?\n[ \t]*\|[ :|-]+\|": ("a table in Markdown", "Write a comma or a tab between the cells."),
    rb"(strict\s+)?(di)?graph\b.*\{|(graph|flowchart|mindmap)\b[^,\t\n]*\n": (
        "a drawing of a graph",
        "Write its edges as a table with the columns parent and child.",
    ),
}
"""Patterns at the beginning of documents that are sometimes named as tables."""


def refuse_documents(data: bytes, source: str) -> None:
    """Refuse a document that is not a table, by its first characters.

    Raises:
        InputError: It is one; the message names its kind.

    Example:
        >>> refuse_documents(b"<table>", "classes.csv")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a table, but got XML or HTML at classes.csv. Save its table as CSV.
    """
    for pattern, (kind, advice) in DOCUMENTS.items():
        if re.match(pattern, data.lstrip()[:SAMPLE_BYTES], re.DOTALL):
            raise InputError("a table", kind, at=source, advice=advice)


def refuse_foreign(table: Table) -> None:
    """Refuse a manifest of images, which is not a tree.

    Raises:
        InputError: The table is a manifest.
    """
    if not table.columns:
        return
    words = {squeezed(name) for name in table.columns}
    files = [name for name in table.columns if _image_share(table, name) >= 0.5]
    if files or ("path" in words and ("label" in words or "class" in words)):
        reason = f"image files in {files[0]!r}" if files else "path and label"
        raise InputError(
            "a tree of labels",
            f"a manifest of images with the columns {some(table.columns)} ({reason})",
            at=table.source,
            advice="Pass it as the dataset; a taxonomy lists labels.",
        )


def _image_share(table: Table, name: str) -> float:
    cells = table.frame[name].head(SAMPLE)
    return float(cells.str.contains(IMAGE_FILE).mean() or 0.0) if cells.len() else 0.0  # type: ignore[arg-type]
