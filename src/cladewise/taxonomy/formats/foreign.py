"""Tables and texts that are known, and are no taxonomies."""

from __future__ import annotations

from cladewise.errors import InputError
from cladewise.taxonomy.formats.column_names import IMAGE_FILE, squeezed
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.problems import some

SAMPLE = 1000
MARKUP = {"{": "JSON", "[": "JSON", "<": "XML or HTML"}


def refuse_foreign(table: Table) -> None:
    """Refuse what is certainly no tree: a manifest of images, or a document in the place of a table.

    Raises:
        InputError: The text names what the table is.
    """
    if not table.columns:
        return
    first = table.columns[0].lstrip()
    if table.header_line and first[:1] in MARKUP:
        kind = MARKUP[first[:1]]
        raise InputError("a table", f"{kind}", at=table.source, advice="Name the file by its format.")
    words = {squeezed(name) for name in table.columns}
    files = [name for name in table.columns if _image_share(table, name) >= 0.5]
    if files or ("path" in words and ("label" in words or "class" in words)):
        reason = f"image files in {files[0]!r}" if files else "path and label"
        raise InputError(
            "a tree of labels",
            f"a manifest of images with the columns {some(table.columns)} ({reason})",
            at=table.source,
            advice="Give it as the data set; a taxonomy lists labels.",
        )


def _image_share(table: Table, name: str) -> float:
    cells = table.frame[name].head(SAMPLE)
    return float(cells.str.contains(IMAGE_FILE).mean() or 0.0) if cells.len() else 0.0  # type: ignore[arg-type]
