"""What methods share that take words for classes, and those among them that hold images against texts."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Literal

from cladewise.backbones import text
from cladewise.backbones.clip import is_clip
from cladewise.errors import InputError
from cladewise.heads import Head, ImageTextHead, TextTower
from cladewise.losses import ImageTextContrastLoss, LogitAdjustedLoss, Loss
from cladewise.methods.method import Method, option
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.class_texts import class_texts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worded(Method):
    """A method that begins with what is said of its classes."""

    text: str = option("characters", "text encoder: characters, minilm, transformers:MODEL or open_clip:MODEL/WEIGHTS")
    texts: str = option(
        "a photo of a {name}",
        "templates of the texts, with | between several; columns of the tree are placeholders too",
    )
    shuffled: bool = option(False, "a control: whether every node has the texts of another of its level")
    width: int = option(0, "length of the vectors; 0: as the text encoder's")
    temperature: float = option(
        0.07, "temperature that the scale of cosines starts from; a tower that was trained with images keeps its own"
    )
    adjust: float = option(
        0.0, "strength of logit adjustment for long tails: 0 for none, 1 for classes that count alike"
    )

    def tower(self, taxonomy: Taxonomy, *, tuned: bool) -> tuple[TextTower, float]:
        """Vectors of the nodes, and what cosines with them are multiplied by at first."""
        encoder = text.load(self.text)
        said = class_texts(taxonomy, self.texts, shuffled=self.shuffled)
        tower = TextTower(said, encoder, self.width or encoder.num_features, tuned=tuned)
        return tower, encoder.scale or 1 / self.temperature

    def check_untrained(self, backbone: str) -> None:
        if not (is_clip(backbone) and self.text == backbone and not self.width):
            raise InputError(
                "both towers of one open_clip model, to classify without training",
                f"images by {backbone} and texts by {self.text}, which share no space",
                advice='Give backbone="open_clip:MODEL/WEIGHTS" and text="open_clip:MODEL/WEIGHTS", or train it.',
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTextMethod(Worded):
    """A method with a text tower that every level shares, and a projection of the images for each level."""

    tune: bool = option(True, "whether the text encoder learns; if not, only a projection of its features does")
    targets: Literal["single", "multi", "rivals"] = option(
        "single", "single: equal texts in a batch are rivals; multi: the target is shared among them; rivals: left out"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        tower, scale = self.tower(taxonomy, tuned=self.tune)
        return ImageTextHead(taxonomy, num_features, tower, self.chosen(taxonomy), scale=scale)

    def contrast(self, taxonomy: Taxonomy, weight: float) -> Loss:
        """Images against texts and texts against images, each of the two with a weight."""
        loss = ImageTextContrastLoss(taxonomy, self.chosen(taxonomy), targets=self.targets, weight=weight)
        return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss

    @abstractmethod
    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        """The levels at which images are held against texts."""
