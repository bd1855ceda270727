"""What level-wise baselines share: a trained layer between the features and their classifiers."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod

from torch import nn

from cladewise.heads import EmbeddedHead, Embedding, Head
from cladewise.methods.method import Method, option
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithEmbedding(Method):
    """A method with the option how wide its embeddings are."""

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")

    def embedded_classifier(self, num_features: int, num_scores: int) -> nn.Module:
        """A linear classifier on an embedding of its own; on the features themselves where there is none."""
        if not self.embedding:
            return nn.Linear(num_features, num_scores)
        return nn.Sequential(Embedding(num_features, self.embedding), nn.Linear(self.embedding, num_scores))


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddedMethod(WithEmbedding):
    """A method whose head sees one embedding of the features."""

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        if not self.embedding:
            return self.classifier(taxonomy, num_features)
        return EmbeddedHead(Embedding(num_features, self.embedding), self.classifier(taxonomy, self.embedding))

    @abstractmethod
    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        """An embedding to a prediction."""
