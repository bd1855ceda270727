"""Reading without options gives the tree that was written, or says why not: never another tree in silence."""

from __future__ import annotations

import gzip
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, read, write
from strategies import HOSTILE, label_trees

SETTINGS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
LABELS = ["apple", "pear", "kale", "fig, dried", "sea bass", "wren", "robin", "owl", "fox", "lynx", "moth", "bee"]
RANKS = ["kingdom", "order", "genus", "species", "subspecies"]


def attempt(path: Path, **options: Any) -> Taxonomy | None:
    """The tree of a file; nothing where it is refused, or told with a warning that could change it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tree = read(path, **options)
        except InputError:
            return None
    told = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
    harmless = ("stray white space", "invisible character", " next to ")
    return None if any(not any(word in text for word in harmless) for text in told) else tree


def form_options(form: str, tree: Taxonomy) -> dict[str, Any]:
    return {"roots": "join"} if form == "edges" and tree.synthetic_root else {}


def fitted(form: str, tree: Taxonomy) -> Taxonomy:
    """The tree with names that do not repeat, where the form needs them."""
    if form != "edges":
        return tree
    names = [f"{name} no. {node}" if node or name else "" for node, name in enumerate(tree.names.tolist())]
    return Taxonomy(tree.parents, names, synthetic_root=tree.synthetic_root)


@pytest.mark.parametrize("form", ["levels", "edges", "nodes"])
@SETTINGS
@given(data=st.data())
def test_no_other_tree_than_that_of_the_explicit_format(form: Any, data: st.DataObject) -> None:
    drawn = data.draw(label_trees(pool=HOSTILE, apart=True, holes=form != "edges", columns=form == "nodes"))
    tree = fitted(form, drawn)
    options = form_options(form, tree)
    for name in ("t.csv", "t.tsv", "t.parquet"):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / name
            write(tree, path, format=form)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InputWarning)
                explicit = read(path, format=form, header="first", **options)
            assert explicit == tree, name
            found = attempt(path, **options)
        event(f"{form} {'refused' if found is None else 'read'}")
        assert found in (None, tree), name


@SETTINGS
@given(tree=label_trees(pool=LABELS, apart=True, synthetic=True, holes=False, level_names=RANKS))
def test_tables_of_named_levels_are_read_without_a_word(tree: Taxonomy) -> None:
    forms: tuple[Any, ...] = ("nodes", "levels")
    for form in forms:
        with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
            warnings.simplefilter("error", InputWarning)
            write(tree, Path(place) / "t.csv", format=form)
            assert read(Path(place) / "t.csv") == tree, form


def without_header(text: str, _: Any) -> str:
    return text.split("\n", 1)[1]


def other_separator(text: str, draw: Any) -> str:
    separator = draw(st.sampled_from(";|\t"))
    quoted = False
    changed: list[str] = []
    for character in text:
        quoted ^= character == '"'
        changed.append(separator if character == "," and not quoted else character)
    return "".join(changed)


def column_twice(text: str, _: Any) -> str:
    return "\n".join(f"{line},{line.rsplit(',', 1)[-1]}" if line else line for line in text.split("\n"))


def columns_turned(text: str, _: Any) -> str:
    return "\n".join(",".join(reversed(line.split(","))) for line in text.split("\n"))


def quote_removed(text: str, draw: Any) -> str:
    places = [k for k, character in enumerate(text) if character == '"']
    place = draw(st.sampled_from(places))
    return text[:place] + text[place + 1 :]


def header_repeated(text: str, draw: Any) -> str:
    lines = text.rstrip("\n").split("\n")
    place = draw(st.integers(2, len(lines)))
    return "\n".join([*lines[:place], lines[0], *lines[place:]]) + "\n"


def wide_row(text: str, draw: Any) -> str:
    lines = text.rstrip("\n").split("\n")
    place = draw(st.integers(1, len(lines) - 1))
    return "\n".join([*lines[:place], f"{lines[place]},x", *lines[place + 1 :]]) + "\n"


MUTATIONS = [
    *(without_header, other_separator, column_twice, columns_turned, quote_removed, header_repeated, wide_row),
]


@pytest.mark.parametrize("form", ["levels", "edges", "nodes"])
@SETTINGS
@given(data=st.data())
def test_a_mutated_table_is_the_same_tree_or_told(form: Any, data: st.DataObject) -> None:
    pool = data.draw(st.sampled_from([LABELS, [label for label in LABELS if "," not in label]]))
    levels = RANKS if form != "edges" else None
    synthetic = True if form == "levels" else None
    drawn = data.draw(label_trees(pool=pool, apart=True, holes=False, level_names=levels, synthetic=synthetic))
    tree = fitted(form, drawn)
    options = form_options(form, tree)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "t.csv"
        write(tree, path, format=form)
        text = path.read_text()
        for mutate in MUTATIONS:
            if (mutate is quote_removed and '"' not in text) or (mutate is columns_turned and '"' in text):
                continue
            path.write_text(mutate(text, data.draw))
            found = attempt(path, **options)
            event(f"{form} {mutate.__name__}: {'told' if found is None else 'read'}")
            assert found in (None, tree), mutate.__name__


@pytest.mark.parametrize("form", ["levels", "edges", "nodes"])
def test_packed_tables_are_the_same_tree(tmp_path: Path, form: Any) -> None:
    tree = Taxonomy.from_paths(
        [("bird", "wren"), ("bird", "robin"), ("moth", "hawk-moth")], level_names=["order", "kind"]
    )
    write(tree, tmp_path / "t.csv", format=form)
    (tmp_path / "u.csv").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    roots = "join" if form == "edges" else "error"
    found = read(tmp_path / "u.csv", roots=roots)
    assert (found.names.tolist(), found.parents.tolist()) == (tree.names.tolist(), tree.parents.tolist())
