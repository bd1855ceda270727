"""Image encoders: any model of timm or open_clip, and one whose weights are installed with the library."""

from cladewise.backbones.backbone import Backbone, ImageInput
from cladewise.backbones.clip import is_clip
from cladewise.backbones.loading import Pooling, Stem, available, imagenet_classifier, load
from cladewise.backbones.towers import Towers
from cladewise.backbones.transforms import Augmentation, AugmentationOptions, Resizing, Transform

__all__ = [
    "Augmentation",
    "AugmentationOptions",
    "Backbone",
    "ImageInput",
    "Pooling",
    "Resizing",
    "Stem",
    "Towers",
    "Transform",
    "available",
    "imagenet_classifier",
    "is_clip",
    "load",
]
