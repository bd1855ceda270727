"""Unicode's hierarchy of emoji: group, subgroup, emoji."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from cladewise.datasets.published.npm import Archive
from cladewise.taxonomy import Taxonomy

LEVELS = ("group", "subgroup", "emoji")
_PARTS_OF_EMOJI = "component"  # skin tones and hair: no pictures of their own


@dataclasses.dataclass(frozen=True)
class Emoji:
    """One emoji: its group and subgroup, its name in the CLDR, and its code points."""

    group: str
    subgroup: str
    label: str
    hexcode: str

    @property
    def path(self) -> tuple[str, str, str]:
        """Names from group to emoji."""
        return (self.group, self.subgroup, self.label)


def read_emoji(labels: Archive) -> list[Emoji]:
    """All emoji of the package that are in the hierarchy, in Unicode's order.

    Skin tone variants belong to their emoji and are not classes.
    """
    places = labels.read_json("meta/groups.json")
    rows: list[dict[str, Any]] = [row for row in labels.read_json("en/data.json") if "group" in row]
    rows.sort(key=lambda row: row["order"])
    return [
        Emoji(
            group=places["groups"][str(row["group"])],
            subgroup=places["subgroups"][str(row["subgroup"])],
            label=row["label"],
            hexcode=row["hexcode"],
        )
        for row in rows
        if places["groups"][str(row["group"])] != _PARTS_OF_EMOJI
    ]


def in_groups(emoji: Iterable[Emoji], groups: Collection[str] | None) -> list[Emoji]:
    """The emoji of some groups; all of them if ``groups`` is None.

    Example:
        >>> cat = Emoji("animals-nature", "animal-mammal", "cat", "1F408")
        >>> in_groups([cat], ["flags"]), in_groups([cat], None) == [cat]
        ([], True)
    """
    return [one for one in emoji if groups is None or one.group in groups]


def emoji_taxonomy(emoji: Sequence[Emoji]) -> Taxonomy:
    """The tree of some emoji, with the columns ``text`` (a name to read) and ``hexcode`` (of a leaf).

    Example:
        >>> tree = emoji_taxonomy([Emoji("animals-nature", "animal-mammal", "cat", "1F408")])
        >>> tree.path_name(3), tree.columns["text"].tolist(), tree.columns["hexcode"].tolist()
        ('animals-nature/animal-mammal/cat', ['', 'animals nature', 'animal mammal', 'cat'], ['', '', '', '1F408'])
    """
    plain = Taxonomy.from_paths([one.path for one in emoji], level_names=LEVELS)
    hexcodes = {one.path: one.hexcode for one in emoji}
    paths = [plain.path_names(node) for node in plain]
    names = [path[-1] if path else "" for path in paths]
    return Taxonomy(
        plain.parents,
        plain.names,
        level=plain.level,
        level_names=LEVELS,
        columns={
            "text": [
                name if path in hexcodes else name.replace("-", " ") for path, name in zip(paths, names, strict=True)
            ],
            "hexcode": [hexcodes.get(path, "") for path in paths],  # type: ignore[call-overload]
        },
        synthetic_root=True,
    )
