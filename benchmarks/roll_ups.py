"""Roll-ups of other packages and of cladewise on the same scores: where they part, by example.

Each example gives a package's own function a few scores and prints its answer beside that of a rule of cladewise. No
model weights are needed. Examples of a package that is not installed are left out, with the command that installs it;
they are best installed in an environment of their own, together with cladewise:

    pip install speciesnet==5.0.6 megadetector==10.0.28 pybioclip==2.1.6 hiclass==5.0.8 taxopy==0.14.0
    python benchmarks/roll_ups.py

The exit status is 1 if an answer differs from the one in docs/coming-from.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from cladewise import Taxonomy, decisions
from cladewise.engine.rules import decision_of
from cladewise.errors import InputError
from cladewise.inference import Inference, Subset
from cladewise.predictions import ListedNodes, Prediction
from cladewise.predictions.pooling import pooled

PACKAGES = {
    "speciesnet": "5.0.6",
    "megadetector": "10.0.28",
    "pybioclip": "2.1.6",
    "hiclass": "5.0.8",
    "taxopy": "0.14.0",
}
"""Package and version of the recorded answers."""

MODULES = {"pybioclip": "bioclip"}
"""Modules whose name is not that of their package."""


@dataclasses.dataclass(frozen=True)
class Example:
    """One set of scores, and what both make of it.

    Args:
        package: The other package.
        scores: The scores in words.
        theirs: Its answer.
        rule: The rule of cladewise.
        ours: The answer of the rule.
        recorded: Both answers as docs/coming-from.md has them.
    """

    package: str
    scores: str
    theirs: str
    rule: str
    ours: str
    recorded: tuple[str, str]


def listed(tree: Taxonomy, rows: Sequence[Mapping[str, float]]) -> ListedNodes:
    """Scores of some nodes per image; what they lack to 1 is elsewhere."""
    width = max(map(len, rows))
    nodes = torch.full((len(rows), width), -1)
    mass = torch.zeros(len(rows), width, dtype=torch.float64)
    for place, row in enumerate(rows):
        for column, (name, score) in enumerate(row.items()):
            nodes[place, column], mass[place, column] = tree.find(name), score
    return ListedNodes(tree, nodes, mass.log())


def answers(rule: str, prediction: Prediction, before: Inference | None = None) -> list[str]:
    """The answer of a rule for each image, with the probability at or under it."""
    prediction = prediction if before is None else before(prediction)
    answer = decision_of(rule, decisions.Leaf())(prediction)
    assert isinstance(answer, decisions.Nodes)
    names = [str(prediction.taxonomy.names[node]) or "root" for node in answer.node.tolist()]
    return [f"{name} {p:.2f}" for name, p in zip(names, answer.log_prob.exp().tolist(), strict=True)]


# ---------------------------------------------------------------- SpeciesNet

ANIMALS = {
    "animal": "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal",
    "mammal": "m;mammalia;;;;;mammal",
    "carnivore": "c;mammalia;carnivora;;;;carnivorous mammal",
    "cats": "f;mammalia;carnivora;felidae;;;cat family",
    "panthera": "p;mammalia;carnivora;felidae;panthera;;panthera species",
    "leopard": "l;mammalia;carnivora;felidae;panthera;pardus;leopard",
    "lion": "o;mammalia;carnivora;felidae;panthera;leo;lion",
    "lynx": "x;mammalia;carnivora;felidae;lynx;lynx;eurasian lynx",
    "wildcat": "w;mammalia;carnivora;felidae;felis;silvestris;european wildcat",
    "bats": "b;mammalia;chiroptera;vespertilionidae;myotis;;mouse-eared bat",
    **{f"bat {k}": f"b{k};mammalia;chiroptera;vespertilionidae;myotis;species{k};bat {k}" for k in range(10)},
    "badger": "k;mammalia;carnivora;mustelidae;meles;meles;european badger",
    "otter": "t;mammalia;carnivora;mustelidae;lutra;lutra;european otter",
}
RANKS = ("class", "order", "family", "genus", "species")
FENCE = {"mammalia;carnivora;felidae;panthera;pardus": {"block": {"DEU": []}}}


def of_animals() -> Taxonomy:
    """The same animals as a tree, whose nodes at every rank exist."""
    leaves = [text.split(";") for text in ANIMALS.values() if text.split(";")[5]]
    return Taxonomy.from_paths([(*parts[1:5], f"{parts[4]} {parts[5]}") for parts in leaves], level_names=list(RANKS))


def binomial(name: str) -> str:
    """The last name of a species in :func:`of_animals`."""
    parts = ANIMALS[name].split(";")
    return f"{parts[4]} {parts[5]}"


def speciesnet_answer(scores: Mapping[str, float], country: str | None) -> str:
    """SpeciesNet's ensemble of a picture's classifications without a detection."""
    from speciesnet import SpeciesNetEnsemble

    with tempfile.TemporaryDirectory() as folder:
        files = {
            name: f"{name}.txt" for name in ("classifier", "classifier_labels", "detector", "taxonomy", "geofence")
        }
        (Path(folder) / "info.json").write_text(json.dumps({"version": "0", "type": "always_crop", **files}))
        (Path(folder) / "taxonomy.txt").write_text("\n".join(ANIMALS.values()))
        (Path(folder) / "geofence.txt").write_text(json.dumps(FENCE))
        ensemble = SpeciesNetEnsemble(folder)
    classes = sorted(scores, key=lambda name: -scores[name])
    raw = {"classes": [ANIMALS[name] for name in classes], "scores": [scores[name] for name in classes]}
    whole = {"category": "0", "label": "whole_image_classification", "conf": 1.0, "bbox": [0, 0, 1, 1]}
    found = ensemble.combine(
        filepaths=["a.jpg"],
        classifier_results={"a.jpg": {"filepath": "a.jpg", "detections": [{**whole, "raw_classifications": raw}]}},
        detector_results={"a.jpg": {"filepath": "a.jpg", "detections": []}},
        geolocation_results={"a.jpg": {"country": country} if country else {}},
    )
    best = found[0]["detections"][0]["processed_classification"]
    return f"{best['class'].split(';')[-1]} {best['score']:.2f}"


def speciesnet() -> Iterator[Example]:
    tree = of_animals()

    def ours(rule: str, scores: Mapping[str, float], before: Inference | None = None) -> str:
        return answers(rule, listed(tree, [{binomial(name): p for name, p in scores.items()}]), before)[0]

    sure = {"leopard": 0.85, "lion": 0.05, "lynx": 0.05, "wildcat": 0.05}
    unsure = {"leopard": 0.70, "lion": 0.06, "lynx": 0.12, "wildcat": 0.12}
    native = Subset([binomial("lynx"), binomial("wildcat"), binomial("badger"), binomial("otter")])
    rule = "threshold:threshold=0.65"
    of_sure, of_unsure = ("cat family 1.00", "felidae 1.00"), ("panthera species 0.76", "felidae 1.00")
    for scores, recorded in ((sure, of_sure), (unsure, of_unsure)):
        text = ", ".join(f"{name} {p:.2f}" for name, p in scores.items()) + "; no leopards in this country"
        theirs = speciesnet_answer(scores, "DEU")
        yield Example("speciesnet", text, theirs, f"subset, {rule}", ours(rule, scores, native), recorded)
    bats = {f"bat {k}": 0.09 for k in range(10)}
    theirs = speciesnet_answer(bats, None)
    recorded = ("no cv result 0.09", "myotis 0.90")
    yield Example("speciesnet", "ten species of a genus, 0.09 each", theirs, rule, ours(rule, bats), recorded)
    scores = {"badger": 0.45, "otter": 0.45, "lynx": 0.10}
    theirs = speciesnet_answer(scores, None)
    text = "badger 0.45, otter 0.45, lynx 0.10; the list of taxa lacks their family"
    recorded = ("carnivorous mammal 1.00", "mustelidae 0.90")
    yield Example("speciesnet", text, theirs, rule, ours(rule, scores), recorded)


# ---------------------------------------------------------------- MegaDetector

CATEGORIES = {
    "0": "a;mammalia;carnivora;canidae;;;canine family",
    "1": "b;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
    "2": "c;mammalia;carnivora;canidae;canis;latrans;coyote",
    "3": "d;mammalia;cetartiodactyla;bovidae;bos;;bos species",
    "4": "e;mammalia;cetartiodactyla;bovidae;boselaphus;tragocamelus;nilgai",
    "5": "f;mammalia;cetartiodactyla;bovidae;bos;taurus;domestic cattle",
}
HERD = Taxonomy.from_paths(
    [
        ("mammal", "carnivore", "canine family", "red fox"),
        ("mammal", "carnivore", "canine family", "coyote"),
        ("mammal", "even-toed ungulate", "bovid", "bos species", "domestic cattle"),
        ("mammal", "even-toed ungulate", "bovid", "bos species", "gaur"),
        ("mammal", "even-toed ungulate", "bovid", "boselaphus species", "nilgai"),
    ]
)


def smoothed(classified: Sequence[tuple[str, float]]) -> str:
    """MegaDetector's answers for the detections of one picture after smoothing."""
    from megadetector.postprocessing.classification_postprocessing import (
        ClassificationSmoothingOptions,
        smooth_classification_results_image_level,
    )

    ids = {text.split(";")[-1]: key for key, text in CATEGORIES.items()}
    detections = [
        {"category": "1", "conf": 0.9, "bbox": [0, 0, 0.1, 0.1], "classifications": [[ids[name], p]]}
        for name, p in classified
    ]
    batch = {
        "info": {"format_version": "1.4", "detector": "a", "classifier": "b"},
        "detection_categories": {"1": "animal"},
        "classification_categories": {key: text.split(";")[-1] for key, text in CATEGORIES.items()},
        "classification_category_descriptions": CATEGORIES,
        "images": [{"file": "a.jpg", "detections": detections}],
    }
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = smooth_classification_results_image_level(batch, options=ClassificationSmoothingOptions())
    names = [CATEGORIES[each["classifications"][0][0]].split(";")[-1] for each in found["images"][0]["detections"]]
    return counted(names)


