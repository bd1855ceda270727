"""Images with a node each: readers, published datasets, splits and changed labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.cache import cache_folder
    from cladewise.datasets.corrections import with_corrections
    from cladewise.datasets.dataset import Dataset, HeldOutClasses, Skipped
    from cladewise.datasets.exports.opening import from_export
    from cladewise.datasets.files.decoding import UnreadableImageError, decode, probe
    from cladewise.datasets.folder import from_folder
    from cladewise.datasets.long_tails import with_long_tail
    from cladewise.datasets.manifest import from_manifest
    from cladewise.datasets.named import available, load, open
    from cladewise.datasets.new_classes import hold_out_classes
    from cladewise.datasets.published.aircraft import from_aircraft
    from cladewise.datasets.published.breeds.from_imagenet import from_breeds
    from cladewise.datasets.published.cars import from_cars
    from cladewise.datasets.published.cifar import from_cifar100
    from cladewise.datasets.published.cub import from_cub
    from cladewise.datasets.published.ethec import from_ethec
    from cladewise.datasets.published.fashion_mnist import from_fashion_mnist
    from cladewise.datasets.published.grocery_store import from_grocery_store
    from cladewise.datasets.published.imagenet.reading import from_imagenet
    from cladewise.datasets.published.imagenet.tiered import from_tiered_imagenet
    from cladewise.datasets.published.inaturalist.reading import from_inaturalist
    from cladewise.datasets.published.nabirds import from_nabirds
    from cladewise.datasets.published.openclipart import from_openclipart
    from cladewise.datasets.published.published_dataset import Count, Facts
    from cladewise.datasets.published.registry import check, facts, write_made_up
    from cladewise.datasets.relabelling import with_coarse_labels, with_label_noise, with_labels_by_level
    from cladewise.datasets.splitting import fold, hold_out, split

__all__ = [
    "Count",
    "Dataset",
    "Facts",
    "HeldOutClasses",
    "Skipped",
    "UnreadableImageError",
    "available",
    "cache_folder",
    "check",
    "decode",
    "facts",
    "fold",
    "from_aircraft",
    "from_breeds",
    "from_cars",
    "from_cifar100",
    "from_cub",
    "from_ethec",
    "from_export",
    "from_fashion_mnist",
    "from_folder",
    "from_grocery_store",
    "from_imagenet",
    "from_inaturalist",
    "from_manifest",
    "from_nabirds",
    "from_openclipart",
    "from_tiered_imagenet",
    "hold_out",
    "hold_out_classes",
    "load",
    "open",
    "probe",
    "split",
    "with_coarse_labels",
    "with_corrections",
    "with_label_noise",
    "with_labels_by_level",
    "with_long_tail",
    "write_made_up",
]

_MODULES = {
    "cache_folder": "cladewise.cache",
    "with_corrections": "cladewise.datasets.corrections",
    "Dataset": "cladewise.datasets.dataset",
    "HeldOutClasses": "cladewise.datasets.dataset",
    "Skipped": "cladewise.datasets.dataset",
    "from_export": "cladewise.datasets.exports.opening",
    "UnreadableImageError": "cladewise.datasets.files.decoding",
    "decode": "cladewise.datasets.files.decoding",
    "probe": "cladewise.datasets.files.decoding",
    "from_folder": "cladewise.datasets.folder",
    "with_long_tail": "cladewise.datasets.long_tails",
    "from_manifest": "cladewise.datasets.manifest",
    "available": "cladewise.datasets.named",
    "load": "cladewise.datasets.named",
    "open": "cladewise.datasets.named",
    "hold_out_classes": "cladewise.datasets.new_classes",
    "from_aircraft": "cladewise.datasets.published.aircraft",
    "from_breeds": "cladewise.datasets.published.breeds.from_imagenet",
    "from_cars": "cladewise.datasets.published.cars",
    "from_cifar100": "cladewise.datasets.published.cifar",
    "from_cub": "cladewise.datasets.published.cub",
    "from_ethec": "cladewise.datasets.published.ethec",
    "from_fashion_mnist": "cladewise.datasets.published.fashion_mnist",
    "from_grocery_store": "cladewise.datasets.published.grocery_store",
    "from_imagenet": "cladewise.datasets.published.imagenet.reading",
    "from_tiered_imagenet": "cladewise.datasets.published.imagenet.tiered",
    "from_inaturalist": "cladewise.datasets.published.inaturalist.reading",
    "from_nabirds": "cladewise.datasets.published.nabirds",
    "from_openclipart": "cladewise.datasets.published.openclipart",
    "Count": "cladewise.datasets.published.published_dataset",
    "Facts": "cladewise.datasets.published.published_dataset",
    "check": "cladewise.datasets.published.registry",
    "facts": "cladewise.datasets.published.registry",
    "write_made_up": "cladewise.datasets.published.registry",
    "with_coarse_labels": "cladewise.datasets.relabelling",
    "with_label_noise": "cladewise.datasets.relabelling",
    "with_labels_by_level": "cladewise.datasets.relabelling",
    "fold": "cladewise.datasets.splitting",
    "hold_out": "cladewise.datasets.splitting",
    "split": "cladewise.datasets.splitting",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
