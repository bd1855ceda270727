"""Random transforms of a run's images, from its training settings."""

from __future__ import annotations

from typing import cast

from cladewise.backbones import Augmentation, AugmentationOptions
from cladewise.records import TrainingConfig


def augmentation_of(training: TrainingConfig) -> AugmentationOptions:
    """Options of an encoder's training transform.

    Example:
        >>> augmentation_of(TrainingConfig(augment="pad-crop-flip"))
        {'augmentation': 'pad-crop-flip', 'pad': 4, 'smallest': 0.08}
    """
    return {"augmentation": cast(Augmentation, training.augment), "pad": training.pad, "smallest": training.smallest}


def varied_by(training: TrainingConfig) -> AugmentationOptions:
    """As :func:`augmentation_of`, but with random crops where the training has no augmentation.

    Several copies of an image that are to differ have to be transformed at random, whatever the training did.
    """
    options = augmentation_of(training)
    return {**options, "augmentation": "crop-flip"} if training.augment == "none" else options


def copied_by(training: TrainingConfig) -> AugmentationOptions:
    """Random changes of the copies that represent an image after training: as in training, but with its own colours.

    For ``moco`` the copies are resized as in evaluation, cut out at a random place and mirrored.

    Example:
        >>> copied_by(TrainingConfig(augment="moco"))
        {'augmentation': 'pad-crop-flip', 'pad': 0, 'smallest': 0.08}

    References: Bukchin et al., Fine-grained angular contrastive learning with coarse labels, CVPR 2021: the support
        images in the released code.
    """
    options = varied_by(training)
    return {**options, "augmentation": "pad-crop-flip", "pad": 0} if training.augment == "moco" else options