def counted(names: Sequence[str]) -> str:
    """Names with the number of times that each is there."""
    return ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))


def megadetector() -> Iterator[Example]:
    def one(rows: Sequence[tuple[str, float]]) -> str:
        prediction = listed(HERD, [{name: p} for name, p in rows])
        return answers("majority", pooled(prediction, torch.zeros(len(rows), dtype=torch.int64), 1, "mean"))[0]

    dogs = [("canine family", 0.95)] * 5 + [("red fox", 0.60)]
    text = "six animals of a sequence: 5 × canine family 0.95, 1 × red fox 0.60"
    recorded = ("6 × red fox", "canine family 0.89")
    yield Example("megadetector", text, smoothed(dogs), "pooled, majority", one(dogs), recorded)
    cattle = [("bos species", 0.90)] * 3 + [("nilgai", 0.60)]
    text = "four animals of a herd: 3 × bos species 0.90, 1 × nilgai 0.60"
    recorded = ("4 × nilgai", "bos species 0.68")
    yield Example("megadetector", text, smoothed(cattle), "pooled, majority", one(cattle), recorded)


# ---------------------------------------------------------------- pybioclip


def bioclip_rows(names: Sequence[Sequence[str]], probabilities: Sequence[float], rank: str, k: int = 5) -> list[str]:
    """pybioclip's grouping of probabilities by rank, without its encoder."""
    from bioclip.predict import Rank, TreeOfLifeClassifier

    classifier = TreeOfLifeClassifier.__new__(TreeOfLifeClassifier)
    torch.nn.Module.__init__(classifier)
    classifier.txt_names, classifier._subset_txt_names = [[list(row), ""] for row in names], None
    found = classifier.format_grouped_probs("a", torch.tensor(probabilities), Rank[rank.upper()], k=k)
    return [f"{row[rank] or repr('')} {row['score']:.2f}" for row in found]


