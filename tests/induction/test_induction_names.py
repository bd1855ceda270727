"""Trees from names and from larger trees: WordNet, text encoders, exports of taxonomy services."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cladewise as cw
from cladewise import InputError, Taxonomy
from cladewise.induction import Proposal, induce, nodes_in
from cladewise.induction.sense_choice import choose_senses
from cladewise.induction.spanning import spanned
from cladewise.induction.wordnet_words import WordNetNouns
from reference.induction_twin import closest_pair
from strategies import taxonomies

SYNSETS = {
    # offset: words, hypernym, gloss
    "00000001": ("entity", "", "that which is"),
    "00000002": ("animal", "00000001", "a living thing"),
    "00000003": ("bird", "00000002", "feathered"),
    "00000004": ("crane", "00000003", "a wading bird"),
    "00000005": ("heron", "00000003", "another wading bird"),
    "00000006": ("kite", "00000003", "a hawk"),
    "00000007": ("machine", "00000001", "does work"),
    "00000008": ("crane", "00000007", "lifts things"),
    "00000009": ("excavator|digger", "00000007", "digs"),
    "00000010": ("plaything", "00000001", "a toy"),
    "00000011": ("kite", "00000010", "flies on a string"),
    "00000012": ("dog", "00000002", "barks"),
    "00000013": ("poodle", "00000012", "a dog with curls"),
    "00000014": ("goose", "00000003", "honks"),
}
ORDER = {"crane": ["00000008", "00000004"], "kite": ["00000011", "00000006"]}
"""The most frequent senses are those of things."""


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wordnet")
    lines, index = ["  1 A licence."], {}
    for offset, (words, above, gloss) in SYNSETS.items():
        listed = words.split("|")
        pointers = f"001 @ {above} n 0000" if above else "000"
        lines.append(f"{offset} 03 n {len(listed):02x} {' '.join(f'{w} 0' for w in listed)} {pointers} | {gloss}")
        for word in listed:
            index.setdefault(word, []).append(offset)
    index.update(ORDER)
    (folder / "data.noun").write_text("\n".join(lines) + "\n")
    rows = [f"{w} n {len(o)} 1 @ {len(o)} 0 {' '.join(o)}  " for w, o in sorted(index.items())]
    (folder / "index.noun").write_text("\n".join(["  1 A licence.", *rows]) + "\n")
    (folder / "noun.exc").write_text("geese goose\n")
    return folder


def paths(proposal: Proposal) -> dict[str, str]:
    tree = proposal.taxonomy
    return {name: tree.path_name(node) for name, node in zip(proposal.classes, proposal.nodes.tolist(), strict=True)}


def test_senses_are_those_on_which_the_classes_agree(wordnet: Path) -> None:
    birds = induce(["crane", "heron", "kite", "geese"], "wordnet", wordnet=wordnet)
    assert birds.taxonomy.num_nodes == 5
    assert ["bird" in birds.evidence(node) or "hawk" in birds.evidence(node) for node in birds.nodes.tolist()] == [
        *(True, True, True, False)
    ]
    things = induce(["crane", "excavator", "digger of holes"], "wordnet", wordnet=wordnet)
    assert "lifts things" in things.evidence(int(things.nodes[0]))
    nouns = WordNetNouns(wordnet)
    chosen = choose_senses(nouns, ["crane", "heron", "kite", "geese"])
    assert [nouns.ids[one.sense.node] for one in chosen if one.sense] == [
        f"n000000{k}" for k in ("04", "05", "06", "14")
    ]
    assert [nouns.ids[one.sense.node] for one in choose_senses(nouns, ["crane"]) if one.sense] == ["n00000008"]
    alone = choose_senses(nouns, ["crane", "heron", "kite"], agree=False)
    assert [nouns.ids[one.sense.node] for one in alone if one.sense] == ["n00000008", "n00000005", "n00000011"]
    assert chosen[0].certainty > 0.5
    assert sum(share for _, share in chosen[0].others) == pytest.approx(1 - chosen[0].certainty)


def test_the_smallest_part_with_the_classes(wordnet: Path) -> None:
    found = induce(["poodle", "dog", "grey heron", "crane", "excavator", "Frobnicator"], "wordnet", wordnet=wordnet)
    assert paths(found) == {
        "poodle": "animal/dog (group)/poodle",
        "dog": "animal/dog (group)/dog",
        "grey heron": "animal/grey heron",
        "crane": "machine/crane",
        "excavator": "machine/excavator",
        "Frobnicator": "Frobnicator",
    }
    assert next((q.label, q.found.split(";")[0]) for q in found.questions) == (
        "Frobnicator",
        "no word of it is a noun of WordNet",
    )
    assert "a kind of heron" in found.evidence(found.taxonomy.find("grey heron"))
    cutoff = induce(["poodle", "dog", "heron", "crane", "excavator"], "wordnet", wordnet=wordnet, levels=2)
    assert cutoff.taxonomy.max_depth <= 2
    assert sorted(cutoff.classes) == sorted(cutoff.taxonomy.names[cutoff.taxonomy.leaf_nodes].tolist())


def test_without_an_index_and_without_a_folder(wordnet: Path, tmp_path: Path) -> None:
    bare = tmp_path / "data.noun"
    bare.write_bytes((wordnet / "data.noun").read_bytes())
    assert [nouns.word for nouns in WordNetNouns(bare).senses("digger")] == ["digger"]
    assert WordNetNouns(bare).senses("geese") == []
    assert WordNetNouns(wordnet).senses("excavator, digger")[0].rank == 0
    with pytest.raises(InputError, match=r"WordNet's folder with its data.noun, but got none.*wordnet-base"):
        induce(["a"], "wordnet", wordnet=tmp_path / "nowhere")


@given(
    st.lists(
        st.sampled_from(sorted({w for words, _, _ in SYNSETS.values() for w in words.split("|")})),
        min_size=1,
        unique=True,
    ),
    st.randoms(),
)
def test_the_order_of_names_does_not_matter(wordnet: Path, names: list[str], random: object) -> None:
    one = induce(names, "wordnet", wordnet=wordnet)
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    two = induce(shuffled, "wordnet", wordnet=wordnet)
    assert one.taxonomy == two.taxonomy
    assert paths(one) == paths(two)
    assert sorted(one.taxonomy.names[one.taxonomy.leaf_nodes].tolist()) == sorted(names)


WORDS = st.lists(
    st.sampled_from(["red", "blue", "apple", "pear", "juice", "milk", "oat", "soy"]), min_size=1, max_size=3
)


@settings(max_examples=12)
@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=14, unique=True), st.randoms())
def test_texts_are_grouped_the_same_in_any_order(shared_cache: Path, names: list[str], random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = (induce(given, "texts", encoder="characters") for given in (names, shuffled))
    assert one.taxonomy == two.taxonomy
    assert paths(one) == paths(two)
    assert sorted(one.taxonomy.names[one.taxonomy.leaf_nodes].tolist()) == sorted(names)
    groups = np.flatnonzero(~one.taxonomy.is_leaf)[1:]
    assert all(one.taxonomy.num_leaves_under[node] > 1 for node in groups)
    assert all(0 <= (one.certainty(int(node)) or 0) <= 1 for node in groups)


def test_texts_of_real_sentences_group_what_belongs_together(shared_cache: Path) -> None:
    names = ["oak tree", "pine tree", "birch tree", "trout fish", "salmon fish", "cod fish"]
    tree = induce(names, "texts", encoder="characters", groups=[2]).taxonomy
    assert {tree.path_name(v) for v in tree.leaf_nodes} == {
        *(f"tree/{name}" for name in names[:3]),
        *(f"fish/{name}" for name in names[3:]),
    }


@given(taxonomies(24, min_nodes=3), st.data())
def test_a_part_keeps_what_is_nearer_to_what(tree: Taxonomy, data: st.DataObject) -> None:
    nodes = sorted(data.draw(st.sets(st.sampled_from(tree.leaf_nodes.tolist()), min_size=1, max_size=8)))
    part = spanned(tree, np.array(nodes), tree.height.astype(float))
    merges = part.merges
    assert sorted(merges.class_of[merges.class_of >= 0].tolist()) == list(range(len(nodes)))
    children = np.bincount(merges.parents[1:], minlength=merges.parents.size)
    assert ((children != 1) | (len(nodes) == 1))[merges.class_of < 0].all()
    own = Taxonomy(merges.parents, [f"x{k}" for k in range(merges.parents.size)])
    place = {int(c): v for v, c in enumerate(merges.class_of.tolist()) if c >= 0}
    for three in itertools.combinations(range(len(nodes)), 3):
        larger = closest_pair(tree, tuple(nodes[k] for k in three))  # type: ignore[arg-type]
        assert closest_pair(own, tuple(place[k] for k in three)) == larger  # type: ignore[arg-type]


BIRDS = """taxonID,kingdom,order,family,genus,scientificName,taxonRank,vernacular
1,Animalia,Passeriformes,Turdidae,Turdus,Turdus merula,species,blackbird
2,Animalia,Passeriformes,Turdidae,Turdus,Turdus philomelos,species,song thrush
3,Animalia,Passeriformes,Corvidae,Corvus,Corvus corax,species,raven
4,Animalia,Strigiformes,Tytonidae,Tyto,Tyto alba,species,barn owl
5,Plantae,Rosales,Rosaceae,Rosa,Rosa canina,species,dog rose
"""


def test_the_part_of_an_export_that_holds_the_classes(tmp_path: Path) -> None:
    (tmp_path / "taxa.csv").write_text(BIRDS)
    (tmp_path / "mine.txt").write_text("Turdus merula\nturdus-philomelos\nCorvus corax\nTyto alba\nMarsupilami\n")
    found = cw.induce(tmp_path / "mine.txt", tmp_path / "taxa.csv")
    assert paths(found) == {
        "Turdus merula": "Animalia/Passeriformes/Turdus/Turdus merula",
        "turdus-philomelos": "Animalia/Passeriformes/Turdus/turdus-philomelos",
        "Corvus corax": "Animalia/Passeriformes/Corvus corax",
        "Tyto alba": "Animalia/Tyto alba",
        "Marsupilami": "Marsupilami",
    }
    assert found.taxonomy.level_names == ("kingdom", "order", "genus", "species")
    assert [question.label for question in found.questions] == ["Marsupilami"]
    by_id = induce(["1", "5"], tmp_path / "taxa.csv")
    assert paths(by_id) == {"1": "1", "5": "5"}


def test_an_ambiguous_class_is_put_where_its_meanings_meet(tmp_path: Path) -> None:
    tree = Taxonomy.from_paths(
        [("food", "juice", "apple"), ("food", "fruit", "apple"), ("food", "fruit", "fig"), ("toy",)]
    )
    found = induce(["apple", "fig", "toy"], tree)
    assert paths(found) == {"apple": "food/apple", "fig": "food/fig", "toy": "toy"}
    assert found.questions[0].choices == ("food/juice/apple", "food/fruit/apple")
    assert found.certainty(int(found.nodes[0])) == 0.0
    decided = induce(["food/juice/apple", "fig", "toy"], tree)
    assert paths(decided) == {"apple": "food/apple", "fig": "food/fig", "toy": "toy"}
    assert (decided.questions, decided.certainty(int(decided.nodes[0]))) == ((), 1.0)
    both = induce(["food/juice/apple", "food/fruit/apple", "fig"], tree)
    assert sorted(both.classes) == ["fig", "food/fruit/apple", "food/juice/apple"]


def test_a_proposal_is_written_and_read_back(tmp_path: Path, wordnet: Path) -> None:
    given = Taxonomy.from_parents(
        [-1, 0, 0, 0], ["", "crane", "heron", "excavator"], columns={"id": ["r", "c", "h", "e"]}
    )
    found = induce(given, "wordnet", wordnet=wordnet)
    found.taxonomy.write(tmp_path / "classes.csv")
    again = Taxonomy.read(tmp_path / "classes.csv")
    assert again == found.taxonomy
    assert again.find("h") == again.find("heron")
    assert again.columns["evidence"].tolist() == found.taxonomy.columns["evidence"].tolist()


def test_lists_that_are_no_classes(tmp_path: Path) -> None:
    for wrong, told in (([], "none"), (["a", "a"], "'a' twice"), (["a", " "], "a blank one")):
        with pytest.raises(InputError, match=f"a list of classes, each once, but got {told}"):
            induce(wrong, "texts", encoder="characters")
    with pytest.raises(InputError, match="a run, for the source features"):
        induce(["a", "b"], "features")
    with pytest.raises(
        InputError, match="a source: wordnet, texts, features, confusions, or a tree file, but got 'worldnet'"
    ):
        induce(["a", "b"], "worldnet")
    juices = Taxonomy.from_paths([("Juice", "Apple"), ("Fruit", "Apple"), ("Fruit", "Fig")])
    found = induce(juices, "texts", encoder="characters")
    assert sorted(found.classes) == ["Apple (Fruit)", "Apple (Juice)", "Fig"]
    assert [juices.path_name(node) for node in nodes_in(juices, found)] == ["Juice/Apple", "Fruit/Apple", "Fruit/Fig"]


REAL = Path("/usr/share/wordnet")


@pytest.mark.skipif(not (REAL / "index.noun").is_file(), reason="needs Debian's package wordnet-base")
def test_first_words_of_imagenet_find_most_of_its_synsets() -> None:
    import timm

    info = Path(timm.__file__).parent / "data" / "_info"
    words = dict(line.split("\t") for line in (info / "imagenet_synset_to_lemma.txt").read_text().splitlines())
    ids = (info / "imagenet_synsets.txt").read_text().split()
    first = [words[one].split(",")[0] for one in ids]
    once = [k for k, name in enumerate(first) if first.count(name) == 1]
    nouns = WordNetNouns(REAL)
    share = {}
    for agree in (True, False):
        chosen = choose_senses(nouns, [first[k] for k in once], agree=agree)
        share[agree] = np.mean(
            [one.sense is not None and nouns.ids[one.sense.node] == ids[k] for one, k in zip(chosen, once, strict=True)]
        )
    assert share[True] > 0.9
    assert share[False] < 0.8


@pytest.mark.parametrize("count", [1, 2, 3])
def test_so_few_classes_are_not_grouped(wordnet: Path, shared_cache: Path, count: int) -> None:
    names = ["heron", "excavator", "poodle"][:count]
    larger = Taxonomy.from_paths([("a", "b", "heron"), ("a", "c", "excavator"), ("d", "poodle"), ("d", "other")])
    for source in ("texts", "wordnet", larger):
        chosen = {"texts": {"encoder": "characters"}, "wordnet": {"wordnet": wordnet}}
        found = induce(names, source, **chosen.get(source, {}) if isinstance(source, str) else {})
        assert sorted(found.taxonomy.names[found.taxonomy.leaf_nodes].tolist()) == sorted(names), source
        assert found.taxonomy.names[found.nodes].tolist() == names, source
        assert source != "texts" or found.taxonomy.num_nodes == count + 1


def test_ids_of_groups_are_not_those_of_classes(shared_cache: Path, tmp_path: Path) -> None:
    names = ["red apple", "green apple", "oat milk", "soy milk"]
    given = Taxonomy.from_parents([-1, 0, 0, 0, 0], ["", *names], columns={"id": ["", "group_1", "root", "3", "4"]})
    found = induce(given, "texts", encoder="characters", groups=[2])
    found.taxonomy.write(tmp_path / "classes.csv")
    again = Taxonomy.read(tmp_path / "classes.csv")
    assert again == found.taxonomy
    assert again.find("group_1") == again.find("red apple")


def test_options_that_a_source_does_not_use_are_refused(tmp_path: Path) -> None:
    larger = Taxonomy.from_paths([("a",), ("b",)])
    for source, options, told in (
        ("texts", {"split": "val"}, "uses, but got split=val. It is for features, confusions."),
        (
            "wordnet",
            {"linkage": "complete"},
            "the source wordnet uses, but got linkage=complete. It is for texts, feat",
        ),
        (
            larger,
            {"encoder": "characters"},
            "the source a tree file uses, but got encoder=characters. It is for texts.",
        ),
        ("texts", {"agree": False}, "got agree=False. It is for wordnet."),
        ("features", {"template": "a {name}"}, "got template=a {name}. It is for texts."),
        (larger, {"wordnet": tmp_path}, "It is for wordnet, texts, features, confusions."),
    ):
        with pytest.raises(InputError) as error:
            induce(["a", "b"], source, **options)
        assert told in str(error.value)
