"""Image data sets of Hugging Face: Parquet files as on the Hub, and the Arrow files that ``save_to_disk`` writes.

Both hold encoded images in a column of structures of ``bytes`` and ``path``. The features of the data set (which
columns are images, and the names of classes) are in the metadata of each file, or in ``README.md`` beside them.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cladewise.datasets.dataset import Skipped
from cladewise.datasets.exports.label_columns import label_columns, tree_of_labels
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.files.unpacking import Unpacked, unpacked_folder
from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError
from cladewise.progress import track
from cladewise.taxonomy.checks.problems import some

if TYPE_CHECKING:
    import pyarrow as pa

_PATTERNS = ("*.parquet", "*.arrow", "*/*.parquet", "*/*.arrow", "*/*/*.parquet")
_LISTED = 1000
_ROWS = 64  # whose images are in memory at once
_SHARD = re.compile(r"(.+?)-\d{5}-of-\d{5}.*")
_NAMES = re.compile(r"(image|img|photo|picture)s?([_ ]?(bytes|content|data))?|jpe?g|png|bytes", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class _File:
    path: Path
    split: str
    schema: pa.Schema


def has_images(path: Path) -> bool:
    """Whether a file, or the first of a folder, is a Parquet or Arrow file with images.

    Example:
        >>> has_images(getfixture("tmp_path"))
        False
    """
    first = next(_paths(path), None)
    try:
        return first is not None and bool(_image_columns(_schema(first)))
    except InputError:  # a damaged one, which another reader refuses
        return False


def read(path: Path, root: Path | None, *, label: str = "", image: str = "") -> Labelled:
    """Images and labels of all rows. The images are unpacked into the cache.

    Args:
        path: A file, or a folder with files in it or up to two folders below.
        root: Folder that paths of images without bytes start from; by default that of their file.
        label: Columns with the labels, coarse to fine, with commas between; by default columns of classes, or ranks, or
            a column called ``label``.
        image: Column with the images, if there are several.

    Raises:
        InputError: The files have no images or different columns, or it is unclear which columns are labels.
    """
    files = [_File(file, _split(file, path), _schema(file)) for file in _paths(path)]
    if not files or not _image_columns(files[0].schema):
        raise InputError("Parquet or Arrow files with images", "none", at=str(path))
    first = files[0]
    for file in files[1:]:
        if file.schema.names != first.schema.names:
            advice = "Give the folder of one configuration."
            names = some(sorted({*file.schema.names} ^ {*first.schema.names}))
            raise InputError("the same columns in all files", f"{names} in some", at=str(file.path), advice=advice)
    images = _image_columns(first.schema)
    if image not in images and (image or len(images) > 1):
        advice = f'Choose one: image="{images[0]}".'
        raise InputError(
            f"one column of images among {some(images)}",
            repr(image) if image else "several",
            at=str(path),
            advice=advice,
        )
    chosen = image or images[0]
    classes = _classes(first, path)
    columns = [name for name in first.schema.names if name not in images]
    labels = label_columns(columns, {k: v for k, v in classes.items() if k in columns}, label, str(path))
    paths, splits, skipped = list[str](), list[str](), list[Skipped]()
    numbers: dict[tuple[str, ...], int] = {}
    pairs: list[tuple[int, int]] = []
    for file in track(files, "unpacking images"):
        unpacked = Unpacked(file.path)
        for number, row in enumerate(_rows(file.path, [chosen, *labels.columns])):
            content = _content(row[chosen], file.path.parent if root is None else root)
            if content is None:
                skipped.append(Skipped(f"{file.path.name}#{number}", "no image in this row"))
                continue
            for names in labels.labels(row):
                pairs.append((len(paths), numbers.setdefault(names, len(numbers))))
            paths.append(unpacked.file(number, content).as_posix())
            splits.append(file.split)
    if not pairs:
        raise InputError("rows with labels", f"none in {', '.join(labels.columns)}", at=str(path))
    ordered = _ordered(list(numbers), labels.columns, classes)
    position = {numbers[names]: place for place, names in enumerate(ordered)}
    tree, nodes, short = tree_of_labels(ordered, labels, str(path))
    return Labelled(
        root=unpacked_folder(),
        paths=paths,
        labels=short,
        image=np.array([image for image, _ in pairs], dtype=np.int64),
        label=np.array([position[number] for _, number in pairs], dtype=np.int64),
        splits=splits if len(set(splits)) > 1 else [],
        taxonomy=tree,
        nodes=nodes,
        skipped=tuple(skipped),
    )


def _ordered(
    labels: list[tuple[str, ...]], columns: Sequence[str], classes: Mapping[str, Sequence[str]]
) -> list[tuple[str, ...]]:
    """Labels in the order of their classes, as far as columns have them, otherwise in that of the rows."""
    ranks = [{name: rank for rank, name in enumerate(classes.get(column, ()))} for column in columns]
    return sorted(labels, key=lambda names: [rank.get(name, 0) for rank, name in zip(ranks, names, strict=False)])


def _paths(path: Path) -> Iterator[Path]:
    """The file itself, or the data files of a folder in order."""
    if not path.is_dir():
        yield path
        return
    for pattern in _PATTERNS:
        found = sorted(itertools.islice(path.glob(pattern), _LISTED))
        yield from (file for file in found if not file.name.startswith(("cache-", ".")))


def _split(file: Path, top: Path) -> str:
    """The split of a file, by its own name or that of the nearest folder; blank if none is one."""
    stem = file.name.split(".")[0]
    shard = _SHARD.fullmatch(stem)
    names = [shard[1] if shard else stem]
    if top.is_dir():
        names += file.relative_to(top).parts[-2::-1]
    return next((split for name in names if (split := split_name(name))), "")


def _schema(file: Path) -> pa.Schema:
    """The columns of a file, with the features in their metadata.

    Raises:
        InputError: The file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if file.suffix == ".parquet":
            return pq.read_schema(file)
        with _stream(file) as stream:
            return stream.schema
    except (pa.ArrowException, OSError) as error:
        raise InputError("a whole Parquet or Arrow file", str(error).splitlines()[0], at=str(file)) from error


