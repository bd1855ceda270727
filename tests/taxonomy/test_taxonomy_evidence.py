from __future__ import annotations

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy.formats.evidence import Form, only_form

FORMS = [
    Form[int]("even", "even (a number that 2 divides)", lambda n: "its last digit" if n % 2 == 0 else None),
    Form[int]("square", "square (the square of a number)", lambda n: "its root" if round(n**0.5) ** 2 == n else None),
]


def test_the_form_with_evidence_is_chosen() -> None:
    assert only_form(2, FORMS, saw="2", source="here", advice="").name == "even"
    assert only_form(9, FORMS, saw="9", source="here", advice="").name == "square"


@pytest.mark.parametrize(("number", "got"), [(3, "which matches none of them"), (4, "even .because of its last digit")])
def test_none_and_several_are_refused_with_what_is_known(number: int, got: str) -> None:
    with pytest.raises(InputError, match=got) as error:
        only_form(number, FORMS, saw=str(number), source="numbers.txt", advice='Choose one with format="even".')
    assert "even (a number that 2 divides); square" in str(error.value)
    assert "at numbers.txt. Choose one" in str(error.value)
