"""Keys of images by which a table is looked up: columns, and what follows from dates and coordinates."""

from __future__ import annotations

import calendar
import dataclasses
import re
from typing import Protocol

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.inference import places

LATITUDES = ("latitude", "lat", "decimallatitude", "gpslatitude")
LONGITUDES = ("longitude", "lon", "lng", "long", "decimallongitude", "gpslongitude")
DATES = ("date", "datetime", "timestamp", "eventdate", "observedon", "datetimeoriginal", "takenat", "time")
MONTHS = {name.lower(): number for names in (calendar.month_name, calendar.month_abbr) for number, name in
          enumerate(names) if name}  # fmt: skip


class Key(Protocol):
    """A property of an image, as a text."""

    @property
    def name(self) -> str:
        """Name of its column in the table that is looked up."""
        ...

    def of_images(self, columns: pl.DataFrame) -> pl.Series:
        """The key of each image; null where it is not known.

        Raises:
            InputError: The columns that it follows from are missing, or hold other values.
        """
        ...

    def of_table(self, column: pl.Series, at: str) -> pl.Series:
        """The keys in the table, in the same form.

        Raises:
            InputError: A cell is no such key.
        """
        ...

    def coarser(self, keys: pl.Series) -> pl.Series | None:
        """For keys that the table lacks, those of the larger areas around them; ``None`` if there is none."""
        ...


def parse_key(text: str) -> Key:
    """The key that a text means: ``month``, ``country``, ``h3:5``, or the name of a column.

    Example:
        >>> parse_key("month").of_images(pl.DataFrame({"date": ["2024-05-31", ""]})).to_list()
        ['5', None]

    Raises:
        InputError: A resolution is not from 0 to 15.
    """
    if text == "month":
        return MonthKey()
    if text == "country":
        return CountryKey()
    if text == "h3" or text.startswith("h3:"):
        if not re.fullmatch(r"h3:(\d|1[0-5])", text):
            raise InputError("h3 with a resolution from 0 to 15, as in h3:5", repr(text))
        return H3Key(int(text[3:]))
    return ColumnKey(text)


@dataclasses.dataclass(frozen=True)
class ColumnKey:
    """The value of a column, compared as text."""

    name: str

    def of_images(self, columns: pl.DataFrame) -> pl.Series:
        return as_texts(_column(columns, self.name))

    def of_table(self, column: pl.Series, at: str) -> pl.Series:
        return as_texts(column)

    def coarser(self, keys: pl.Series) -> pl.Series | None:
        return None


@dataclasses.dataclass(frozen=True)
class MonthKey(ColumnKey):
    """The month from 1 to 12: of a column ``month``, as a number or an English name, or of a date."""

    name: str = "month"

    def of_images(self, columns: pl.DataFrame) -> pl.Series:
        if "month" in columns.columns:
            return _months(as_texts(columns["month"]), "the column month")
        name = _named(columns, DATES, "month", "a column month, or one with dates such as date")
        column = columns[name]
        if column.dtype.is_temporal():
            return column.dt.month().cast(pl.String)
        texts = as_texts(column)
        months = texts.str.extract(r"^\d{4}[-:/](\d{1,2})(?:\D|$)")
        return _months(_all_read(texts, months, "dates that begin with the year, as in 2024-05-31", name), name)

    def of_table(self, column: pl.Series, at: str) -> pl.Series:
        return _months(as_texts(column), at)


@dataclasses.dataclass(frozen=True)
class CountryKey(ColumnKey):
    """The country by its ISO 3166 code or name: of a column ``country``, or of coordinates."""

    name: str = "country"

    def of_images(self, columns: pl.DataFrame) -> pl.Series:
        if "country" in columns.columns:
            return places.country_codes(as_texts(columns["country"]))
        return places.countries_of(*_coordinates(columns, "country", "a column country, or latitude and longitude"))

    def of_table(self, column: pl.Series, at: str) -> pl.Series:
        return places.country_codes(as_texts(column))


