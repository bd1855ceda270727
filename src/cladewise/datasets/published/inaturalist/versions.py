"""The versions of iNaturalist's competition data, and where their files are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cladewise.datasets.published.official_files import Needed

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")


@dataclasses.dataclass(frozen=True)
class Version:
    """One version: its annotation files and the folders of its images.

    Attributes:
        title: Name in messages.
        train: Annotations of the training images.
        val: Annotations of the validation images, which are the test split.
        folders: Folders of images, by the first part of the file names in the annotations: first the official name,
            then torchvision's.
        page: Place to get the files.
        obfuscated: Whether the annotations were published with made-up names, and the real ones later in
            ``categories.json``.
    """

    title: str
    train: str
    val: str
    folders: Mapping[str, tuple[str, str]]
    page: str
    obfuscated: bool = False

    @property
    def files(self) -> Needed:
        """Annotation files and folders of images."""
        return (self.train, self.val, *self.folders.values())

    @property
    def advice(self) -> str:
        """Where to get the files."""
        return f"Get it from {self.page} and unpack it."


_PAGE = "https://github.com/visipedia/inat_comp/tree/master"
VERSIONS = {
    "inat-2018": Version(
        "iNaturalist 2018",
        "train2018.json",
        "val2018.json",
        {"train_val2018": ("train_val2018", "2018")},
        f"{_PAGE}/2018",
        obfuscated=True,
    ),
    "inat-2019": Version(
        "iNaturalist 2019",
        "train2019.json",
        "val2019.json",
        {"train_val2019": ("train_val2019", "2019")},
        f"{_PAGE}/2019",
        obfuscated=True,
    ),
    "inat-2021": Version(
        "iNaturalist 2021",
        "train.json",
        "val.json",
        {"train": ("train", "2021_train"), "val": ("val", "2021_valid")},
        f"{_PAGE}/2021",
    ),
    "inat-2021-mini": Version(
        "iNaturalist 2021 mini",
        "train_mini.json",
        "val.json",
        {"train_mini": ("train_mini", "2021_train_mini"), "val": ("val", "2021_valid")},
        f"{_PAGE}/2021",
    ),
}