def _stream(file: Path) -> Any:
    import pyarrow as pa

    source = pa.memory_map(str(file))
    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        return pa.ipc.open_file(source)


def _rows(file: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if file.suffix == ".parquet":
            with pq.ParquetFile(file, pre_buffer=False) as found:
                for batch in found.iter_batches(_ROWS, columns=list(columns), use_threads=False):
                    yield from batch.to_pylist()
            return
        with _stream(file) as stream:
            batches = (
                stream
                if hasattr(stream, "read_next_batch")
                else map(stream.get_batch, range(stream.num_record_batches))
            )
            for batch in batches:
                part = batch.select(list(columns))
                for start in range(0, part.num_rows, _ROWS):
                    yield from part.slice(start, _ROWS).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError("a whole Parquet or Arrow file", str(error).splitlines()[0], at=str(file)) from error


def _image_columns(schema: pa.Schema) -> list[str]:
    """Columns of structures with bytes, and of bytes under a usual name."""
    import pyarrow as pa

    found: list[str] = []
    for field in schema:
        is_struct = pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
        is_bytes = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        if is_struct or (is_bytes and _NAMES.fullmatch(field.name)):
            found.append(field.name)
    return found


def _content(cell: Any, folder: Path) -> bytes | None:
    """The encoded image of a cell, from its bytes or the file at its path."""
    if isinstance(cell, dict):
        if cell.get("bytes") is None and cell.get("path"):
            file = folder / cell["path"]
            return file.read_bytes() if file.is_file() else None
        return cell.get("bytes")
    return cell


def _classes(file: _File, top: Path) -> dict[str, list[str]]:
    """Names of the classes of each column of classes: from the file, or from the card of the data set."""
    metadata = file.schema.metadata or {}
    if b"huggingface" in metadata:
        features = json.loads(metadata[b"huggingface"]).get("info", {}).get("features", {})
        return {name: names for name, feature in features.items() if (names := _class_names(feature))}
    for folder in [file.path.parent, *file.path.parents[1:3]]:
        try:
            found = _card_classes(folder)
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise InputError(
                "a card with features, or none", f"one that cannot be read ({error})", at=str(folder)
            ) from error
        if found:
            return found
        if folder == (top if top.is_dir() else top.parent):
            break
    return {}


def _class_names(feature: Any) -> list[str]:
    """Names of a feature that is a class, or a list of classes."""
    if isinstance(feature, list) and feature:
        feature = feature[0]
    if isinstance(feature, dict) and "feature" in feature:
        return _class_names(feature["feature"])
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        return [str(name) for name in feature.get("names") or ()]
    return []


def _card_classes(folder: Path) -> dict[str, list[str]]:
    """Classes in ``README.md`` (YAML between dashes) or ``dataset_infos.json`` of a folder."""
    import yaml

    infos = folder / "dataset_infos.json"
    if infos.is_file():
        every = [info.get("features", {}) for info in json.loads(infos.read_text(encoding="utf-8")).values()]
        return {
            name: names for features in every for name, feature in features.items() if (names := _class_names(feature))
        }
    card = folder / "README.md"
    head = re.match(r"---\r?\n(.*?)\r?\n---", card.read_text(encoding="utf-8"), re.DOTALL) if card.is_file() else None
    if head is None:
        return {}
    try:
        about: Any = yaml.safe_load(head[1])
    except yaml.YAMLError:
        return {}
    info = about.get("dataset_info") if isinstance(about, dict) else None
    found: dict[str, list[str]] = {}
    for one in info if isinstance(info, list) else [info]:
        for feature in (one or {}).get("features", ()):
            kind = feature.get("dtype", feature.get("sequence", feature.get("list")))
            names = kind.get("class_label", {}).get("names") if isinstance(kind, dict) else None
            if names:
                found[feature["name"]] = [str(names[key]) for key in sorted(names, key=int)]
    return found
