"""The tasks of BREEDS, and the sampling of their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from cladewise.errors import InputError

_SEED = 2  # seed of the published tasks


@dataclasses.dataclass(frozen=True)
class Task:
    """A published task: coarse classes at a depth below a node, with a fixed number of classes each."""

    level: int
    subclasses: int
    ancestor: str
    num_coarse: int


TASKS = {
    "living-17": Task(5, 4, "n00004258", 17),
    "nonliving-26": Task(5, 4, "n00021939", 26),
    "entity-13": Task(3, 20, "n00001740", 13),
    "entity-30": Task(4, 8, "n00001740", 30),
}


@dataclasses.dataclass(frozen=True)
class ClassCandidates:
    """The classes that a task can be sampled from.

    Args:
        classes: Ids of ImageNet's classes under each coarse class, in the order of sampling.
        names: Name of every class and coarse class; a coarse class without one is named by its key.
    """

    classes: Mapping[str, Sequence[str]]
    names: Mapping[str, str]

    def draw(self, task: Task, *, at: str, advice: str = "") -> dict[str, list[str]]:
        """Sample the classes of each coarse class that has enough of them, as published.

        Args:
            task: The task, with the number of classes.
            at: Source of the candidates, for messages.
            advice: Advice if they do not fit the task.

        Raises:
            InputError: There are not as many coarse classes as the task has.

        Example:
            >>> found = ClassCandidates({"cat": ["n1", "n2", "n3"], "worm": ["n4"]}, {})
            >>> found.draw(Task(1, 2, "n0", 1), at="here")
            {'cat': ['n3', 'n2']}
        """
        random = np.random.RandomState(_SEED)  # the legacy generator used for the published classes
        drawn: dict[str, list[str]] = {}
        for coarse, classes in self.classes.items():
            if len(classes) >= task.subclasses:
                drawn[coarse] = [str(one) for one in random.choice(sorted(classes), task.subclasses, replace=False)]
        if len(drawn) != task.num_coarse:
            expected = f"{task.num_coarse} coarse classes with {task.subclasses} classes of ImageNet each"
            raise InputError(expected, len(drawn), at=at, advice=advice)
        return drawn
