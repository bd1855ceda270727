"""A run that answers in an edited tree without being migrated."""

from __future__ import annotations

from os import PathLike

from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.migration.matched import Matched, Tree, carried_over, opened, tree_of
from cladewise.taxonomy.matching import match


def answering_in(run: Run | str | PathLike[str], taxonomy: Tree, matched: Matched | None = None) -> Run:
    """A run that answers in an edited tree, for :func:`cladewise.predict`; its folder stays as it is.

    Args:
        run: A trained run, or its folder.
        taxonomy: The edited tree, or its file.
        matched: Correspondences of the run's tree with it, or their table; by default those that
            :func:`~cladewise.taxonomy.matching.match` finds.

    Raises:
        InputError: A person has to decide about some nodes, or the correspondences are of another tree.
    """
    run, tree = Run.open(run), tree_of(taxonomy)
    found = match(run.taxonomy, tree) if matched is None else opened(matched, run.taxonomy, tree)
    if not found.decided:
        number = int(found.ask.sum())
        raise InputError(
            "trees whose nodes correspond beyond doubt",
            f"{number} doubtful pair{'' if number == 1 else 's'}",
            at=str(run.path),
            advice=f"Decide them with: cladewise taxonomy match {run.folder.tree()} NEW --out matched.csv. "
            'Then pass matched="matched.csv".',
        )
    return run.answering_in(carried_over(found))
