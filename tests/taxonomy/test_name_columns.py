"""Cells that hold several names, and columns of names in a language."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.taxonomy.names.columns import (
    columns_of_language,
    escaped_names,
    is_language,
    join_names,
    language_code,
    languages,
    split_names,
)

NAMES = st.text(st.sampled_from("ab|\\/ é"), min_size=1).map(str.strip).filter(bool)


@given(st.lists(NAMES, max_size=5, unique=True))
def test_a_cell_gives_back_the_names_that_it_was_written_from(names: list[str]) -> None:
    assert split_names(join_names(names)) == names


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_a_column_of_names_is_escaped_as_each_name_is(names: list[str]) -> None:
    assert escaped_names(pl.Series(names)).to_list() == [join_names([name]) for name in names]


@given(st.lists(st.text(st.characters(exclude_characters="|\\")).filter(lambda name: name.strip() == name != "")))
def test_ordinary_names_are_joined_unchanged(names: list[str]) -> None:
    assert join_names(names) == "|".join(dict.fromkeys(names))


def test_codes_of_a_language_that_exporters_write_are_one() -> None:
    codes = {
        "en": ["en", "EN", "eng", " en "],
        "en-GB": ["en-GB", "en_GB", "en-uk"],
        "de": ["de", "ger", "deu"],
        "zh-Hant-TW": ["zh-Hant-TW", "zh_hant_tw"],
        "und": ["und", "", " "],
        "Klingon": ["Klingon"],
    }
    assert {code: {language_code(text) for text in texts} for code, texts in codes.items()} == {
        code: {code} for code in codes
    }
    assert [is_language(text) for text in ("en-GB", "english", "Old Tongue")] == [True, False, False]


def test_a_specific_language_falls_back_to_the_general_one_but_not_the_other_way_round() -> None:
    columns = {name: ["", "x"] for name in ("id", "name:fr", "name:zh_Hant", "name:en-GB", "name:", "names")}
    tree = Taxonomy([-1, 0], ["", "x"], columns=columns)
    assert list(languages(tree)) == ["fr", "zh-Hant", "en-GB"]
    assert columns_of_language(tree, "fra-CA") == ["name:fr"]
    assert columns_of_language(tree, "zh-Hant-TW") == ["name:zh_Hant"]
    for language in ("en", "zh", "de"):
        with pytest.raises(InputError, match=rf"has names in \(fr, zh-Hant, en-GB\), but got '{language}'"):
            columns_of_language(tree, language)
    with pytest.raises(InputError, match="a taxonomy with names in fr, but got none"):
        columns_of_language(Taxonomy([-1], [""]), "fr")


def test_escaping_leaves_the_given_column_alone() -> None:
    names = pl.Series(["puma", "A|B"])
    assert escaped_names(names).to_list() == ["puma", r"A\|B"]
    assert names.to_list() == ["puma", "A|B"]
