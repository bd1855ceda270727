"""Detection of whether the top folders of a dataset are splits or classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.paths import path_text

Names = tuple[str, ...]

_WRAPPERS = {"images", "image", "imgs", "img", "photos", "pictures", "data", "dataset", "jpg", "jpegs", "jpegimages"}
_ADVICE = "Pass split_folders=True if they are splits, or split_folders=False if they are classes."


def tops_are_splits(
    folders: Collection[Names], path: str, wanted: bool | None = None, taxonomy: Taxonomy | None = None
) -> bool:
    """Whether the top folders are splits.

    They are splits if each has the name of one and one is for training; they are classes if none has. Anything else,
    and folders whose content suggests splits, is refused unless ``split_folders`` decides.

    Args:
        folders: Folder of every image, as names from the top.
        path: The dataset, for messages.
        wanted: Value of ``split_folders``.
        taxonomy: The label tree, if given: top folders that all name nodes are classes.

    Raises:
        InputError: The folders could be either, or contradict ``split_folders``.

    Example:
        >>> tops_are_splits([("train", "wren"), ("dev", "wren")], "photos")
        True
        >>> tops_are_splits([("wren",), ("robin", "young")], "photos")
        False
    """
    below: dict[str, set[str]] = {}
    for names in sorted(folders):
        if names:
            below.setdefault(names[0], set()).update(names[1:2])
    tops = sorted(below)
    splits = {top: split for top in tops if (split := split_name(top))}
    others = [top for top in tops if top not in splits]
    if wanted not in (None, True, False):
        raise InputError("split_folders to be True, False or None", repr(wanted))
    if wanted is not None:
        return wanted and _all_splits(below, others, path)
    if taxonomy is not None and tops and all(taxonomy.matches((top,)) for top in tops):
        return False
    if splits and not others:
        return _one_for_training(splits, path)
    _refuse_doubles(below, path)
    _refuse_mixed(splits, others, path)
    _refuse_splits_inside(folders, tops, path)
    _refuse_repetition(below, path)
    for top in splits:
        warn(f"the top folder {top!r} read as a class, like {some(others)} next to it", at=path)
    return False


def tell_wrappers(classes: Collection[Names], path: str) -> None:
    """Warn about classes with the names of mere image folders, such as ``images``."""
    above = {names[:depth] for names in classes for depth in range(1, len(names) + 1)}
    odd = sorted(names for names in above if names[-1].lower() in _WRAPPERS)
    if odd:
        called = some(list(dict.fromkeys(names[-1] for names in odd)))
        shown = some([path_text(names) for names in odd], 3)
        alone = len(odd) == 1 and len(odd[0]) == 1 and all(names[:1] == odd[0] for names in classes)
        advice = f"Pass {path.rstrip('/')}/{odd[0][0]} to leave it out." if alone else ""
        warn(f"folders called {called} read as classes: {shown}", at=path, advice=advice)


def _all_splits(below: dict[str, set[str]], others: Sequence[str], path: str) -> bool:
    """Check folders declared as splits: each is named as one, or shares a subfolder with another."""
    strange = [top for top in others if not any(below[top] & below[other] for other in below if other != top)]
    if strange or not below:
        raise InputError("every top folder to be a split", ", ".join(strange[:5]) or "none", at=path)
    return True


def _one_for_training(splits: dict[str, str], path: str) -> bool:
    if "train" not in splits.values():
        raise InputError(
            "top folders that are splits, one of them for training, or classes",
            f"{some(list(splits))}, which are split names, but none is for training",
            at=path,
            advice=_ADVICE,
        )
    return True


def _refuse_doubles(below: dict[str, set[str]], path: str) -> None:
    """Refuse top folders that only contain a folder of the same name, as some archives unpack to."""
    if below and all(inside == {top} for top, inside in below.items()):
        raise InputError(
            "folders of classes",
            f"{some([f'{top}/{top}' for top in below])}, with nothing else in the outer folder",
            at=path,
            advice="Move the content of the inner folders one up, or pass split_folders=False if they are classes.",
        )


def _refuse_mixed(splits: dict[str, str], others: Sequence[str], path: str) -> None:
    if len(set(splits.values())) > 1:
        raise InputError(
            "top folders that are all splits, or all classes",
            f"the splits {', '.join(splits)} next to {', '.join(others[:5])}",
            at=path,
            advice="Move the others away, or pass split_folders=False if they are all classes.",
        )


def _refuse_splits_inside(folders: Collection[Names], tops: Sequence[str], path: str) -> None:
    inner = sorted({name for names in folders for name in names[1:] if split_name(name)})
    splits = {split_name(name) for name in inner}
    if "train" not in splits or len(splits) < 2:
        return
    if len(tops) == 1 and all(split_name(names[1]) for names in folders if len(names) > 1):
        advice = f"Pass {path.rstrip('/')}/{tops[0]}, or split_folders=False if they are classes."
    else:
        advice = "Put the splits at the top level, or pass split_folders=False if they are classes."
    raise InputError("splits above the classes", f"{some(inner)} inside {some(tops)}", at=path, advice=advice)


def _refuse_repetition(below: dict[str, set[str]], path: str) -> None:
    """Refuse equal subfolders under every top folder: splits of the same classes, or classes of the same kinds."""
    if len(below) < 2:
        return
    shared, together = set.intersection(*below.values()), set.union(*below.values())
    if shared and 2 * len(shared) >= len(together):
        raise InputError(
            "top folders that are clearly splits or clearly classes",
            f"{some(list(below))}, which all contain {some(sorted(shared))}",
            at=path,
            advice=_ADVICE,
        )
