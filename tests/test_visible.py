"""Nothing that a terminal obeys comes through a name."""

from __future__ import annotations

import unicodedata
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError, InputWarning, warn
from cladewise.visible import visible

EVIL = "wren\x1b]0;title\x07\x1b[2J\x9b31m\u202egpj\r\x00\ud800"


@given(st.text(st.characters(categories=("Cc", "Cf", "Cs", "L", "So"))))
def test_no_control_is_left_and_other_text_stays(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")]
    assert visible(shown) == shown


def test_what_people_write_stays() -> None:
    for text in ("Pâté", "鳥/みそさざい", "שלום", "👩\u200d🌾", "a\tb\nc", "می\u200cروم"):
        assert visible(text) == text
    assert visible(EVIL) == "wren\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\u202egpj\\x0d\\x00\\ud800"


@pytest.mark.parametrize("control", ["\x1b", "\x9b", "\u202e", "\x07", "\x00"])
def test_errors_and_warnings_show_it(control: str) -> None:
    assert control not in str(InputError("a name", f"a{control}b", at=f"{control}.csv", advice=control))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(f"a name a{control}b", at=f"{control}.csv")
    assert isinstance(caught[0].message, InputWarning)
    assert control not in str(caught[0].message)