BIRD = ("Animalia", "Chordata", "Aves", "Passeriformes")
PLANT = ("Plantae", "Tracheophyta", "Magnoliopsida", "Lamiales")


def pybioclip() -> Iterator[Example]:
    names = [
        (*BIRD, "Prunellidae", "Prunella", "modularis"),
        (*PLANT, "Lamiaceae", "Prunella", "vulgaris"),
        (*BIRD, "Paridae", "Parus", "major"),
    ]
    tree = Taxonomy.from_paths([(*row[:6], " ".join(row[5:])) for row in names])
    try:
        ours = str(tree.find("Prunella"))
    except InputError as error:
        ours = "refused: two nodes" if "Prunellidae" in str(error) and "Lamiaceae" in str(error) else str(error)
    theirs = ", ".join(bioclip_rows(names, [0.4, 0.35, 0.25], "genus"))
    from bioclip.predict import Rank, TreeOfLifeClassifier

    classifier = TreeOfLifeClassifier.__new__(TreeOfLifeClassifier)
    torch.nn.Module.__init__(classifier)
    classifier.txt_names = [[list(row), ""] for row in names]
    kept = int(sum(classifier.create_taxa_filter(Rank.GENUS, ["Prunella"])))
    yield Example(
        "pybioclip", "dunnock 0.40, self-heal 0.35, great tit 0.25: two genera Prunella",
        f"{theirs}; filter Prunella keeps {kept}", "subset:allowed=Prunella", ours,
        ("Prunella 0.40, Prunella 0.35, Parus 0.25; filter Prunella keeps 2", "refused: two nodes"),
    )  # fmt: skip
    fish = ("Animalia", "Chordata", "Actinopterygii", "Perciformes")
    names = [(*fish, "", f"Genus{k}", "alba") for k in range(3)] + [(*fish, "Percidae", "Perca", "fluviatilis")]
    tree = Taxonomy.from_paths([tuple(filter(None, (*row[:6], " ".join(row[5:])))) for row in names])
    p = [0.2, 0.2, 0.2, 0.4]
    rows = {" ".join(row[5:]): score for row, score in zip(names, p, strict=True)}
    yield Example(
        "pybioclip", "three species without a family 0.20 each, one of Percidae 0.40; by family",
        bioclip_rows(names, p, "family", 1)[0], "majority", answers("majority", listed(tree, [rows]))[0],
        ("'' 0.60", "Perciformes 1.00"),
    )  # fmt: skip
    thrushes = [(*BIRD, "Turdidae", "Turdus", name) for name in ("merula", "pilaris", "iliacus")]
    names = [(*BIRD, "Paridae", "Parus", "major"), *thrushes]
    tree = Taxonomy.from_paths([(*row[:6], " ".join(row[5:])) for row in names])
    p = [0.31, 0.23, 0.23, 0.23]
    rows = {" ".join(row[5:]): score for row, score in zip(names, p, strict=True)}
    family, species = (bioclip_rows(names, p, rank, 1)[0] for rank in ("family", "species"))
    yield Example(
        "pybioclip", "Parus major 0.31, three species of Turdus 0.23 each",
        f"family {family}, species {species}", "majority", answers("majority", listed(tree, [rows]))[0],
        ("family Turdidae 0.69, species Parus major 0.31", "Turdus 0.69"),
    )  # fmt: skip


