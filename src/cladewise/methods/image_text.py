"""Methods that use class texts: a text-initialised classifier, and contrast of images with texts (FLYP, HMCF)."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor

from cladewise.backbones import text
from cladewise.backbones.clip import is_clip
from cladewise.decisions import Decision, Leaf, Levels, NodeArgmax
from cladewise.errors import InputError
from cladewise.heads import Head, ImageTextHead, TextClassifierHead, TextTower
from cladewise.losses import (
    ConditionalSoftmaxLoss,
    HACELoss,
    ImageTextContrastLoss,
    LevelSoftmaxLoss,
    LogitAdjustedLoss,
    Loss,
    MarginalSoftmaxLoss,
    MultilabelFocalLoss,
)
from cladewise.methods.method import Citation, Method, levels_of, option
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.class_texts import class_texts


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextMethod(Method):
    """Base class of methods that start from texts describing the classes."""

    text: str = option("characters", "text encoder: characters, minilm, transformers:MODEL or open_clip:MODEL/WEIGHTS")
    texts: str = option(
        "a photo of a {name}",
        "templates of the texts, separated by |; columns of the tree are placeholders too",
    )
    shuffled: bool = option(False, "a control: whether every node gets the texts of another node of its level")
    width: int = option(0, "length of the vectors; 0: that of the text encoder")
    temperature: float = option(
        0.07, "initial temperature of the cosines; a text tower that was trained with images keeps its own"
    )
    adjust: float = option(0.0, "strength of logit adjustment for long tails: 0 for none, 1 for the balanced error")

    def tower(self, taxonomy: Taxonomy, *, tuned: bool, width: int = 0) -> tuple[TextTower, float, float]:
        """The text tower, which gives a vector per node, and the initial scale and bias of cosines with these vectors.

        Its vectors have the length of the option ``width``, else ``width``, else that of the text encoder's.
        """
        encoder = text.load(self.text)
        said = class_texts(taxonomy, self.texts, shuffled=self.shuffled)
        tower = TextTower(said, encoder, self.width or width or encoder.num_features, tuned=tuned)
        return tower, encoder.scale or 1 / self.temperature, encoder.bias

    def check_untrained(self, backbone: str) -> None:
        if not (is_clip(backbone) and self.text == backbone and not self.width):
            raise InputError(
                "both towers of one open_clip model, to classify without training",
                f"images by {backbone} and texts by {self.text}, which share no space",
                advice='Give backbone="open_clip:MODEL/WEIGHTS" and text="open_clip:MODEL/WEIGHTS", or train it.',
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextClassifierMethod(TextMethod):
    """A classifier whose weights are initialised with the vectors of the class texts.

    With both towers of one open_clip model and ``--epochs 0`` it is the zero-shot classifier of that model; ``cladewise
    zero-shot`` makes it for trees of any size, without data. With
    ``bias=false`` and ``projection=false``, the weights are all that is trained besides the encoder: the linear
    classifier of "Hierarchical classification via diffusion on manifolds", appendix C.2.
    """

    name: ClassVar[str] = "text-classifier"
    title: ClassVar[str] = "Zero-shot and text-initialised linear classifier"
    citation: ClassVar[Citation] = Citation(
        "Wortsman, Ilharco, Kim, Li, Kornblith, Roelofs, Lopes, Hajishirzi, Farhadi, Namkoong, Schmidt",
        "Robust fine-tuning of zero-shot models",
        "CVPR",
        2022,
        "https://arxiv.org/abs/2109.01903",
    )

    levels: str | int = option("all", "levels with a classifier: all, or a list like 1,3 that has the finest")
    bias: bool = option(True, "whether the classifiers have a bias")
    over: Literal["levels", "leaves", "siblings", "nodes", "independent"] = option(
        "levels",
        "what competes: the nodes of each level; the leaves, which are summed up the tree; siblings; all nodes; or "
        "independent, a sigmoid at each node",
    )
    projection: bool = option(
        True, "whether images are projected before the classifiers; if not, text vectors have the width of the features"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        tower, scale, first_bias = self.tower(taxonomy, tuned=False, width=0 if self.projection else num_features)
        return TextClassifierHead(
            taxonomy,
            num_features,
            tower,
            levels_of(str(self.levels), taxonomy),
            over=self.over,
            scale=scale,
            bias=self.bias,
            first_bias=first_bias,
            projection=self.projection,
        )

    def loaded_head(self, taxonomy: Taxonomy, num_features: int, weights: Mapping[str, Tensor]) -> Head:
        if "weight" not in weights:
            return self.head(taxonomy, num_features)
        return TextClassifierHead(
            taxonomy,
            num_features,
            None,
            levels_of(str(self.levels), taxonomy),
            over=self.over,
            bias=self.bias,
            projection=self.projection,
            width=weights["weight"].shape[-1],
        )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        if self.over == "levels":
            loss = LevelSoftmaxLoss(taxonomy, levels_of(str(self.levels), taxonomy))
            return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss
        if self.adjust:
            raise InputError("scores over levels, which can be adjusted", f"over={self.over}, adjust={self.adjust:g}")
        match self.over:
            case "leaves":
                return MarginalSoftmaxLoss(taxonomy)
            case "siblings":
                return ConditionalSoftmaxLoss(taxonomy)
            case "nodes":
                return HACELoss(taxonomy, dilution=1.0, with_root=False)
            case _:
                return MultilabelFocalLoss(taxonomy, alpha=0.5, gamma=0.0)

    def decision(self) -> Decision:
        return Levels() if self.over == "levels" else NodeArgmax() if self.over == "nodes" else Leaf()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTextMethod(TextMethod):
    """Base class of methods with one text tower for all levels, and a projection of the images for each level."""

    tune: bool = option(True, "whether the text encoder is trained; if not, only a projection of its features is")
    targets: Literal["single", "multi", "rivals"] = option(
        "single",
        "equal texts in a batch: single, they are negatives; multi, the target is shared among them; "
        "rivals, they are left out",
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        tower, scale, _ = self.tower(taxonomy, tuned=self.tune)
        return ImageTextHead(taxonomy, num_features, tower, self.chosen(taxonomy), scale=scale)

    def contrast(self, taxonomy: Taxonomy, weight: float) -> Loss:
        """Contrast of images with texts and of texts with images, each with the given weight."""
        loss = ImageTextContrastLoss(taxonomy, self.chosen(taxonomy), targets=self.targets, weight=weight)
        return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss

    @abstractmethod
    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        """The levels at which images are contrasted with texts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FLYPMethod(ImageTextMethod):
    """CLIP's contrastive loss in fine-tuning: images of a batch against its texts and vice versa, on the leaves."""

    name: ClassVar[str] = "flyp"
    title: ClassVar[str] = "Finetune like you pretrain (FLYP)"
    citation: ClassVar[Citation] = Citation(
        "Goyal, Kumar, Garg, Kolter, Raghunathan",
        "Finetune like you pretrain: improved finetuning of zero-shot vision models",
        "CVPR",
        2023,
        "https://arxiv.org/abs/2212.00638",
    )

    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        return levels_of("finest", taxonomy)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return self.contrast(taxonomy, 0.5)

    def decision(self) -> Decision:
        return Leaf()


@dataclasses.dataclass(frozen=True, kw_only=True)
class HMCFMethod(ImageTextMethod):
    """Contrast of images with texts at every level: one projection per level, one text tower for all.

    The inference rule ``diffusion`` was designed for its scores. ``levels`` leaves levels out; a level that takes no
    part is answered from finer ones.
    """

    name: ClassVar[str] = "hmcf"
    title: ClassVar[str] = "Hierarchical multi-modal contrastive fine-tuning (HMCF)"
    citation: ClassVar[Citation] = Citation(
        "Anonymous authors",
        "Hierarchical classification via diffusion on manifolds",
        "Under review",
        2024,
        "https://openreview.net/search?term=Hierarchical+Classification+via+Diffusion+on+Manifolds",
    )

    levels: str | int = option(  # a single level arrives as a number
        "all", "levels with a projection: all, or a list like 6,7 or genus,species that has the finest"
    )

    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        return levels_of(str(self.levels), taxonomy)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return self.contrast(taxonomy, 1.0)

    def decision(self) -> Decision:
        return Levels()
