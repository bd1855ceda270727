"""A trained network as a function from images to the log-probabilities of one level, which Grad-CAM needs."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones import Backbone
from cladewise.engine.classifier import Classifier
from cladewise.predictions import LevelLogProb


class LevelScores(nn.Module):
    """Images [batch, channel, height, width] → log-probabilities over an extended level, in nats.

    They are the head's own, before any rule makes levels agree. A frozen encoder is put back before the head that was
    trained on its features, so that gradients find their way into it.

    Args:
        classifier: The trained network, of images or of features.
        backbone: Its encoder.
        level: The level, 1 for the coarsest.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy, backbones, methods
        >>> taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> encoder = backbones.load("test_resnet", pretrained=False, image_size=32)
        >>> head = methods.make("flat-softmax").head(taxonomy, encoder.num_features)
        >>> scores = LevelScores(Classifier(head), encoder, level=1).eval()
        >>> scores(torch.zeros(2, 3, 32, 32)).shape, scores.answer(torch.zeros(1, 3, 32, 32)).nodes
        (torch.Size([2, 2]), tensor([1, 4]))
    """

    def __init__(self, classifier: Classifier, backbone: Backbone, level: int) -> None:
        super().__init__()
        self.classifier, self.backbone, self.level = classifier, backbone, level

    def answer(self, images: Float[Tensor, "batch channel height width"]) -> LevelLogProb:
        """Nodes of the level and their log-probabilities."""
        inputs = images if self.classifier.end_to_end else self.backbone(images)
        return self.classifier(inputs).level_log_prob(self.level)

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch level_node"]:
        return self.answer(images).log_prob
