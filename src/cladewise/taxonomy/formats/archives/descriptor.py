"""The descriptor of a Darwin Core archive, ``meta.xml``: which files it has, and how their columns are written.

Its terms, attributes and their defaults: https://dwc.tdwg.org/text/
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Mapping

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.archives.rows import Layout, first_line, read_rows
from cladewise.taxonomy.formats.file_kinds import UTF_16
from cladewise.taxonomy.formats.members import Members
from cladewise.taxonomy.formats.safe_xml import Element, parse_xml
from cladewise.taxonomy.formats.tables.table import Table

FILE = "meta.xml"
MAX_BYTES = 2**22
ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n"}
IDENTIFIER = "id"
"""Name of the column by which rows of extensions refer to rows of the core, if it is no term itself."""


@dataclasses.dataclass(frozen=True)
class DataFile:
    """One table of an archive, which may be in several files.

    Attributes:
        kind: The last part of its row type: ``Taxon``, ``VernacularName``, ...
        locations: Its files.
        layout: How they are written.
        positions: Position of the column of each term, from 0.
        defaults: Text of each term for blank cells, or for all rows if the term has no column.
        key: Column by which the core and its extensions are joined.
    """

    kind: str
    locations: tuple[str, ...]
    layout: Layout
    positions: Mapping[str, int]
    defaults: Mapping[str, str]
    key: str

    @property
    def columns(self) -> list[str]:
        """All columns: those with a position, then those with a default only."""
        return list(dict.fromkeys([*self.positions, *self.defaults]))

    def table(self, members: Members, columns: list[str]) -> Table:
        """Some of the columns, with blank cells filled by their defaults.

        Raises:
            InputError: A file is missing, or is not written as the descriptor says.
        """
        wanted = {name: self.positions[name] for name in columns if name in self.positions}
        if not wanted:  # the rows have to be counted all the same
            wanted = dict(list(self.positions.items())[:1])
        parts = [
            read_rows(members, _found(members, name), self._layout(members, name), wanted) for name in self.locations
        ]
        table = parts[0]
        if len(parts) > 1:
            table = Table(pl.concat(part.frame for part in parts), f"{members.path}, {', '.join(self.locations)}")
        filled = [
            pl.when(pl.col(name).str.strip_chars() == "").then(pl.lit(text)).otherwise(pl.col(name)).alias(name)
            if name in wanted
            else pl.lit(text).alias(name)
            for name, text in self.defaults.items()
            if name in columns
        ]
        return dataclasses.replace(table, frame=table.frame.with_columns(filled).select(columns))

    def _layout(self, members: Members, name: str) -> Layout:
        r"""The layout, with tabs for commas if the descriptor is silent and the rows have only tabs."""
        if self.layout.separator:
            return self.layout
        line = first_line(members, _found(members, name), self.layout)
        tabs = "\t" in line and "," not in line
        return dataclasses.replace(self.layout, separator="\t" if tabs else ",")


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """The core of an archive and its extensions."""

    core: DataFile
    extensions: tuple[DataFile, ...]

    def extensions_of(self, kind: str) -> list[DataFile]:
        """The extensions of a row type, ignoring case."""
        return [extension for extension in self.extensions if extension.kind.lower() == kind.lower()]


def read_descriptor(members: Members, name: str = FILE) -> Descriptor:
    """Read ``meta.xml``.

    Raises:
        InputError: It is not a descriptor of a Darwin Core archive.
    """
    source = f"{members.path}, {name}"
    with members.open(name) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError("a descriptor of at most 4 MiB", "more", at=source)
    root = parse_xml(_text(data, source), source)
    cores = [element for element in root if _plain(element.tag) == "core"]
    if _plain(root.tag) != "archive" or len(cores) != 1:
        raise InputError("the descriptor of a Darwin Core archive with one core", f"{_plain(root.tag)!r}", at=source)
    extensions = [_data_file(element, source) for element in root if _plain(element.tag) == "extension"]
    return Descriptor(_data_file(cores[0], source), tuple(extensions))


def _text(data: bytes, source: str) -> str:
    """The text of an XML document in the encoding that it declares."""
    declared = re.match(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)", data)
    encoding = "utf-16" if data.startswith(UTF_16) else declared[1].decode() if declared else "utf-8-sig"
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"text in {encoding}", f"an error: {error}", at=source) from error


def short_term(text: str) -> str:
    """The name of a term without its namespace.

    Example:
        >>> short_term("http://rs.tdwg.org/dwc/terms/taxonID"), short_term("http://purl.org/dc/terms/language")
        ('taxonID', 'language')
    """
    return text.strip().rstrip("/#").replace("#", "/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def _plain(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _data_file(element: Element, source: str) -> DataFile:
    children = list(element)
    locations = tuple(
        (place.text or "").strip()
        for files in children
        if _plain(files.tag) == "files"
        for place in files
        if _plain(place.tag) == "location"
    )
    kind = short_term(element.get("rowType", ""))
    if not locations or not all(locations):
        raise InputError("the location of every table", f"none for {kind or _plain(element.tag)}", at=source)
    positions: dict[str, int] = {}
    defaults: dict[str, str] = {}
    for field in children:
        if _plain(field.tag) != "field" or not field.get("term"):
            continue
        term = short_term(field.get("term", ""))
        if field.get("index") and term not in positions:
            positions[term] = _index(field, source)
        if field.get("default") and term not in defaults:
            defaults[term] = field.get("default", "")
    key = ""
    for child in children:
        if _plain(child.tag) in ("id", "coreid") and child.get("index"):
            index = _index(child, source)
            named = next((term for term, position in positions.items() if position == index), "")
            key = named if named.lower().endswith("id") else IDENTIFIER
            positions.setdefault(key, index)
    return DataFile(kind, locations, _layout(element, source), positions, defaults, key)


def _index(element: Element, source: str) -> int:
    text = element.get("index", "")
    if not text.strip().isdecimal():
        raise InputError("the position of a column, from 0", repr(text), at=source)
    return int(text)


def _layout(element: Element, source: str) -> Layout:
    def text(name: str, default: str) -> str:
        given = element.get(name, default)
        return ESCAPES.get(given, given)

    encoding = element.get("encoding", "").strip() or "utf-8"
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise InputError("a known encoding", repr(encoding), at=source) from error
    skipped = element.get("ignoreHeaderLines", "").strip() or "0"
    if not skipped.isdecimal():
        raise InputError("ignoreHeaderLines to be a number", repr(skipped), at=source)
    separator = text("fieldsTerminatedBy", "")
    return Layout(
        separator=separator,
        quote=text("fieldsEnclosedBy", '"'),
        line_end=text("linesTerminatedBy", "\n"),
        encoding=encoding,
        skipped=int(skipped),
    )


def _found(members: Members, location: str) -> str:
    """The member at a location, ignoring case if there is none of exactly that name."""
    name = location.removeprefix("./").replace("\\", "/")
    if name in members.names:
        return name
    alike = [member for member in members.names if member.lower() == name.lower()]
    if len(alike) != 1:
        raise InputError(
            f"the file {location!r} that meta.xml names", some(members.names, 10) or "none", at=str(members.path)
        )
    return alike[0]
