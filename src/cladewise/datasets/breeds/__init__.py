"""BREEDS: coarse classes of ImageNet with some of its classes under each."""

from cladewise.datasets.breeds.drawing import TASKS, Candidates, Task
from cladewise.datasets.breeds.published import Hierarchy
from cladewise.datasets.breeds.reader import from_breeds
from cladewise.datasets.breeds.wordnet import candidates_of_wordnet

__all__ = ["TASKS", "Candidates", "Hierarchy", "Task", "candidates_of_wordnet", "from_breeds"]