# ---------------------------------------------------------------- hiclass


def hiclass() -> Iterator[Example]:
    from hiclass import LocalClassifierPerParentNode
    from sklearn.dummy import DummyClassifier

    labels = np.array([["moth", "hawk"]] * 4 + [["bird", name] for name in ("wren", "robin", "tit")] * 2)
    features = np.zeros((len(labels), 1))
    model = LocalClassifierPerParentNode(local_classifier=DummyClassifier(strategy="prior")).fit(features, labels)
    theirs = "/".join(model.predict(features[:1])[0])
    tree = Taxonomy.from_paths([("moth", "hawk"), ("bird", "wren"), ("bird", "robin"), ("bird", "tit")])
    prediction = listed(tree, [{"hawk": 0.4, "wren": 0.2, "robin": 0.2, "tit": 0.2}])
    for rule, ours in (("greedy", "wren 0.20"), ("leaf", "hawk 0.40"), ("majority", "bird 0.60")):
        text = "hawk moth 0.40; wren, robin and tit 0.20 each"
        # equal scores go to the first name in hiclass and to the first node here
        yield Example("hiclass", text, theirs, rule, answers(rule, prediction)[0], ("bird/robin", ours))


# ---------------------------------------------------------------- taxopy

LINEAGES = (
    (1, 1, "no rank", "root"),
    (2, 1, "order", "carnivores"),
    (3, 2, "family", "dogs"),
    (4, 3, "species", "fox"),
    (5, 3, "species", "wolf"),
    (6, 2, "family", "cats"),
    (7, 6, "species", "lynx"),
)


