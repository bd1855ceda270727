"""Rules as one text, and as part of a file name."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.catalogue import fitted, from_spec, handle, make_part, named, options_of, pairs, parse_spec, spec
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


@dataclasses.dataclass(frozen=True)
class Bars:
    """A part with options that users name."""

    name: ClassVar[str] = "bars"

    common: float = 0.9
    by_name: tuple[tuple[str, float], ...] = named("level")

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", pairs(self.by_name))


PARTS: dict[str, type[Any]] = {"sieve": Sieve, "needy": Needy, "bars": Bars}
NAMED = {
    "bars:family=0.6,genus=1": {"family": 0.6, "genus": 1.0},
    "bars:common=0.5,Aves=0.7": {"common": 0.5, "Aves": 0.7},
    "bars:Homo sapiens=0.6, St. Mary's wort =.5": {"Homo sapiens": 0.6, "St. Mary's wort": 0.5},
    r"bars:a\,b=0.1,c\=d=0.2": {"a,b": 0.1, "c=d": 0.2},
    "bars:Aves/Passer: x=0.3": {"Aves/Passer: x": 0.3},
    "bars:7=0.3": {"7": 0.3},
}


@pytest.mark.parametrize(("text", "options"), NAMED.items())
def test_options_that_users_name(text: str, options: dict[str, float]) -> None:
    assert parse_spec(PARTS, "part", text) == ("bars", options)
    part = from_spec(PARTS, "part", text)
    own = {key: value for key, value in options.items() if key != "common"}
    assert part == Bars(options.get("common", 0.9), own)  # pyright: ignore[reportArgumentType]
    assert part.by_name == tuple(own.items())
    assert from_spec(PARTS, "part", spec(part)) == part
    assert make_part(PARTS, "part", "bars", {"by_name": own}).by_name == part.by_name
    assert set(options_of(Bars)) == {"common"}


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8), st.floats(0, 1))
)
def test_names_of_any_characters_survive_a_spec(values: dict[str, float]) -> None:
    values = {name.strip(): value for name, value in values.items()}
    values = {k: v for k, v in values.items() if k and k != "common" and not k.endswith("\\")}
    part = Bars(0.5, values)  # pyright: ignore[reportArgumentType]
    assert from_spec(PARTS, "part", spec(part)) == part


def test_handles_tell_named_options_apart() -> None:
    handles = {handle(Bars(by_name=((name, 0.5),))) for name in ("a", "b", "a b", "a/b", "a,b", "A")}
    assert len(handles) == 6
    assert handle(Bars(0.8, (("family", 0.6),))) == "bars-0.8-family=0.6"
    assert all("/" not in one for one in handles)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: from_spec(PARTS, "part", "bars:comon=0.5"),
            "common, or a level, but got 'comon'. Did you mean common",
        ),
        (lambda: from_spec(PARTS, "part", "bars:family=x"), "option family"),
        (lambda: from_spec(PARTS, "part", "bars:family=0.5,family=0.6"), "family twice"),
        (lambda: from_spec(PARTS, "part", "bars:family"), "bars:key=value"),
        (lambda: make_part(PARTS, "part", "bars", {"family": "x"}), "a number, but got 'x'"),
        (lambda: Bars(by_name=3), "a mapping from names to values, but got 3"),  # pyright: ignore[reportArgumentType]
        (lambda: Bars(by_name=(("a", 1.0), ("a", 2.0))), "each name once, but got a, a"),
    ],
)
def test_mistakes_in_named_options(call: Any, text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        call()


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
        ("seive", r"a rule: sieve, needy, bars, but got 'seive'. Did you mean sieve\?"),
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
