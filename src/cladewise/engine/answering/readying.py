"""Rules of a run made ready on one choice of split, tree and groups."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from cladewise.decisions import Decision
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.fitted_rules import Ready, ready
from cladewise.engine.answering.grouped_scores import grouped
from cladewise.engine.answering.groups import Grouping
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.run import Run
from cladewise.inference import Inference

Rule = TypeVar("Rule", bound=Inference | Decision | None)


@dataclasses.dataclass(frozen=True)
class Readying:
    """The circumstances under which the rules of a run are fitted and applied.

    Args:
        run: The run.
        tree: The tree to answer in.
        fit_split: Split to fit rules on; each rule's own by default.
        grouping: Groups of images that are answered as one; ``None`` for single images.
        progress: Show progress bars.
    """

    run: Run
    tree: AnswerTree
    fit_split: str | None = None
    grouping: Grouping | None = None
    progress: bool = False

    def ready(self, rule: Rule, before: Inference | None = None) -> Ready[Rule]:
        """A rule, fitted if it has something to learn."""
        return ready(
            self.run,
            rule,
            before=before,
            split=self.fit_split,
            tree=self.tree,
            grouping=self.grouping,
            progress=self.progress,
        )

    def in_groups(self, seen: Scored, before: Ready[Any]) -> tuple[Scored, Ready[Any], tuple[str, ...]]:
        """The groups in place of the images, after the inference; an inference left to apply; notes on the groups."""
        if self.grouping is None:
            return seen, before, ()
        labels = self.run.taxonomy if self.tree.carried is None else self.tree.taxonomy
        groups, notes = grouped(seen, self.grouping, labels, before.rule)
        handle, spec = self.grouping.handle_after(before.handle), self.grouping.spec_after(before.spec)
        return groups, dataclasses.replace(before, rule=None, handle=handle, spec=spec), notes
