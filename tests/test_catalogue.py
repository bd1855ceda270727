"""Rules as one text, and as part of a file name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.catalogue import fitted, from_spec, handle, make_part, options_of, parse_spec, spec
from cladewise.errors import InputError


@dataclasses.dataclass(frozen=True)
class Sieve:
    """A part with an option of every type."""

    name: ClassVar[str] = "sieve"

    alpha: float = 0.5
    steps: int = 3
    rescale: bool = False
    over: Literal["leaves", "nodes", 7] = "leaves"
    levels: tuple[int, ...] = ()
    file: str | Path | None = None
    note: str = ""
    depth: int | Literal["all"] = "all"
    learnt: Any = fitted()  # noqa: RUF009 -- it is a field


@dataclasses.dataclass(frozen=True)
class Needy:
    name: ClassVar[str] = "needy"

    allowed: str


PARTS: dict[str, type[Any]] = {"sieve": Sieve, "needy": Needy}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("sieve", {}),
        ("sieve:alpha=1", {"alpha": 1.0}),
        ("sieve:alpha=1e-3,steps=12", {"alpha": 0.001, "steps": 12}),
        ("sieve:rescale=true,over=nodes", {"rescale": True, "over": "nodes"}),
        ("sieve:over=7", {"over": 7}),
        ("sieve:levels=2,3,alpha=0.1", {"levels": (2, 3), "alpha": 0.1}),
        ("sieve:file=a/b=c.txt", {"file": Path("a/b=c.txt")}),
        ("sieve:file=none", {"file": None}),
        ("sieve:note=12", {"note": "12"}),
        ("sieve:note=a, b", {"note": "a,b"}),
        ("sieve:depth=2", {"depth": 2}),
        ("sieve:depth=all", {"depth": "all"}),
    ],
)
def test_a_spec_is_read_as_the_types_of_the_fields(text: str, options: dict[str, Any]) -> None:
    name, found = parse_spec(PARTS, "rule", text)
    assert (name, found) == ("sieve", options)
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in options.items()}
    assert from_spec(PARTS, "rule", text) == Sieve(**options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seive", r"a rule: sieve, needy, but got 'seive'. Did you mean sieve\?"),
        ("sieve:alhpa=1", r"an option of the rule sieve: alpha, .*but got 'alhpa'. Did you mean alpha\?"),
        ("sieve:learnt=1", "an option of the rule sieve: "),
        ("sieve:alpha=much", "a number, but got 'much' at rule sieve, option alpha"),
        ("sieve:steps=1.5", "a whole number, but got '1.5'"),
        ("sieve:rescale=maybe", "true or false"),
        ("sieve:over=trees", "one of leaves, nodes, 7, but got 'trees'"),
        ("sieve:depth=some", "a whole number or one of all"),
        ("sieve:levels=1,x", "a whole number, but got 'x'"),
        ("sieve:0.5", "sieve:key=value,key=value, but got 'sieve:0.5'"),
        ("sieve:", "sieve:key=value"),
        ("sieve:alpha=1,alpha=2", "each option of sieve once, but got alpha twice"),
        ("needy", "the rule needy with its allowed, but got none. Write needy:allowed="),
    ],
)
def test_a_wrong_spec_says_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_spec(PARTS, "rule", text)


def test_what_is_learnt_is_no_option() -> None:
    assert "learnt" not in options_of(Sieve)
    with pytest.raises(InputError, match="an option of the rule sieve"):
        make_part(PARTS, "rule", "sieve", {"learnt": 3})


sieves = st.builds(
    Sieve,
    alpha=st.floats(allow_nan=False),
    steps=st.integers(-5, 50),
    rescale=st.booleans(),
    over=st.sampled_from(["leaves", "nodes", 7]),
    levels=st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple),
    note=st.text("abc.", min_size=1, max_size=5),
    depth=st.sampled_from([1, 20, "all"]),
)


@given(sieves)
def test_a_spec_reads_back_as_the_same_rule(rule: Sieve) -> None:
    assert from_spec(PARTS, "rule", spec(rule)) == rule


@given(sieves, sieves)
def test_two_rules_never_share_a_handle(one: Sieve, other: Sieve) -> None:
    assert (handle(one) == handle(other)) == (spec(one) == spec(other))
    assert not set(handle(one)) & set("/\\:*?<>| ")


def test_files_of_one_name_in_two_folders_have_two_handles() -> None:
    assert handle(Needy("region.txt")) == "needy-region"
    assert handle(Needy("a/region.txt")) != handle(Needy("b/region.txt"))
    assert handle(Sieve(0.25, rescale=True)) == "sieve-0.25-rescale=true"
