"""The HTML page of a proposed tree, on which a person edits it and from which the edited tree is downloaded."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cladewise.errors import InputError
from cladewise.induction.assessing import MistakesInTree, TrainedOn
from cladewise.induction.proposal import CERTAINTY, EVIDENCE, Proposal
from cladewise.report.charts import as_script_data
from cladewise.report.templating import environment, write_html
from cladewise.statistics import TreeAgreement

TEMPLATES = Path(__file__).parent / "templates"
MOST_NODES = 20_000
"""Most nodes on a page, each of which is an element of it."""


def write_proposal_page(
    proposal: Proposal,
    out: str | PathLike[str],
    *,
    title: str = "A proposed tree",
    agreement: tuple[str, TreeAgreement, TreeAgreement] | None = None,
    mistakes: tuple[str, Sequence[MistakesInTree]] | None = None,
    trained: Sequence[TrainedOn] = (),
) -> Path:
    """Write a proposal as one self-contained page: groups are renamed, made, deleted and moved there, and undone.

    The page needs no network. Its button downloads the edited tree as a CSV file that :meth:`Taxonomy.read
    <cladewise.Taxonomy.read>` reads; groups without a class are left out of it.

    Args:
        proposal: The proposal.
        out: The file to write.
        title: Heading.
        agreement: Name of a given tree, the proposal's agreement with it, and that of the proposal with its classes
            permuted.
        mistakes: What the answers are of, in words, and the mistakes in each tree.
        trained: Methods trained on the tree.

    Raises:
        InputError: The tree has more than 20,000 nodes.

    Example:
        >>> from cladewise.induction import induce
        >>> proposal = induce(["apple juice", "orange juice", "milk", "whole milk"], "texts", encoder="characters")
        >>> write_proposal_page(proposal, getfixture("tmp_path") / "proposal.html").name
        'proposal.html'
    """
    num_nodes = proposal.taxonomy.num_nodes
    if num_nodes > MOST_NODES:
        raise InputError(
            f"at most {MOST_NODES:,} nodes on a page",
            f"{num_nodes:,}",
            advice="Write the tree to a file and edit that, or make a page for a part of the classes.",
        )
    template = environment(TEMPLATES).get_template("proposal.html")
    html = template.render(
        proposal=proposal,
        title=title,
        num_groups=num_nodes - 1 - len(proposal.classes),
        agreement=agreement,
        mistakes=mistakes,
        trained=trained,
        data=_tree(proposal),
        date=datetime.date.today().isoformat(),
    )
    return write_html(Path(out), html)


def _tree(proposal: Proposal) -> Markup:
    """The tree as JSON for an element of the page: every node in pre-order."""
    taxonomy = proposal.taxonomy
    further = [name for name in taxonomy.columns if name not in (CERTAINTY, EVIDENCE)]
    nodes: list[dict[str, Any]] = [
        {
            "parent": int(taxonomy.parents[node]),
            "name": str(taxonomy.names[node]),
            "isClass": bool(taxonomy.is_leaf[node]),
            "certainty": proposal.certainty(node),
            "evidence": proposal.evidence(node),
            "further": [str(taxonomy.columns[name][node]) for name in further],
        }
        for node in range(taxonomy.num_nodes)
    ]
    return Markup(as_script_data(json.dumps({"nodes": nodes, "columns": further}, separators=(",", ":"))))
