"""Builds the report: run folders in, one HTML page out that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cladewise.records import Tree
from cladewise.report.comparison import Comparison
from cladewise.report.header import page_header
from cladewise.report.sections import Section, build_sections
from cladewise.report.templating import environment, write_html


def compare(
    run_folders: Iterable[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    split: str = "test",
    title: str | None = None,
    baseline: str | None = None,
    decision: str | None = None,
    inference: str | None = None,
    tree: Tree = "true",
    figures: str | PathLike[str] | None = None,
    names: str | None = None,
) -> Path:
    """Compare runs on one self-contained HTML page, which loads no other file and needs no network.

    Args:
        run_folders: Runs or their folders, each evaluated on the split. Runs that differ only in their seed are
            averaged.
        out: The file to write.
        split: Split whose evaluations are shown.
        title: Heading of the page; by default made from the methods and the dataset.
        baseline: Baseline of the differences: a method, a group or a folder's name; by default the first flat softmax.
        decision: Decision whose evaluation is shown, if a run has several.
        inference: Inference whose evaluation is shown, if a run has several.
        tree: Tree of the evaluations: the true one, or the networks' own, which must then be the same for all.
        figures: Folder for the curves, diagrams and tables as separate files; none are written by default.
        names: Language to name nodes in, on the page and in the figures and tables; their own names by default. See
            :meth:`Taxonomy.names_in <cladewise.taxonomy.Taxonomy.names_in>`.

    Returns:
        The path written.

    Raises:
        InputError: A folder is not a run or lacks the evaluation, or its numbers cannot be compared with the others'.
    """
    comparison = Comparison.read(
        run_folders, split=split, baseline=baseline, decision=decision, inference=inference, tree=tree, names=names
    )
    sections = build_sections(comparison)
    page = write_html(Path(out), page_html(comparison, sections, title=title))
    if figures is not None:
        from cladewise.report.export import export_sections  # loads matplotlib, which most pages do not need

        export_sections(sections, Path(figures))
    return page


def page_html(comparison: Comparison, sections: Sequence[Section], *, title: str | None = None) -> str:
    """The page as text.

    Args:
        comparison: The runs compared.
        sections: Sections built from it, in order.
        title: Heading; by default made from the methods and the dataset.
    """
    return (
        environment()
        .get_template("page.html")
        .render(
            header=page_header(comparison, title),
            comparison=comparison,
            sections=sections,
            body=Markup("").join(section_html(section) for section in sections),
            plotly_js=Markup(get_plotlyjs()),
        )
    )


def section_html(section: Section) -> Markup:
    """A section as an HTML fragment."""
    templates = environment()
    parts = templates.get_template("parts.html").module
    return Markup(templates.get_template(section.template).render(section=section, parts=parts))