@dataclasses.dataclass(frozen=True)
class H3Key(ColumnKey):
    """The H3 cell of a resolution; larger cells stand for those in them that the table lacks."""

    resolution: int = 0
    name: str = "h3"

    def __init__(self, resolution: int) -> None:
        object.__setattr__(self, "resolution", resolution)
        object.__setattr__(self, "name", "h3")

    def of_images(self, columns: pl.DataFrame) -> pl.Series:
        if "h3" in columns.columns:
            return places.checked_cells(as_texts(columns["h3"]), "the column h3")
        found = _coordinates(columns, f"h3:{self.resolution}", "a column h3, or latitude and longitude")
        return places.cells_of(*found, self.resolution)

    def of_table(self, column: pl.Series, at: str) -> pl.Series:
        return places.checked_cells(as_texts(column), at)

    def coarser(self, keys: pl.Series) -> pl.Series | None:
        return places.parent_cells(keys)


def as_texts(column: pl.Series) -> pl.Series:
    """The cells of a column as texts without blanks around them, whole numbers without a point; null if blank.

    Example:
        >>> as_texts(pl.Series([3.0, None])).to_list(), as_texts(pl.Series([" a ", " "])).to_list()
        (['3', None], ['a', None])
    """
    if column.dtype.is_float():
        there = column.fill_nan(None)
        column = there.cast(pl.Int64) if (there.drop_nulls() % 1 == 0).all() else there
    texts = column.cast(pl.String).str.strip_chars()
    return texts.set(texts == "", None)


def _column(columns: pl.DataFrame, name: str) -> pl.Series:
    if name not in columns.columns:
        raise _missing(columns, f"a column {name}")
    return columns[name]


def _missing(columns: pl.DataFrame, expected: str) -> InputError:
    return InputError(f"{expected} for each image", f"the columns {', '.join(columns.columns) or 'none'}")


def _named(columns: pl.DataFrame, names: tuple[str, ...], key: str, expected: str) -> str:
    """The one column with a usual name."""
    found = [name for name in columns.columns if re.sub(r"[\W_]", "", name).lower() in names]
    if not found:
        raise _missing(columns, expected)
    if len(found) > 1:
        got = f"{len(found)} that could be it: {', '.join(found)}"
        raise InputError(f"one column that the key {key} follows from", got, advice="Rename or remove the others.")
    return found[0]


def _coordinates(columns: pl.DataFrame, key: str, expected: str) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes in degrees; NaN where they are not known."""
    found: list[np.ndarray] = []
    for names, most in ((LATITUDES, 90.0), (LONGITUDES, 180.0)):
        name = _named(columns, names, key, expected)
        texts = as_texts(columns[name])
        numbers = _all_read(texts, texts.cast(pl.Float64, strict=False), "degrees as decimal numbers", name)
        values = numbers.cast(pl.Float64).to_numpy()
        wrong = np.flatnonzero(~(np.abs(values) <= most) & ~np.isnan(values))
        if wrong.size:
            advice = "Are latitude and longitude swapped?" if most == 90.0 else ""
            got = f"{values[wrong[0]]:g} in row {wrong[0] + 1}"
            raise InputError(f"degrees from -{most:g} to {most:g} in {name}", got, advice=advice)
        found.append(values)
    known = ~np.isnan(found[0]) & ~np.isnan(found[1])
    return np.where(known, found[0], np.nan), np.where(known, found[1], np.nan)


def _all_read(texts: pl.Series, read: pl.Series, expected: str, name: str) -> pl.Series:
    """The values read from texts, if every text has one."""
    wrong = (texts.is_not_null() & read.is_null()).arg_true()
    if len(wrong):
        raise InputError(f"{expected}, in {name}", f"{texts[wrong[0]]!r} in row {wrong[0] + 1}")
    return read


def _months(texts: pl.Series, at: str) -> pl.Series:
    numbers = (
        texts.str.to_lowercase().replace(list(MONTHS), list(map(str, MONTHS.values()))).cast(pl.Int64, strict=False)
    )
    numbers = numbers.set((numbers < 1) | (numbers > 12), None)
    return _all_read(texts, numbers, "months from 1 to 12", at).cast(pl.String)
