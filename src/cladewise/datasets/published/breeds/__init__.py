"""BREEDS: subsets of ImageNet's classes, grouped into coarse classes."""

from cladewise.datasets.published.breeds.from_imagenet import from_breeds
from cladewise.datasets.published.breeds.hierarchy import Hierarchy
from cladewise.datasets.published.breeds.synset_rows import candidates_of_wordnet
from cladewise.datasets.published.breeds.task_sampling import TASKS, ClassCandidates, Task

__all__ = ["TASKS", "ClassCandidates", "Hierarchy", "Task", "candidates_of_wordnet", "from_breeds"]
