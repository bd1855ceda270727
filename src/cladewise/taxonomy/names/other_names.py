"""How a label that is no name, id or path names its node: as a synonym, a former id, or a name in a language."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from cladewise.taxonomy.names.columns import FORMER_IDS, SYNONYMS, UNKNOWN_LANGUAGE, languages, split_names
from cladewise.taxonomy.names.index import NamedTree, Same
from cladewise.taxonomy.names.sameness import composed

SHOWN_LANGUAGES = 3


@dataclasses.dataclass(frozen=True)
class OtherName:
    """A further name of a node.

    Attributes:
        text: The name.
        kind: What it is: ``synonym``, ``former id``, ``name in fr, de``, or ``vernacular name`` of unknown language.
        of: Name of the node, or its path if others have the name too.
    """

    text: str
    kind: str
    of: str

    @property
    def shown(self) -> str:
        """Kind and bearer of the name, as in ``synonym of Puma concolor``."""
        return f"{self.kind} of {self.of}"

    def __str__(self) -> str:
        return f"{self.text!r} ({self.shown})"


def other_name(taxonomy: NamedTree, node: int, same: Same, texts: Collection[str]) -> OtherName | None:
    """The further name of a node that equals one of some texts after normalisation, if there is one.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy([-1, 0], ["", "Puma concolor"], columns={"synonyms": ["", "Felis concolor"]})
        >>> print(other_name(t, 1, str.lower, {"felis concolor"}))
        'Felis concolor' (synonym of Puma concolor)
    """
    of = shown_name(taxonomy, node)
    for column, kind in ((SYNONYMS, "synonym"), (FORMER_IDS, "former id")):
        text = _among(taxonomy, node, column, same, texts)
        if text is not None:
            return OtherName(text, kind, of)
    named = {
        language: text
        for language, column in languages(taxonomy).items()
        if (text := _among(taxonomy, node, column, same, texts)) is not None
    }
    if not named:
        return None
    known = [language for language in named if language != UNKNOWN_LANGUAGE]
    listed = ", ".join(known[:SHOWN_LANGUAGES]) + (", ..." if len(known) > SHOWN_LANGUAGES else "")
    return OtherName(next(iter(named.values())), f"name in {listed}" if known else "vernacular name", of)


def shown_name(taxonomy: NamedTree, node: int) -> str:
    """The node's name, or its path if other nodes have the name too."""
    name = str(taxonomy.names[node])
    return name if taxonomy.called(composed).names.get(composed(name)) == node else taxonomy.path_name(node) or "root"


def _among(taxonomy: NamedTree, node: int, column: str, same: Same, texts: Collection[str]) -> str | None:
    if column not in taxonomy.columns:
        return None
    return next((text for text in split_names(str(taxonomy.columns[column][node])) if same(text) in texts), None)
