"""Loading published datasets by name, and recreating a dataset from a run's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cladewise.datasets.corrections import CORRECTIONS, corrected_again
from cladewise.datasets.dataset import Dataset
from cladewise.datasets.exports.kinds import EXPORTS
from cladewise.datasets.exports.opening import from_export
from cladewise.datasets.folder import from_folder
from cladewise.datasets.manifest import from_manifest
from cladewise.datasets.new_classes import HELD_OUT_CLASSES, hold_out_again
from cladewise.datasets.published.breeds import TASKS, from_breeds
from cladewise.datasets.published.cifar import from_cifar100
from cladewise.datasets.published.emoji.by_vendor import GROUPS, load_emoji
from cladewise.datasets.published.grocery_store import from_grocery_store
from cladewise.datasets.relabelling import RELABELLED, relabel_again
from cladewise.datasets.splitting import carve_again, split
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

MANIFEST_OPTIONS = ("path_column", "label_column", "split_column", "separator")
EXPORT_OPTIONS = ("format", "root", "several")

_DESCRIPTIONS = {
    "emoji-food-animals": "2,064 drawings of 291 emoji (animals, food) by 9 vendors; fetched with npm",
    "emoji-objects": "6,332 drawings of 861 emoji (animals, food, travel, activities, objects); fetched with npm",
    "emoji": "12,555 drawings of all 1,914 emoji by 9 vendors; fetched with npm",
    "grocery-store": "5,421 photographs in 81 classes, 3 levels; pass path= to a copy on disk",
    "cifar-100": "60,000 small pictures in 100 classes of 20 coarse ones; pass path= to a copy on disk",
    "living-17": "BREEDS: 68 classes of ImageNet in 17 coarse ones; pass path=, and hierarchy= or wordnet=",
    "nonliving-26": "BREEDS: 104 classes of ImageNet in 26 coarse ones; pass path=, and hierarchy= or wordnet=",
    "entity-13": "BREEDS: 260 classes of ImageNet in 13 coarse ones; pass path=, and hierarchy= or wordnet=",
    "entity-30": "BREEDS: 240 classes of ImageNet in 30 coarse ones; pass path=, and hierarchy= or wordnet=",
}


def available() -> dict[str, str]:
    """Names of published datasets with a one-line description each; needs no network.

    Example:
        >>> list(available())[:4]
        ['emoji-food-animals', 'emoji-objects', 'emoji', 'grocery-store']
    """
    return dict(_DESCRIPTIONS)


def load(name: str, **options: Any) -> Dataset:
    """Load a dataset by name.

    Args:
        name: One of :func:`available`.
        options: For the emoji, the vendors ``test=("openmoji",)`` and ``exclude=()``. For all others, the folder
            ``path=``; for BREEDS also the folder ``hierarchy=`` of the published hierarchy, or ``wordnet=`` of WordNet.

    Raises:
        InputError: The name or an option is unknown, or the dataset cannot be read.
    """
    if name not in _DESCRIPTIONS:
        raise InputError(
            f"the name of a dataset: {', '.join(_DESCRIPTIONS)}",
            repr(name),
            advice="For your own images use datasets.from_folder or datasets.from_manifest.",
        )
    return _read(name, options)


def open(source: Mapping[str, Any], *, taxonomy: Taxonomy | None = None) -> Dataset:
    """Recreate a dataset from its ``source``, as stored in a run's ``config.toml``.

    Args:
        source: ``kind`` (``folder``, ``manifest``, ``export`` or a name of :func:`available`), the options of that
            reader, ``fractions`` and ``seed`` of a stratified split, the tables of ``corrections``, the
            ``held_out_classes``, the steps of ``held_out``, and those of ``relabelled``.
        taxonomy: The tree of a folder, manifest or export that was read with a tree without a file.

    Raises:
        InputError: The source is incomplete, or no longer gives the same tree.

    Example:
        >>> from PIL import Image
        >>> folder = getfixture("tmp_path") / "wren"
        >>> folder.mkdir()
        >>> Image.new("RGB", (8, 8)).save(folder / "1.png")
        >>> photos = from_folder(folder.parent)
        >>> open(photos.source).paths == photos.paths
        True
    """
    options = dict(source)
    kind = str(options.pop("kind", ""))
    fractions, seed = options.pop("fractions", None), int(options.pop("seed", 0))
    corrections: list[dict[str, Any]] = options.pop(CORRECTIONS, [])
    new_classes: dict[str, Any] | None = options.pop(HELD_OUT_CLASSES, None)
    held_out: list[dict[str, Any]] = options.pop("held_out", [])
    relabelled: list[dict[str, Any]] = options.pop(RELABELLED, [])
    fingerprint = options.pop("fingerprint", None)
    if taxonomy is not None:
        options["taxonomy"] = taxonomy
    dataset = _read(kind, options)
    if fingerprint is not None and dataset.taxonomy.fingerprint != fingerprint:
        raise InputError(
            "the taxonomy that these labels were made with",
            "another one",
            at=str(source.get("path", kind)),
            advice="Pass it as taxonomy=; a run stores it in taxonomy.csv.",
        )
    if fractions is not None:
        dataset = split(dataset, fractions, seed)
    dataset = corrected_again(dataset, corrections)
    if new_classes is not None:
        dataset = hold_out_again(dataset, new_classes)
    for step in held_out:
        dataset = carve_again(dataset, step)
    for step in relabelled:
        dataset = relabel_again(dataset, step)
    return dataset


def _read(kind: str, options: Mapping[str, Any]) -> Dataset:
    readers: dict[
        str, tuple[Callable[..., Dataset], set[str], set[str]]
    ] = {  # reader, its options, its required options
        "folder": (from_folder, {"path", "taxonomy", "taxonomy_options", "split_folders"}, {"path"}),
        "manifest": (from_manifest, {"path", "taxonomy", "taxonomy_options", "root", *MANIFEST_OPTIONS}, {"path"}),
        "export": (
            from_export,
            {"path", "taxonomy", "taxonomy_options", *EXPORT_OPTIONS, *_of_exports(kind)},
            {"path"},
        ),
        "grocery-store": (from_grocery_store, {"path"}, {"path"}),
        "cifar-100": (from_cifar100, {"path"}, {"path"}),
        **{name: (_breeds_reader(name), {"path", "hierarchy", "wordnet"}, {"path"}) for name in TASKS},
        **{name: (_emoji_reader(name), {"test", "exclude"}, set()) for name in GROUPS},
    }
    if kind not in readers:
        raise InputError(f"a kind of dataset: {', '.join(readers)}", repr(kind))
    reader, known, needed = readers[kind]
    wrong = sorted(set(options) - known)
    if wrong:
        raise InputError(f"options of {kind}: {', '.join(sorted(known))}", ", ".join(wrong))
    missing = sorted(needed - set(options), reverse=True)
    if missing:
        given = ", ".join(f'{name}="the/folder"' for name in missing)
        raise InputError(f"the option {' and '.join(missing)} for {kind}", "none", advice=f"Pass {given}.")
    return reader(**options)


def _of_exports(kind: str) -> set[str]:
    """Options of all formats of exports, whose readers are imported only for one; it refuses those of another."""
    return {option for export in EXPORTS for option in export.options()} if kind == "export" else set()


def _breeds_reader(name: str) -> Callable[..., Dataset]:
    def read(**options: Any) -> Dataset:
        return from_breeds(name, **options)

    return read


def _emoji_reader(name: str) -> Callable[..., Dataset]:
    def read(**options: Any) -> Dataset:
        return load_emoji(name, **options)

    return read
