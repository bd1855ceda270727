"""A cache of emoji drawings, fetched and rendered vendor by vendor."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cladewise.atomic import write_bytes, write_text
from cladewise.datasets.published.emoji.icons import IconSet
from cladewise.datasets.published.emoji.unicode import Emoji, read_emoji
from cladewise.datasets.published.emoji.vendors import Vendor
from cladewise.datasets.published.npm import Archive, Package
from cladewise.progress import track

SIDE = 96
"""Side of a drawing in pixels."""

_RULES = "1"  # version of the matching and rendering rules, so that old drawings are not reused

Fetch = Callable[[Package], Archive]


@dataclasses.dataclass(frozen=True)
class Drawings:
    """A vendor's drawings of one group: code points of each drawing, and reasons of those that failed."""

    hexcodes: tuple[str, ...]
    failed: dict[str, str]


class DrawingCache:
    """PNG files in ``<vendor>/<hexcode>.png``, rendered on white on first use.

    A group of a vendor is complete once its list, ``<vendor>/<group>.json``, exists. It is written last, so that an
    interrupted fetch resumes, and a complete one needs no network. Other versions of the packages use another folder.

    Args:
        parent: Folder of all caches.
        labels: Package with the hierarchy.
        vendors: The sets of drawings.
        fetch: Function that fetches a package.
    """

    def __init__(self, parent: Path, labels: Package, vendors: Iterable[Vendor], fetch: Fetch) -> None:
        self.vendors = {vendor.name: vendor for vendor in vendors}
        pins = [labels.integrity, *(vendor.package.integrity for vendor in self.vendors.values())]
        key = hashlib.sha256(" ".join([_RULES, str(SIDE), *pins]).encode()).hexdigest()[:12]
        self.folder = parent / f"emoji-{key}"
        self._labels, self._fetch = labels, fetch

    def emoji(self) -> list[Emoji]:
        """Every emoji, in Unicode's order."""
        file = self.folder / "emoji.json"
        rows = _read_json(file)
        if rows is not None:
            return [Emoji(**row) for row in rows]
        found = read_emoji(self._fetch(self._labels))
        _write_json(file, [dataclasses.asdict(one) for one in found])
        return found

    def complete(self, vendors: Iterable[str], emoji: Sequence[Emoji]) -> None:
        """Fetch and render the missing drawings of the groups of these emoji."""
        groups = sorted({one.group for one in emoji})
        missing = {name: [group for group in groups if self.drawings(name, group) is None] for name in vendors}
        wanted = {name: groups for name, groups in missing.items() if groups}
        archives = {
            name: self._fetch(self.vendors[name].package)
            for name in track(wanted, "fetching emoji packages", shown=bool(wanted))
        }
        for name, archive in archives.items():
            self._draw(name, IconSet.read(archive), [one for one in emoji if one.group in wanted[name]])

    def drawings(self, vendor: str, group: str) -> Drawings | None:
        """The cached drawings of a vendor's group; None if they are incomplete."""
        folder = self.folder / vendor
        kept = _read_json(folder / f"{group}.json")
        if kept is None or not _hexcodes_in(folder).issuperset(kept["hexcodes"]):
            return None
        return Drawings(tuple(kept["hexcodes"]), kept["failed"])

    def _draw(self, vendor: str, icons: IconSet, emoji: Sequence[Emoji]) -> None:
        folder = self.folder / vendor
        there = _hexcodes_in(folder)
        drawn: dict[str, list[str]] = {one.group: [] for one in emoji}
        failed: dict[str, dict[str, str]] = {one.group: {} for one in emoji}
        for one in track(emoji, f"drawing {vendor}"):
            svg = icons.svg(one)
            if svg is None:
                continue
            if one.hexcode not in there:
                try:
                    picture = render_svg(svg)
                except ValueError as error:
                    failed[one.group][one.hexcode] = f"a drawing that cannot be rendered ({error})"
                    continue
                write_bytes(folder / f"{one.hexcode}.png", picture, durable=False)
            drawn[one.group].append(one.hexcode)
        for group, hexcodes in drawn.items():
            _write_json(folder / f"{group}.json", {"hexcodes": hexcodes, "failed": failed[group]})


def render_svg(svg: str) -> bytes:
    """Render a drawing on white to a PNG file of 96 by 96 pixels.

    Raises:
        ValueError: It is not valid SVG.

    Example:
        >>> render_svg('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')[:4]
        b'\\x89PNG'
    """
    import resvg_py  # here, since only a first fetch renders anything

    # the drawings contain no text; without system fonts they are equal on all machines
    return resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE, background="white", skip_system_fonts=True)


def _hexcodes_in(folder: Path) -> set[str]:
    # a power cut may leave empty files, which are rendered again
    return {file.stem for file in folder.glob("*.png") if file.stat().st_size}


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _write_json(file: Path, content: object) -> None:
    write_text(file, json.dumps(content, ensure_ascii=False, indent=0))
