"""Methods are found by name, and a wrong name or option is answered with the right ones."""

from __future__ import annotations

import pytest

from cladewise import InputError, methods


def test_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(InputError, match=r"Expected a method: .*hace.*but got 'hacee'\. Did you mean hace"):
        methods.make("hacee")


def test_wrong_option_lists_the_right_ones() -> None:
    with pytest.raises(
        InputError, match=r"an option of the method hace: dilution, .*but got 'dilutoin'\. Did you mean dilution"
    ):
        methods.make("hace", dilutoin=0.5)
