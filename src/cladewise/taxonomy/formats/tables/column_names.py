"""Vocabulary of column headers: words for levels, ids, names, parents and attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


RANKS = (
    *("domain", "superkingdom", "realm", "kingdom", "subkingdom", "infrakingdom", "superphylum", "phylum", "division"),
    *("subphylum", "infraphylum", "superclass", "class", "subclass", "infraclass", "superorder", "order", "suborder"),
    *("infraorder", "parvorder", "superfamily", "epifamily", "family", "subfamily", "supertribe", "tribe", "subtribe"),
    *("genus", "subgenus", "species", "subspecies", "variety", "form"),
)
"""Biological ranks, coarse to fine."""

LEVEL_WORDS = frozenset(RANKS) | words(
    "level levels tier layer depth rank rang ebene niveau nivel stufe group subgroup supergroup category subcategory "
    "supercategory type subtype supertype kind subkind sort super sub coarse fine finest medium middle broad narrow "
    "main parent child root top name names label labels class classes leaf node title department subdepartment aisle "
    "section segment brick product item brand make maker model manufacturer year variant style line collection theme "
    "topic subtopic field subfield area region country state city disease diagnosis object concept synset word epithet "
    "series cohort clade cultivar strain breed race scientific common code id taxon description note size colour color "
    "categories families genera orders phyla kingdoms products items "
    "ordnung familie gattung art klasse stamm reich gruppe untergruppe obergruppe kategorie unterkategorie "
    "oberkategorie produkt bezeichnung begriff nummer "
    "ordre famille genre espèce espece classe règne regne catégorie categorie groupe nom libellé "
    "produit orden familia género genero especie clase reino categoría categoria subcategoría "
    "subcategoria grupo nombre producto "
    "名称 类别 分类 大类 中类 小类 目 科 属 种 纲 门 界"
)
"""Last words of column names, which are rarely labels themselves."""

ATTRIBUTE_WORDS = words(
    "id ids uid uuid guid key code index idx number num no nr count counts total size frequency url uri link href "
    "description note notes comment comments remark remarks definition gloss image images img picture photo file "
    "filename filepath path date created updated author authority source_url latitude longitude lat lon weight score "
    "price synonym synonyms alias aliases notation def ancestry lft rgt"
)
"""Last words of column names that describe a node and are not levels."""

LANGUAGE_WORDS = words(
    "common scientific latin english german french spanish vernacular display canonical preferred alternative other "
    "local trade binomial"
)
"""Words before ``name`` for a further name of the same node."""

FINEST_WORDS = words("name label title leaf fine finest child item product species variant")
"""Words for the finest of several levels."""

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "heic", "heif", "avif", "jp2", "ppm")
IMAGE_FILE = rf"(?i)\.({'|'.join(IMAGE_SUFFIXES)})$"


def tokens(name: str) -> list[str]:
    """Words and numbers of a column's name, in lower case.

    Example:
        >>> tokens("parentNameUsageID"), tokens("taxon_id"), tokens("level_1")
        (['parent', 'name', 'usage', 'id'], ['taxon', 'id'], ['level', '1'])
    """
    apart = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=[a-zß-ÿ\d])(?=[A-ZÀ-Þ])", " ", name)
    return [word.lower() for word in re.findall(r"[^\W\d_]+|\d+", apart)]


def squeezed(name: str) -> str:
    """The words of a column's name joined into one text, for comparison with known names."""
    return "".join(tokens(name))


def last_word(name: str) -> str:
    """The last word of a column's name that is not a number."""
    found = [word for word in tokens(name) if not word.isdecimal()]
    return found[-1] if found else ""


def names_levels(name: str) -> bool:
    """Whether a column's name ends in a typical word of headers.

    Example:
        >>> names_levels("Fine label"), names_levels("winter wren")
        (True, False)
    """
    return last_word(name) in LEVEL_WORDS | ATTRIBUTE_WORDS


def is_attribute(name: str) -> bool:
    """Whether a column's name means that it describes nodes and is not a level.

    Example:
        >>> is_attribute("taxon_id"), is_attribute("common name"), is_attribute("species")
        (True, True, False)
    """
    named = last_word(name) in ("name", "names", "label") and bool(LANGUAGE_WORDS & set(tokens(name)))
    return named or last_word(name) in ATTRIBUTE_WORDS


def numbering(names: Sequence[str]) -> list[int]:
    """Numbers in column names that differ only by a number; empty otherwise.

    Example:
        >>> numbering(["level_1", "level_2"]), numbering(["order", "family"])
        ([1, 2], [])
    """
    found = [re.fullmatch(r"(\D*?)(\d+)(\D*)", name) for name in names]
    around = {(match[1], match[3]) for match in found if match}
    if not all(found) or len(around) != 1 or not "".join(*around).strip():
        return []
    if len(names) == 1 and not LEVEL_WORDS & set(tokens(names[0])):
        return []
    return [int(match[2]) for match in found if match]


def ranks_of(names: Sequence[str]) -> list[int]:
    """Positions of columns among the biological ranks; empty unless all columns are ranks.

    Example:
        >>> ranks_of(["order", "family"]) == sorted(ranks_of(["family", "order"]))
        True
    """
    found = [last_word(name) if last_word(name) != "name" else tokens(name)[0] for name in names]
    return [RANKS.index(word) for word in found] if found and all(word in RANKS for word in found) else []
