"""Files that were damaged at random are read as a tree or refused with one line, never with anything else.

The number of damaged files is 300, or that of the environment variable ``CLADEWISE_MUTATIONS``.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, check, read, write

NUM_MUTATIONS = int(os.environ.get("CLADEWISE_MUTATIONS", "300"))

TREE = Taxonomy.from_paths(
    [
        ("bird", "wrens", "winter wren"),
        ("bird", "wrens", "it's"),
        ("bird", "thrushes", 'the "robin"'),
        ("bird", "thrushes", "Müller's thrush"),
        ("moth", "hawk-moths", "elephant, small"),
        ("moth", "hawk-moths", "a_b c"),
        ("fungi",),
    ],
    level_names=["kingdom", "family", "species"],
)

TEXTS = {
    "source_target.csv": "source,target\nbird,wren\nbird,robin\nmoth,hawk\n",
    "itis.csv": "tsn,parent_tsn,complete_name\n1,0,Animalia\n2,1,Chordata\n3,2,Aves\n",
    "semicolons.csv": "order;family;species\nbird;wrens;winter wren\nbird;thrushes;robin\n",
    "darwin.csv": (
        "taxonID,parentNameUsageID,acceptedNameUsageID,scientificName,taxonomicStatus,taxonRank\n"
        "1,,,Bubulcus,accepted,genus\n2,1,,Bubulcus ibis,accepted,species\n3,,2,Ardea ibis,synonym,species\n"
    ),
    "ranks.tsv": (
        "taxonID\tkingdom\tphylum\tgenus\tscientificName\ttaxonRank\n"
        "1\tFungi\tBasidiomycota\tCortinarius\tCortinarius\tgenus\n"
        "2\tFungi\tBasidiomycota\tCortinarius\tC. sp. A\tspecies\n"
    ),
    "tree_data.json": '{"id": "bird", "children": [{"id": "wren"}, {"id": "robin"}]}',
    "node_link.json": (
        '{"directed": true, "multigraph": false, "graph": {}, "nodes": [{"id": "bird"}, {"id": "wren"}],'
        ' "edges": [{"source": "bird", "target": "wren"}]}'
    ),
    "forest.json": '[{"name": "bird", "children": [{"name": "wren"}]}, {"name": "moth", "children": null}]',
    "quoted.nwk": "((\"Homo sapiens\":1.5,'Pan paniscus')95,it''s)Root;\n",
    "block.nex": "#NEXUS\nbegin trees;\n translate 1 wren, 2 robin;\n tree one = [&R] (1,2)bird;\nend;\n",
    "anchors.yaml": "bird: &b [wren, robin]\nmoth: {hawk: *b}\n",
}

FRAGMENTS = [
    b'"',
    b"'",
    b",",
    b"\t",
    b";",
    b"|",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\x8b",
    b"{",
    b"]",
]
FRAGMENTS += [
    b"null",
    b"NaN",
    b"-1",
    b"0",
    b"(",
    b")",
    b":",
    b"&",
    b"*",
    b"<<",
    b"\\",
    b"\\ud800",
    b"1" * 5000,
    b"e999",
]


def _written(folder: Path) -> list[Path]:
    """The tree in every format that is written, and texts of other tools' shapes."""
    folder.mkdir(exist_ok=True)
    for name in ("nodes.csv", "nodes.tsv", "nodes.parquet", "tree.json", "tree.yaml", "tree.nwk"):
        write(TREE, folder / name)
    write(TREE, folder / "levels.csv", format="levels")
    write(TREE, folder / "edges.csv", format="edges")
    (folder / "nodes.csv.gz").write_bytes(gzip.compress((folder / "nodes.csv").read_bytes(), mtime=0))
    (folder / "children.json").write_text(json.dumps({"name": "fruit", "children": [{"name": "apple", "id": 7}]}))
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def _flip(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _insert(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(FRAGMENTS) + data[place:]


def _replace(data: bytes, chance: random.Random) -> bytes:
    old, new = chance.choice(FRAGMENTS[:9]), chance.choice(FRAGMENTS)
    return data.replace(old, new, chance.choice([1, -1]))


def _lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[i]
        case 1:
            lines.insert(i, lines[j])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case _:
            lines[i] += lines[j]
    return b"\n".join(lines)


def _repeat(data: bytes, chance: random.Random) -> bytes:
    return data * chance.choice([2, 3])


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [_flip, _cut, _insert, _replace, _lines, _repeat]


def _mutated(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        data = chance.choice(MUTATIONS)(data, chance) or b" "
    return data


@pytest.mark.filterwarnings("ignore::cladewise.errors.InputWarning")
@pytest.mark.filterwarnings("error")
def test_damaged_files_are_read_or_refused_in_one_line_and_check_agrees(tmp_path: Path) -> None:
    sources = [(path.suffixes, path.read_bytes()) for path in _written(tmp_path / "whole")]
    refused = 0
    for seed in range(NUM_MUTATIONS):
        suffixes, data = sources[seed % len(sources)]
        path = tmp_path / ("damaged" + "".join(suffixes))
        path.write_bytes(_mutated(data, random.Random(seed)))
        problems = check(path)
        texts = [f"{path.name}: {problem}" for problem in problems]
        reads = True
        try:
            read(path)
        except InputError as error:
            reads = False
            texts.append(str(error))
        except BaseException as error:  # told with its seed, so that it can be made again
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        errors = [problem for problem in problems if problem.severity == "error"]
        assert reads == (not errors), f"seed {seed}: {errors[:1]}"
        assert [text for text in texts if "\n" in text or "damaged" not in text] == [], f"seed {seed}"
        refused += not reads
    assert NUM_MUTATIONS / 10 < refused < NUM_MUTATIONS
