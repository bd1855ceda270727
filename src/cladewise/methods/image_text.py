"""What methods share that hold images against the texts of their classes."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Literal

from cladewise.backbones import text
from cladewise.heads import Head, ImageTextHead, TextTower
from cladewise.methods.method import Method, option
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.texts import class_texts


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTextMethod(Method):
    """A method with a text tower that every level shares, and a projection of the images for each level."""

    text: str = option("characters", "text encoder: characters, minilm, transformers:MODEL or open_clip:MODEL/WEIGHTS")
    tune: bool = option(True, "whether the text encoder learns; if not, only a projection of its features does")
    texts: str = option(
        "a photo of a {name}",
        "templates of the texts, with | between several; columns of the tree are placeholders too",
    )
    shuffled: bool = option(False, "a control: whether every node has the texts of another of its level")
    width: int = option(0, "length of the vectors; 0: as the text encoder's")
    temperature: float = option(
        0.07, "temperature that the scale of cosines starts from; a tower that was trained with images keeps its own"
    )
    targets: Literal["single", "multi", "rivals"] = option(
        "single", "single: equal texts in a batch are rivals; multi: the target is shared among them; rivals: left out"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        encoder = text.load(self.text)
        said = class_texts(taxonomy, self.texts, shuffled=self.shuffled)
        tower = TextTower(said, encoder, self.width or encoder.num_features, tuned=self.tune)
        return ImageTextHead(
            taxonomy, num_features, tower, self.chosen(taxonomy), scale=encoder.scale or 1 / self.temperature
        )

    @abstractmethod
    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        """The levels at which images are held against texts."""
