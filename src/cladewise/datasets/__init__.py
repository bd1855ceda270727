"""Readers that yield images and nodes."""

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.folder import from_folder
from cladewise.datasets.images import UnreadableImageError, decode, probe
from cladewise.datasets.splitting import hold_out, split

__all__ = ["Dataset", "Skipped", "UnreadableImageError", "decode", "from_folder", "hold_out", "probe", "split"]
