"""Icon sets: the icon of each emoji, as SVG."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from cladewise.datasets.published.emoji.unicode import Emoji
from cladewise.datasets.published.npm import Archive


class IconSet:
    """One vendor's icons, matched to emoji.

    Icons are matched by code points, otherwise by name, since old sets have no code points. An alias stands for its
    parent icon, possibly mirrored.

    Args:
        icons: The icons and their aliases, from the package's ``icons.json``.
        names: Icon names by code points, from ``chars.json``.
    """

    def __init__(self, icons: dict[str, Any], names: dict[str, str]) -> None:
        self._icons: dict[str, dict[str, Any]] = icons["icons"]
        self._aliases: dict[str, dict[str, Any]] = icons.get("aliases", {})
        self._size = (icons.get("width", 16), icons.get("height", 16))  # the format's own default
        self._name_by_hexcode = {_code_points(hexcode): name for hexcode, name in names.items()}

    @classmethod
    def read(cls, archive: Archive) -> IconSet:
        """Read the set from its package."""
        return cls(archive.read_json("icons.json"), archive.read_json("chars.json"))

    def svg(self, emoji: Emoji) -> str | None:
        """The square drawing of an emoji; None if the set has none."""
        for name in self._names(emoji):
            found = self._resolve(name)
            if found is not None:
                return self._draw(*found)
        return None

    def _names(self, emoji: Emoji) -> Iterator[str]:
        by_code_points = self._name_by_hexcode.get(_code_points(emoji.hexcode))
        if by_code_points is not None:
            yield by_code_points
        yield slug(emoji.label)
        if emoji.label.startswith("flag: "):  # the oldest sets write "flag-for-chad", and spell "&" out
            country = emoji.label.removeprefix("flag: ")
            yield f"flag-for-{slug(country)}"
            yield f"flag-for-{slug(country.replace('&', 'and'))}"

    def _resolve(self, name: str) -> tuple[dict[str, Any], bool] | None:
        """The icon of a name, and whether it is mirrored."""
        mirrored = False
        for _ in range(len(self._aliases) + 1):  # aliases of a broken package may be cyclic
            if name in self._icons:
                return self._icons[name], mirrored
            alias = self._aliases.get(name)
            if alias is None:
                return None
            mirrored ^= bool(alias.get("hFlip"))
            name = alias["parent"]
        return None

    def _draw(self, icon: dict[str, Any], mirrored: bool) -> str:
        width, height = icon.get("width", self._size[0]), icon.get("height", self._size[1])
        left, top = icon.get("left", 0), icon.get("top", 0)
        body = icon["body"]
        if mirrored:
            body = f'<g transform="translate({2 * left + width} 0) scale(-1 1)">{body}</g>'
        side = max(width, height)
        box = f"{left - (side - width) / 2:g} {top - (side - height) / 2:g} {side:g} {side:g}"
        names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {names} viewBox="{box}">{body}</svg>'


def slug(label: str) -> str:
    """An emoji's name in the spelling of icon sets.

    Example:
        >>> slug("piñata"), slug("woman’s hat"), slug("keycap: 1")
        ('pinata', 'womans-hat', 'keycap-1')
    """
    plain = unicodedata.normalize("NFKD", label).replace("’", "")
    unaccented = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", unaccented.lower()).strip("-")


def _code_points(hexcode: str) -> str:
    """Code points without the emoji variation selector (U+FE0F), which only some sets write."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")
