"""The parts of a multipart body that has arrived whole."""

from __future__ import annotations

import dataclasses

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from cladewise.serving.refusals import Refused


@dataclasses.dataclass(frozen=True)
class Part:
    """One field of a form.

    Args:
        name: The name of the field.
        content: Its content.
        filename: The name of the file; ``None`` for a field that is not a file.
    """

    name: str
    content: bytes
    filename: str | None


def parts_of(body: bytes, content_type: str, *, most: int) -> list[Part]:
    r"""The parts of a ``multipart/form-data`` body.

    Args:
        body: The body.
        content_type: Its type, with the boundary.
        most: Largest number of parts.

    Raises:
        Refused: The body is malformed, or has more parts.

    Example:
        >>> body = b'--b\r\nContent-Disposition: form-data; name="top"\r\n\r\n3\r\n--b--\r\n'
        >>> parts_of(body, "multipart/form-data; boundary=b", most=10)
        [Part(name='top', content=b'3', filename=None)]
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise _malformed("one without a boundary in its content type")
    reader = _Reader(most)
    try:
        parser = MultipartParser(boundary, reader.callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (MultipartParseError, UnicodeDecodeError, ValueError) as error:
        raise _malformed(f"a malformed one ({error})") from error
    if not reader.ended:
        raise _malformed("one that ends before its last boundary")
    return reader.parts


def _malformed(got: str) -> Refused:
    return Refused(400, "a whole multipart/form-data body", got, kind="malformed")


class _Reader:
    """Collects the parts while the parser calls back."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most, self._begun = most, 0
        self._content, self._name, self._value = bytearray(), bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self.callbacks = {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._begun += 1
        if self._begun > self._most:
            raise Refused(413, f"at most {self._most} fields", "more", kind="count")
        self._content, self._headers = bytearray(), {}

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _part_end(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if disposition != b"form-data" or name is None:
            raise _malformed("a part without a content disposition of form-data and a name")
        filename = options.get(b"filename")
        shown = None if filename is None else filename.decode(errors="replace")
        self.parts.append(Part(name.decode(errors="replace"), bytes(self._content), shown))

    def _end(self) -> None:
        self.ended = True
