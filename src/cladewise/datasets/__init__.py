"""Readers that yield images and nodes."""

from cladewise.cache import cache_folder
from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.files.decoding import UnreadableImageError, decode, probe
from cladewise.datasets.folder import from_folder
from cladewise.datasets.manifest import from_manifest
from cladewise.datasets.named import available, load, open
from cladewise.datasets.published.breeds import from_breeds
from cladewise.datasets.published.cifar import from_cifar100
from cladewise.datasets.published.grocery_store import from_grocery_store
from cladewise.datasets.relabelling import with_coarse_labels, with_label_noise
from cladewise.datasets.splitting import fold, hold_out, split

__all__ = [
    "Dataset",
    "Skipped",
    "UnreadableImageError",
    "available",
    "cache_folder",
    "decode",
    "fold",
    "from_breeds",
    "from_cifar100",
    "from_folder",
    "from_grocery_store",
    "from_manifest",
    "hold_out",
    "load",
    "open",
    "probe",
    "split",
    "with_coarse_labels",
    "with_label_noise",
]
