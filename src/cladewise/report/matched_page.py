"""The HTML page of two versions of a tree: what changed by branch, and what a person has to decide."""

from __future__ import annotations

import datetime
import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from cladewise.report.charts import as_script_data
from cladewise.report.templating import environment, write_html
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.correspondence import CHANGES, Correspondence, distinguishing_ids

__all__ = ["write_matched_page"]


def write_matched_page(
    correspondence: Correspondence,
    out: str | PathLike[str],
    *,
    title: str = "Two versions of a tree",
    old_name: str = "old",
    new_name: str = "new",
    note: str = "",
) -> Path:
    """Write correspondences as one self-contained HTML page, on which a person can decide and edit them.

    The page filters by kind of change and branch, sorts by certainty, asks about the rows to decide, changes
    counterparts, and saves the edited ``matched.csv``. It needs no network and no server; it is tested in
    Chromium.

    Args:
        correspondence: The correspondences, with all their rows.
        out: The file to write.
        title: Heading.
        old_name: Name of the old tree, such as its file.
        new_name: Name of the new tree.
        note: A remark above the table, such as that ids were not used.

    Raises:
        InputError: The file cannot be written.

    Example:
        >>> from cladewise.taxonomy import match
        >>> old, new = Taxonomy.from_paths([("fruit", "kaki")]), Taxonomy.from_paths([("fruit", "kaki fruit")])
        >>> page = write_matched_page(match(old, new), getfixture("tmp_path") / "matched.html")
        >>> "kaki fruit" in page.read_text()
        True
    """
    old, new = correspondence.old, correspondence.new
    template = environment().get_template("matched.html")
    html = template.render(
        title=title,
        old={"name": old_name, "nodes": old.num_nodes - int(old.synthetic_root), "leaves": old.num_leaves},
        new={"name": new_name, "nodes": new.num_nodes - int(new.synthetic_root), "leaves": new.num_leaves},
        note=note,
        counts=correspondence.counts(),
        num_asked=int(correspondence.ask.sum()),
        changes=CHANGES,
        data=Markup(as_script_data(json.dumps(_data(correspondence, old_name, new_name), separators=(",", ":")))),
        date=datetime.date.today().isoformat(),
    )
    return write_html(Path(out), html)


def _data(found: Correspondence, old_name: str, new_name: str) -> dict[str, Any]:
    """Everything that the page's script needs: both trees and the rows, each distinct text once."""
    texts, which = np.unique(found.evidence.astype(object).astype(str), return_inverse=True)
    return {
        "changes": CHANGES,
        "old": _tree(found.old, old_name),
        "new": _tree(found.new, new_name),
        "evidence": texts.tolist(),
        "rows": {
            "old": found.old_nodes.tolist(),
            "new": found.new_nodes.tolist(),
            "certainty": [round(certainty, 4) for certainty in found.certainty.tolist()],
            "evidence": which.tolist(),
            "ask": np.flatnonzero(found.ask).tolist(),
        },
    }


def _tree(tree: Taxonomy, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "names": tree.names.tolist(),
        "parents": tree.parents.tolist(),
        "unnamed": tree.synthetic_root,
        "ids": {str(node): text for node, text in distinguishing_ids(tree).items()},
    }
