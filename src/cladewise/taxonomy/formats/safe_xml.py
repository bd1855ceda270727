"""XML documents without a document type, read with the standard library.

A document type can define entities that expand without bound or name other files. None of the formats read here has
one, so a document that has is refused before it is parsed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import GIBIBYTE, read_text

Element = ElementTree.Element


def parse_xml(text: str, source: str) -> Element:
    """The root element of a document.

    Raises:
        InputError: The text is not well-formed XML, or has a document type.

    Example:
        >>> parse_xml("<View><Choice value='wren'/></View>", "config.xml")[0].get("value")
        'wren'
        >>> parse_xml("<!DOCTYPE View><View/>", "config.xml")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected XML without a document type, but got <!DOCTYPE at config.xml:1. Remove it.
    """
    _refuse_types(text, source)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise _broken(error, source) from error


def read_xml(path: Path, *, limit: int = GIBIBYTE // 8) -> Element:
    """The root element of a file, plain or gzipped.

    Raises:
        InputError: The file cannot be read, is not well-formed XML, or has a document type.
    """
    return parse_xml(read_text(path, limit=limit), str(path))


def each_element(path: Path, depth: int, *, limit: int = 2 * GIBIBYTE) -> Iterator[Element]:
    """The elements at a depth below the root of a file, in order, in the memory of one and of the text.

    Args:
        path: The file, plain or gzipped.
        depth: 1 for the children of the root.
        limit: Most bytes that are read.

    Raises:
        InputError: The file cannot be read, is not well-formed XML, or has a document type.
    """
    text, source = read_text(path, limit=limit), str(path)
    _refuse_types(text, source)
    above: list[Element] = []
    try:
        for event, element in ElementTree.iterparse(io.StringIO(text), events=("start", "end")):
            if event == "start":
                above.append(element)
                continue
            above.pop()
            if len(above) == depth:
                yield element
                above[-1].remove(element)
    except ElementTree.ParseError as error:
        raise _broken(error, source) from error


def _refuse_types(text: str, source: str) -> None:
    place = text.find("<!DOCTYPE")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise InputError("XML without a document type", "<!DOCTYPE", at=f"{source}:{line}", advice="Remove it.")


def _broken(error: ElementTree.ParseError, source: str) -> InputError:
    line, _ = error.position
    return InputError("well-formed XML", f"an error: {error.msg}", at=f"{source}:{line}")
