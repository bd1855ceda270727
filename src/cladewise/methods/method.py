"""The base class of methods: a composition of head, loss, inference and decision, with its citation."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cladewise.decisions import Decision, Leaf
from cladewise.predictions import Fittable
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels

if TYPE_CHECKING:
    from torch import Tensor

    from cladewise.backbones import Pooling
    from cladewise.embeddings import LabelSpace
    from cladewise.heads import Head
    from cladewise.inference import Inference
    from cladewise.losses import Loss
    from cladewise.objectives import Objective

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Citation:
    """The publication of a method.

    Example:
        >>> Citation("Redmon, Farhadi", "YOLO9000", "CVPR", 2017, "https://arxiv.org/abs/1612.08242").short
        'Redmon and Farhadi, CVPR 2017'
    """

    authors: str
    title: str
    venue: str
    year: int
    url: str

    def __str__(self) -> str:
        return f"{self.authors}. {self.title}. {self.venue} {self.year}. {self.url}"

    @property
    def short(self) -> str:
        """Short form for tables: authors (the first of several), venue and year."""
        first, *others = self.authors.split(", ")
        by = first if not others else f"{first} and {others[0]}" if len(others) == 1 else f"{first} et al."
        return f"{by}, {self.venue} {self.year}"


def option(default: Any, text: str, *, grid: Sequence[Any] = (), before: Any = None) -> Any:
    """A hyper-parameter of a method.

    Args:
        default: Its default.
        text: Its help text.
        grid: The values its paper searches.
        before: The value that describes runs trained before the option existed, if it is not the default; see
            :func:`cladewise.methods.recorded_options`.
    """
    return dataclasses.field(default=default, metadata={"help": text, "grid": tuple(grid), "before": before})


def levels_of(choice: str, taxonomy: Taxonomy) -> tuple[int, ...]:
    """Levels by number or name; ``"finest"`` is the finest level alone.

    Example:
        >>> levels_of("finest", Taxonomy.from_paths([("a", "b")])), levels_of("all", Taxonomy.from_paths([("a", "b")]))
        ((2,), (1, 2))
    """
    if choice == "finest":
        return (taxonomy.num_levels,) if taxonomy.num_levels else ()
    return chosen_levels(choice, taxonomy)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A published method. Its fields are its hyper-parameters; its parts are built for a taxonomy.

    Methods are found in the modules of this package and in the entry-point group ``cladewise.methods`` of other
    distributions. The engine uses a method's parts and never its name.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[Citation]
    uses_further_parents: ClassVar[bool] = False
    """Whether the method trains on all parents of a label that has several; otherwise on the primary tree alone."""

    @abstractmethod
    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        """The head: features to a prediction."""

    def loaded_head(self, taxonomy: Taxonomy, num_features: int, weights: Mapping[str, Tensor]) -> Head:
        """A head for weights that are loaded into it next; a method whose new heads are costly leaves the cost out.

        Args:
            taxonomy: The label tree.
            num_features: Width of the features.
            weights: The weights, by their names in the head's ``state_dict``.
        """
        return self.head(taxonomy, num_features)

    @abstractmethod
    def loss(self, taxonomy: Taxonomy) -> Loss:
        """The loss: logits and target nodes to nats per image."""

    @abstractmethod
    def decision(self) -> Decision:
        """The decision rule of the paper."""

    def inference(self) -> Inference | None:
        """The rule applied to the prediction before the decision, if the paper has one."""
        return None

    def watched(self) -> Decision:
        """The decision rule for validation accuracy during training.

        The method's own rule, or the best leaf if that rule must first be fitted.
        """
        own = self.decision()
        return Leaf() if isinstance(own, Fittable) and not own.is_fitted else own

    def towers(self, taxonomy: Taxonomy) -> int:
        """Number of encoders in end-to-end training, each with its own weights.

        With several, the head receives features ``[batch, tower, feature]``. There is only ever one frozen encoder, and
        the head then receives ``[batch, feature]``.
        """
        return 1

    def views(self) -> int:
        """Number of augmented views of each image in a training batch, for losses that compare them.

        The rows of a batch are then views, with the views of one image adjacent. With a frozen encoder they are sampled
        from the cached views (``[backbone] views``); there are as many in a batch as are cached, at most.
        """
        return 1

    def momentum(self) -> float:
        """Momentum of the momentum copy of the network, in [0, 1); 0 for no copy."""
        return 0.0

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective | None:
        """The training objective, if it is not the mean of :meth:`loss`, which is then used for validation only.

        Args:
            taxonomy: The label tree.
            nodes: Label of every image of the dataset; -1 for images that are not trained on.
        """
        return None

    def pooling(self) -> Pooling:
        """How an encoder that is trained end to end pools its feature map.

        Features of a frozen encoder are cached for all methods and always use the encoder's own pooling.
        """
        return "own"

    def label_space(self, taxonomy: Taxonomy, weight: Callable[[str], Tensor]) -> LabelSpace | None:
        """The labels as vectors, if the head learns vectors whose energies say which label contains which.

        Args:
            taxonomy: The label tree.
            weight: Returns a tensor of the trained head's state by its name.
        """
        return None

    def training(self) -> Mapping[str, Any]:
        """Defaults for settings of ``[training]`` that differ from the general ones, as in the paper."""
        return {}

    def check_untrained(self, backbone: str) -> None:
        """Check, if nothing is to be trained (``--epochs 0``), that the untrained network can classify.

        Args:
            backbone: Name of the image encoder.

        Raises:
            InputError: It cannot with this encoder.
        """
        return

    def options(self) -> dict[str, Any]:
        """Hyper-parameters by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
