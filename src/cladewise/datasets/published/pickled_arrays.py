"""Reading of dictionaries with texts, numbers and arrays of bytes from pickle files, without executing them.

A pickle is a program for a stack machine that can call any function. Here its operations are interpreted by a table of
those that build plain values; the only known functions are the two with which NumPy rebuilds an array, and even these
are not called. This covers what Python 2 wrote with protocol 2, the form of the CIFAR archives.
"""

from __future__ import annotations

import dataclasses
import mmap
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError

_ARRAY, _ARRAY_TYPE, _NUMBER_TYPE = "_reconstruct", "ndarray", "dtype"
_NUMPY = {
    "numpy.core.multiarray _reconstruct": _ARRAY,
    "numpy._core.multiarray _reconstruct": _ARRAY,
    "numpy ndarray": _ARRAY_TYPE,
    "numpy dtype": _NUMBER_TYPE,
}
_ADVICE = "Only files as in the official archives are read, since other pickles can run code."


@dataclasses.dataclass
class _Global:
    """A function or class that is named but never looked up."""

    name: str


@dataclasses.dataclass
class _Built:
    """The result of a call that is not made: the function, its arguments and later its state."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


class _Mark:
    """The beginning of a list of values on the stack."""


def unpickled_arrays(file: Path) -> dict[str, Any]:
    """The dictionary in a pickle file, with arrays that are views of the file, which they keep mapped.

    Args:
        file: A pickle of a dictionary whose values are texts, numbers, lists, dictionaries and arrays of bytes.

    Raises:
        InputError: It is not a pickle, is cut short, or names a function other than NumPy's for arrays.

    Example:
        >>> file = getfixture("tmp_path") / "data"
        >>> _ = file.write_bytes(pickled({"labels": [1, 300], "data": np.eye(2, dtype=np.uint8)}))
        >>> found = unpickled_arrays(file)
        >>> found["labels"], found["data"].tolist()
        ([1, 300], [[1, 0], [0, 1]])
    """
    if not file.stat().st_size:
        raise InputError("a pickled dictionary", "an empty file", at=str(file))
    with file.open("rb") as stream:
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        found = _Machine(content, str(file)).run()
    except (struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "a pickled dictionary", f"a damaged file ({type(error).__name__})", at=str(file), advice=_ADVICE
        ) from None
    if not isinstance(found, dict):
        raise InputError("a pickled dictionary", f"a {type(found).__name__}", at=str(file), advice=_ADVICE)
    return cast("dict[str, Any]", found)


def pickled(values: Mapping[str, str | Sequence[str] | Sequence[int] | NDArray[np.uint8]]) -> bytes:
    """A pickle of protocol 2 with texts, lists and arrays of bytes, as Python 2 would write it.

    Example:
        >>> import pickle
        >>> pickle.loads(pickled({"names": ["a", "b"], "labels": [0, 70000]}))
        {'names': ['a', 'b'], 'labels': [0, 70000]}
    """
    written = [b"\x80\x02}("]
    for key, value in values.items():
        written.append(_text(key.encode()))
        if isinstance(value, np.ndarray):
            shape = b"".join(_number(size) for size in value.shape)
            written += [
                b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n",
                *(_number(0), b"\x85", _text(b"b"), b"\x87R(", _number(1), b"(" + shape + b"t"),
                *(b"cnumpy\ndtype\n", _text(b"u1"), _number(0), _number(1), b"\x87R(", _number(3), _text(b"|")),
                *(b"NNN", _number(-1), _number(-1), _number(0), b"tb\x89", _text(value.tobytes()), b"tb"),
            ]
        elif isinstance(value, str):
            written.append(_text(value.encode()))
        else:
            items = [_number(one) if isinstance(one, int) else _text(one.encode()) for one in value]
            written += [b"](", *items, b"e"]
    return b"".join([*written, b"u."])


def _text(content: bytes) -> bytes:
    size = len(content)
    return (b"U" + bytes([size]) if size < 256 else b"T" + struct.pack("<i", size)) + content


def _number(value: int) -> bytes:
    return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)


class _Machine:
    """The stack machine of one file."""

    def __init__(self, content: mmap.mmap, at: str) -> None:
        self.content, self.at, self.place = memoryview(content), at, 0
        self.stack: list[Any] = []
        self.kept: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            code = self.content[self.place]
            self.place += 1
            if code == ord("."):
                return self.stack.pop()
            if code not in _OPERATIONS:
                raise InputError(
                    "a pickle as Python 2 wrote it", f"the operation 0x{code:02X}", at=self.at, advice=_ADVICE
                )
            _OPERATIONS[code](self)

    def taken(self, size: int) -> memoryview:
        """The next bytes of the file."""
        if size < 0 or self.place + size > len(self.content):
            raise InputError("a complete file", "one that is cut short", at=self.at)
        self.place += size
        return self.content[self.place - size : self.place]

    def unpacked(self, layout: str) -> int:
        return struct.unpack(layout, self.taken(struct.calcsize(layout)))[0]

    def line(self) -> str:
        end = self.place
        while self.content[end] != ord("\n"):
            end += 1
        text = bytes(self.content[self.place : end]).decode("latin-1")
        self.place = end + 1
        return text

    def marked(self) -> list[Any]:
        """Values above the last mark, which is removed with them."""
        last = max(k for k in range(len(self.stack)) if isinstance(self.stack[k], _Mark))
        values = self.stack[last + 1 :]
        del self.stack[last:]
        return values

    def last(self, count: int) -> tuple[Any, ...]:
        if count > len(self.stack):
            raise IndexError
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return values

    def text(self, layout: str) -> str | memoryview:
        """A text; long ones stay in the file, as they are the content of arrays."""
        found = self.taken(self.unpacked(layout))
        return found if len(found) > 4096 else bytes(found).decode("latin-1")

    def named(self) -> _Global:
        name = f"{self.line()} {self.line()}"
        if name not in _NUMPY:
            shown = name.replace(" ", ".")
            raise InputError("a pickle of texts, numbers and arrays", f"a call of {shown}", at=self.at, advice=_ADVICE)
        return _Global(_NUMPY[name])

    def call(self) -> _Built:
        function, arguments = self.last(2)
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise TypeError
        return _Built(function.name, cast("tuple[Any, ...]", arguments))

    def build(self) -> None:
        state = self.stack.pop()
        built = self.stack[-1]
        if not isinstance(built, _Built) or built.state is not None:
            raise TypeError
        built.state = state
        if built.name == _ARRAY:
            self.stack[-1] = array = self._array(built)
            self.kept.update({key: array for key, value in self.kept.items() if value is built})

    def _array(self, built: _Built) -> NDArray[np.uint8]:
        _, shape, kind, by_column, content = built.state
        if not isinstance(kind, _Built) or kind.name != _NUMBER_TYPE or kind.arguments[0] != "u1":
            raise InputError("arrays of bytes", "another array", at=self.at, advice=_ADVICE)
        raw = content.encode("latin-1") if isinstance(content, str) else content
        return np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if by_column else "C")

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise TypeError
        cast("dict[Any, Any]", target).update(zip(values[::2], values[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError
        cast("list[Any]", target).extend(values)

    def check_protocol(self) -> None:
        protocol = self.unpacked("<B")
        if protocol > 2:
            raise InputError("a pickle as Python 2 wrote it", f"protocol {protocol}", at=self.at, advice=_ADVICE)

    def keep(self, number: int) -> None:
        self.kept[number] = self.stack[-1]


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    def operate(machine: _Machine) -> None:
        machine.stack.append(make(machine))

    return operate


_OPERATIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: _Machine.check_protocol,
    ord("("): _push(lambda m: _Mark()),
    ord("}"): _push(lambda m: {}),
    ord("]"): _push(lambda m: []),
    ord(")"): _push(lambda m: ()),
    ord("N"): _push(lambda m: None),
    0x88: _push(lambda m: True),
    0x89: _push(lambda m: False),
    ord("K"): _push(lambda m: m.unpacked("<B")),
    ord("M"): _push(lambda m: m.unpacked("<H")),
    ord("J"): _push(lambda m: m.unpacked("<i")),
    ord("U"): _push(lambda m: m.text("<B")),
    ord("T"): _push(lambda m: m.text("<i")),
    ord("X"): _push(lambda m: m.text("<I")),
    ord("t"): _push(lambda m: tuple(m.marked())),
    0x85: _push(lambda m: m.last(1)),
    0x86: _push(lambda m: m.last(2)),
    0x87: _push(lambda m: m.last(3)),
    ord("c"): _push(_Machine.named),
    ord("R"): _push(_Machine.call),
    ord("b"): _Machine.build,
    ord("u"): lambda m: m.set_items(m.marked()),
    ord("s"): lambda m: m.set_items(list(m.last(2))),
    ord("e"): lambda m: m.extend(m.marked()),
    ord("a"): lambda m: m.extend(list(m.last(1))),
    ord("q"): lambda m: m.keep(m.unpacked("<B")),
    ord("r"): lambda m: m.keep(m.unpacked("<I")),
    ord("h"): _push(lambda m: m.kept[m.unpacked("<B")]),
    ord("j"): _push(lambda m: m.kept[m.unpacked("<I")]),
}
"""Operations by their codes, as documented in Python's module ``pickletools``."""
