"""Names in several languages: labels given in any of them, and output in one."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

TREE = """id,parent,name,name:fr,name:de-AT,synonyms
1,,colours,,,
2,1,warm,chaud|tiède,warm,hot
3,1,cold,froid,,
4,2,red,rouge,rot,scarlet
5,2,orange,,Orange,
6,3,blue,bleu,blau,
7,3,green,vert|verte,,
"""
FRENCH = {"warm": "chaud", "cold": "froid", "red": "rouge", "blue": "bleu", "green": "vert"}
TINY = (
    *("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0"),
    *("--batch-size", "16", "--lr", "0.05", "--freeze", "--epochs", "12"),
)
RED = "photos/warm/red/1.png"


@pytest.fixture
def named(here: Any) -> str:
    """A run whose classes have names in two languages, trained on labels in French, by synonym and by name."""
    if not Path("runs/named").exists():
        Path("named.csv").write_text(TREE)
        called = {"red": "scarlet", "blue": "bleu", "green": "verte", "orange": "orange"}
        paths = sorted(Path("photos").rglob("*.png"))
        rows = [f"{path},{called[path.parent.name]}\n" for path in paths]
        Path("french.csv").write_text("".join(["path,label\n", *rows]))
        code, _, err = here("train", "french.csv", *TINY, "--taxonomy", "named.csv", "--out", "runs/named")
        assert code == 0, err
        told = [line for line in err.splitlines() if "found by other names" in line]
        assert len(told) == 1
        for text in ("3 labels", "'scarlet' (synonym of red)", "'verte' (name in fr of green)", "french.csv"):
            assert text in told[0]
    return "runs/named"


def predicted(here: Any, *words: str) -> pl.DataFrame:
    code, out, err = here("predict", *words)
    assert code == 0, err
    return pl.read_csv(StringIO(out))


def test_predictions_are_named_in_the_language_and_keep_their_paths(here: Any, named: str) -> None:
    words = (named, "photos", "--decision", "majority")
    own, french = predicted(here, *words), predicted(here, *words, "--names", "fr-CA")
    shown = ("label", "level_1", "level_2", "leaf")
    assert own.columns == french.columns
    for column in own.columns:
        expected = own[column].to_list()
        if column in shown:
            expected = [FRENCH.get(name, name) for name in expected]
        assert french[column].to_list() == expected, column
    assert {"rouge", "orange"} <= set(french["leaf"])


def test_nodes_per_level_and_sets_of_labels_are_named_too(here: Any, named: str) -> None:
    levels = predicted(here, named, RED, "--decision", "levels", "--names", "fra")
    assert levels["level_1"].to_list() == [FRENCH[levels["level_1_path"][0].split("/")[-1]]]
    words = ("predict", named, RED, "--decision", "boundary", "--format", "jsonl", "--names", "fr", "--top", "3")
    code, out, err = here(*words)
    assert code == 0, err
    row = json.loads(out)
    for paths, names in (("labels", "label_names"), ("top_labels", "top_names")):
        own = [path.split("/")[-1] for path in row[paths]]
        assert row[names] == [FRENCH.get(name, name) for name in own]
        assert row[names]


def test_a_folder_of_parts_is_in_one_language(here: Any, named: str) -> None:
    words = ("predict", named, RED, "--out", "parts/", "--quiet")
    assert here(*words, "--names", "fr")[0] == here(*words, "--names", "fra")[0] == 0
    job = Path("parts/job.json")
    assert json.loads(job.read_text())["names"] == "fr"
    for other in ((), ("--names", "de-AT")):
        code, _, err = here(*words, *other)
        assert (code, "another one: the language of names changed" in err) == (2, True)
    content = json.loads(job.read_text())
    del content["names"]
    job.write_text(json.dumps(content))
    assert here(*words)[0] == 0  # a folder of an earlier version, with the nodes' own names


def test_a_language_without_names_is_refused_with_those_there_are(here: Any, named: str, run: str) -> None:
    code, out, err = here("predict", named, RED, "--names", "es")
    assert (code, out) == (2, "")
    assert err.strip() == (
        "cladewise: Expected one of the languages that the taxonomy has names in (fr, de-AT), but got 'es'."
    )
    code, _, err = here("predict", run, RED, "--names", "fr")
    assert (code, "a taxonomy with names in fr, but got none" in err) == (2, True)


def test_a_tree_is_shown_in_a_language_from_a_node_named_in_another(here: Any, named: str) -> None:
    code, out, err = here("taxonomy", "show", "named.csv", "--names", "fr", "--node", "Orange")
    assert (code, out.splitlines()[0]) == (0, "orange")
    assert "1 label found by another name: 'Orange' (name in de-AT of orange)" in err
    code, out, err = here("taxonomy", "show", "named.csv", "--names", "fr")
    assert (code, err) == (0, "")
    assert out.splitlines()[:4] == [
        "colours  4 leaves",
        "├── chaud  2 leaves",
        "│   ├── rouge",
        "│   └── orange",
    ]


def test_a_page_names_nodes_in_the_language(here: Any, named: str) -> None:
    assert here("evaluate", named, "--split", "train")[0] == 0
    pages: dict[str, str] = {}
    for language in ("", "fr"):
        options = ("--names", language) if language else ()
        figures = f"figures-{language}"
        words = ("compare", named, "--split", "train", "--out", f"page-{language}.html", "--figures", figures, *options)
        code, _, err = here(*words)
        assert code == 0, err
        pages[language] = Path(f"page-{language}.html").read_text()
    for own, french in (("warm/red", "chaud/rouge"), ("cold/green", "froid/vert")):
        assert [own in page for page in pages.values()] == [True, False]
        assert [french in page for page in pages.values()] == [False, True]
    code, _, err = here("compare", named, "--split", "train", "--out", "page.html", "--names", "es")
    assert (code, "has names in (fr, de-AT), but got 'es'" in err) == (2, True)
    assert not Path("page.html").exists()
