"""Arrays of scores ``[row, class]``: NumPy's npz and npy, and safetensors. They are read in blocks of rows.

A file with several arrays is understood by their shapes: one is the scores, texts as long as its columns are the
classes, and arrays as long as its rows are further columns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import zipfile
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.scores.classes import ScoredClass
from cladewise.scores.formats.seen import Seen
from cladewise.scores.formats.taxa import by_label_line, is_label_line
from cladewise.scores.formats.wide_columns import key_column
from cladewise.scores.options import ScoreOptions
from cladewise.scores.tables import FloatArray, IntArray, WideTable
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.names.sameness import loose

CELLS_AT_ONCE = 1 << 24
CLASS_WORDS = ("classes", "class", "classnames", "names", "labels", "categories", "columns", "species", "taxa", "nodes")
"""Names of arrays and of metadata that hold the classes, most usual first."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """An array of a file without its values.

    Attributes:
        shape: Its shape.
        is_text: Whether it holds texts.
        is_float: Whether it holds fractions.
    """

    shape: tuple[int, ...]
    is_text: bool
    is_float: bool


@dataclasses.dataclass(frozen=True)
class ArrayTable(WideTable):
    """An array of scores.

    Attributes:
        path: The file.
        name: The array in it.
        height: Number of rows.
    """

    path: Path
    name: str
    height: int

    @property
    def num_rows(self) -> int:
        return self.height

    @abstractmethod
    def read(self, step: int) -> Iterator[FloatArray]:
        """The array in blocks of rows."""

    def blocks(self, columns: IntArray) -> Iterator[FloatArray]:
        for block in self.read(max(1, CELLS_AT_ONCE // max(1, len(self.classes)))):
            in_order = len(columns) == block.shape[1] and bool((np.diff(columns) == 1).all())
            yield block if in_order else np.ascontiguousarray(block[:, columns])


@dataclasses.dataclass(frozen=True)
class NumpyTable(ArrayTable):
    """An array in an npy file, or in an npz archive, packed or not."""

    def read(self, step: int) -> Iterator[FloatArray]:
        with _member(self.path, self.name) as file:
            shape, in_columns, dtype = _header(file, str(self.path))
            if in_columns:  # column-major: rows are not together
                content = np.frombuffer(file.read(), dtype).reshape(shape[::-1]).T
                yield from (content[first : first + step].copy() for first in range(0, shape[0], step))
                return
            width = int(np.prod(shape[1:]))
            for first in range(0, shape[0], step):
                rows = min(step, shape[0] - first)
                block = np.empty((rows, width), dtype)
                if not _filled(file, block.data.cast("B")):
                    raise InputError(f"{shape[0]:,} rows", "an array that ends before", at=str(self.path))
                yield block.astype(np.float32) if dtype == np.float16 else block


@dataclasses.dataclass(frozen=True)
class SafetensorsTable(ArrayTable):
    """A tensor in a safetensors file."""

    def read(self, step: int) -> Iterator[FloatArray]:
        from safetensors import safe_open

        with safe_open(str(self.path), framework="pt") as file:  # type: ignore[no-untyped-call]
            tensor = file.get_slice(self.name)
            for first in range(0, self.height, step):
                part = tensor[first : min(first + step, self.height)]
                yield (part if part.dtype.itemsize > 4 else part.float()).numpy()


def arrays_evidence(seen: Seen) -> str | None:
    """The evidence of arrays: the first bytes of npy, npz with npy members, or safetensors."""
    if seen.start.startswith(b"\x93NUMPY"):
        return "the first bytes of npy"
    if seen.start.startswith(b"PK"):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(seen.path) as archive:
            return "npy files in it" if any(name.endswith(".npy") for name in archive.namelist()) else None
    is_safe = seen.path.suffix == ".safetensors" and seen.start[8:9] == b"{"
    return "the header of safetensors" if is_safe else None


def read(seen: Seen) -> ArrayTable:
    """Open arrays of scores.

    The classes are an array of texts in the file, a list in the metadata of safetensors, or the option ``classes``.

    Raises:
        InputError: It is not clear which array holds the scores, the classes have another number, or have no names.
    """
    path, options, at = seen.path, seen.options, str(seen.path)
    is_safe = path.suffix == ".safetensors"
    shapes, about = _safe_shapes(path) if is_safe else (_numpy_shapes(path), {})
    tables = [name for name, each in shapes.items() if len(each.shape) == 2 and each.is_float]
    wanted = [name for name in tables if options.score_column in (None, name)]
    if len(wanted) != 1:
        found = ", ".join(f"{name} {list(each.shape)}" for name, each in shapes.items())
        raise InputError("one array of scores [row, class]", found, at=at, advice='Name it with score_column="...".')
    height, width = shapes[wanted[0]].shape
    texts = {name: each for name, each in shapes.items() if each.is_text and each.shape == (width,)}
    named = _classes_in(texts, height == width)
    classes = _classes(options, at) or _in_metadata(about, at)
    if classes is None and named is not None:
        classes = _whole(path, named).astype(str).tolist()
    if classes is None:
        advice = 'Pass classes="names.txt", with one class per line in the order of the columns.'
        raise InputError(f"names of the {width:,} classes", "none", at=at, advice=advice)
    if len(classes) != width:
        raise InputError(f"{width:,} classes, one for each column of {wanted[0]!r}", f"{len(classes):,}", at=at)
    others = [name for name, each in shapes.items() if each.shape == (height,) and name != named]
    columns = {name: _whole(path, name) if not is_safe else _whole_safe(path, name) for name in others}
    rows = pl.DataFrame({name: pl.Series(_plain(values)) for name, values in columns.items()})
    key = options.key or key_column([name for name in others if shapes[name].is_text])
    if key is not None and key not in others:
        raise InputError(f"the array {key!r} with a name for each row", some(others) or "none", at=at)
    scored = tuple(by_label_line(text) if is_label_line(text) else ScoredClass(text) for text in classes)
    kind = SafetensorsTable if is_safe else NumpyTable
    return kind(at, scored, rows, key, path, wanted[0], height)


def _classes(options: ScoreOptions, at: str) -> list[str] | None:
    """The classes of the option: a list, or the lines of a file."""
    if options.classes is None:
        return None
    if not isinstance(options.classes, str | PathLike):
        return list(options.classes)
    path = Path(options.classes)
    if not path.is_file():
        raise InputError("a file of classes", "no such file", at=str(path))
    lines = [line.strip() for line in read_text(path).splitlines()]
    return [line for line in lines if line]


def _classes_in(texts: Mapping[str, Shape], square: bool) -> str | None:
    """The array of classes: the only one of texts, or the one that is called so."""
    called = sorted(
        (name for name in texts if loose(name) in CLASS_WORDS), key=lambda name: CLASS_WORDS.index(loose(name))
    )
    if len(texts) == 1 and not square:
        return next(iter(texts))
    return called[0] if called else None


def _in_metadata(about: Mapping[str, str], at: str) -> list[str] | None:
    for name in CLASS_WORDS:
        if name in about:
            try:
                return [str(text) for text in json.loads(about[name])]
            except (json.JSONDecodeError, TypeError) as error:
                raise InputError("a list of classes in JSON", f"{about[name]:.80}", at=at) from error
    return None


def _plain(values: FloatArray) -> list[Any]:
    return (values.astype(str) if values.dtype.kind in "SUO" else values).tolist()


def _numpy_shapes(path: Path) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for name in _members(path):
        with _member(path, name) as file:
            shape, _, dtype = _header(file, str(path))
        found[name] = Shape(shape, dtype.kind in "US", dtype.kind == "f")
    return found


def _members(path: Path) -> Sequence[str]:
    if not zipfile.is_zipfile(path):
        return [path.stem]
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


@contextlib.contextmanager
def _member(path: Path, name: str) -> Generator[IO[bytes]]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        yield member


def _header(file: IO[bytes], at: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an npy file, which is then at its values."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = read(file)
    except ValueError as error:
        raise InputError("an array in npy", str(error), at=at) from error
    if dtype.hasobject:
        advice = "Save texts as an array of type str, not object, which NumPy pickles."
        raise InputError("arrays of numbers or texts", "Python objects", at=at, advice=advice)
    return shape, in_columns, dtype


def _filled(file: IO[bytes], buffer: memoryview) -> bool:
    """Read bytes into a buffer until it is full; false if the file ends before."""
    while len(buffer):
        data = file.read(min(len(buffer), 1 << 24))
        if not data:
            return False
        buffer[: len(data)] = data
        buffer = buffer[len(data) :]
    return True


def _whole(path: Path, name: str) -> FloatArray:
    with _member(path, name) as file:
        shape, in_columns, dtype = _header(file, str(path))
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if in_columns else "C")


def _safe_shapes(path: Path) -> tuple[dict[str, Shape], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:  # type: ignore[no-untyped-call]
            shapes = {
                name: Shape(
                    tuple(part.get_shape()), is_text=False, is_float=str(part.get_dtype()).startswith(("F", "BF"))
                )
                for name, part in ((name, file.get_slice(name)) for name in file.keys())  # noqa: SIM118
            }
            return shapes, dict(file.metadata() or {})
    except SafetensorError as error:
        raise InputError("a safetensors file", str(error), at=str(path)) from error


def _whole_safe(path: Path, name: str) -> FloatArray:
    from safetensors import safe_open

    with safe_open(str(path), framework="np") as file:  # type: ignore[no-untyped-call]
        return file.get_tensor(name)