def taxopy() -> Iterator[Example]:
    import taxopy as package

    with tempfile.TemporaryDirectory() as folder:
        nodes, names = Path(folder) / "nodes.dmp", Path(folder) / "names.dmp"
        nodes.write_text("".join(f"{node}\t|\t{above}\t|\t{rank}\t|\n" for node, above, rank, _ in LINEAGES))
        names.write_text("".join(f"{node}\t|\t{name}\t|\t\t|\tscientific name\t|\n" for node, _, _, name in LINEAGES))
        taxa = package.TaxDb(nodes_dmp=str(nodes), names_dmp=str(names))
    parents = [above - 1 if node > 1 else -1 for node, above, _, _ in LINEAGES]
    tree = Taxonomy.from_parents(parents, [each[3] for each in LINEAGES])
    number = {name: node for node, _, _, name in LINEAGES}

    def vote(scores: Mapping[str, float]) -> str:
        voters = [package.Taxon(number[name], taxa) for name in scores]
        found = package.find_majority_vote(voters, taxa, weights=list(scores.values()))
        return f"{found.name} {found.agreement:.2f}"

    whole, best = {"fox": 0.5, "wolf": 0.3, "lynx": 0.2}, {"fox": 0.3, "wolf": 0.1, "lynx": 0.1}
    text = "fox 0.50, wolf 0.30, lynx 0.20"
    ours = answers("majority", listed(tree, [whole, best]))
    yield Example("taxopy", text, vote(whole), "majority", ours[0], ("dogs 0.80", "dogs 0.80"))
    text = "the best three of a longer list: fox 0.30, wolf 0.10, lynx 0.10"
    yield Example("taxopy", text, vote(best), "majority", ours[1], ("fox 0.60", "root 1.00"))


# ---------------------------------------------------------------- all of them

EXAMPLES: dict[str, Callable[[], Iterator[Example]]] = {
    "speciesnet": speciesnet,
    "megadetector": megadetector,
    "pybioclip": pybioclip,
    "hiclass": hiclass,
    "taxopy": taxopy,
}


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    status = 0
    for package, examples in EXAMPLES.items():
        if importlib.util.find_spec(MODULES.get(package, package)) is None:
            print(f"{package}: not installed; pip install {package}=={PACKAGES[package]}")
            continue
        print(f"\n{package} {version(package)}")
        for example in examples():
            print(f"  {example.scores}\n    {example.theirs:<44} {example.rule}: {example.ours}")
            if (example.theirs, example.ours) != example.recorded:
                status = 1
                print(f"    differs from the recorded {example.recorded[0]} and {example.recorded[1]}")
    return status


if __name__ == "__main__":
    sys.exit(main())
