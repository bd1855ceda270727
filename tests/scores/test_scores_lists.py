"""Lists of classes, in the files of the tools that write them; each is written here as its tool does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.predictions import LeafSoftmax, ListedNodes, NodeSigmoid
from cladewise.scores import Scores, open_scores
from strategies import taxonomies

BIRDS = Taxonomy.from_paths(
    [
        ("Animalia", "Turdidae", "Turdus", "Turdus merula"),
        ("Animalia", "Turdidae", "Turdus", "Turdus pilaris"),
        ("Plantae", "Zygnema", "Turdus", "Turdus alba"),
    ],
    level_names=["kingdom", "family", "genus", "species"],
)
MERULA, PILARIS = BIRDS.find("Turdus merula"), BIRDS.find("Turdus pilaris")
ANIMAL_GENUS, PLANT_GENUS = BIRDS.find("Turdidae/Turdus"), BIRDS.find("Zygnema/Turdus")
CATS = Taxonomy.from_paths([("Felidae", "Panthera leo"), ("Felidae", "Panthera tigris"), ("Canidae", "Canis lupus")])
LION, TIGER, FELIDAE = CATS.find("Panthera leo"), CATS.find("Panthera tigris"), CATS.find("Felidae")
LION_LINE = "ab1;mammalia;carnivora;felidae;panthera;leo;lion"
FELID_LINE = "ab9;mammalia;carnivora;felidae;;;cat family"
BLANK_LINE = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"


def table(path: Path, header: str, *rows: str, separator: str = ",") -> Path:
    path.write_text("\n".join([header.replace(",", separator), *(row.replace(",", separator) for row in rows)]) + "\n")
    return path


def document(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def only(scores: Scores) -> Any:
    """The prediction of all rows, and its probabilities."""
    ((rows, prediction),) = list(scores.parts())
    assert rows == slice(0, scores.num_rows)
    return prediction, prediction.log_prob.exp()


SPECIES_HEADER = "file_name,kingdom,phylum,class,order,family,genus,species_epithet,species,common_name,score"
MERULA_ROW = "Animalia,Chordata,Aves,Passeriformes,Turdidae,Turdus,merula,Turdus merula,Blackbird,0.6000000238418579"
PILARIS_ROW = "Animalia,Chordata,Aves,Passeriformes,Turdidae,Turdus,pilaris,Turdus pilaris,Fieldfare,0.25"


def test_pybioclip_species(tmp_path: Path) -> None:
    rows = [f"{image},{row}" for image in ("b.jpg", "a.jpg") for row in (MERULA_ROW, PILARIS_ROW)]
    scores = open_scores(table(tmp_path / "out.csv", SPECIES_HEADER, *rows), BIRDS)
    prediction, p = only(scores)
    assert type(prediction) is ListedNodes
    assert scores.keys.to_list() == ["b.jpg", "a.jpg"]
    assert p[:, [MERULA, PILARIS, ANIMAL_GENUS]].tolist()[0] == pytest.approx([0.6, 0.25, 0.85])
    assert prediction.upper_log_prob[0, PLANT_GENUS].exp().item() == pytest.approx(0.15)
    assert not prediction.at_inner_nodes


def test_pybioclip_genera_of_one_name_are_told_apart_by_their_lineage(tmp_path: Path) -> None:
    header = "file_name,kingdom,phylum,class,order,family,genus,score"
    rows = ["a.jpg,Animalia,Chordata,Aves,Passeriformes,Turdidae,Turdus,0.7", "a.jpg,Plantae,X,Y,Z,Zygnema,Turdus,0.2"]
    expected = {ANIMAL_GENUS: 0.7, PLANT_GENUS: 0.2, MERULA: 0}
    frame = pd.DataFrame([row.split(",") for row in rows], columns=header.split(",")).astype({"score": float})
    records = document(tmp_path / "out.json", frame.to_dict("records"))
    for path in (table(tmp_path / "out.csv", header, *rows), records):
        prediction, p = only(open_scores(path, BIRDS))
        assert prediction.at_inner_nodes
        assert [p[0, node].item() for node in expected] == pytest.approx(list(expected.values()))


def test_hugging_face_pipelines(tmp_path: Path) -> None:
    rows = [
        [{"score": 0.7, "label": "Turdus merula"}, {"score": 0.1, "label": "Turdus pilaris"}],
        [{"score": 0.9, "label": "Turdus alba"}],
    ]
    named = {"a.jpg": rows[0], "b.jpg": rows[1]}
    objects = [{"image": name, "predictions": row, "site": "pond"} for name, row in named.items()]
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps(item) + "\n" for item in objects))
    bare = open_scores(document(tmp_path / "bare.json", rows), BIRDS)
    assert bare.keys.to_list() == ["0", "1"]
    assert any("numbered" in note for note in bare.notes)
    others = [document(tmp_path / "named.json", named), document(tmp_path / "objects.json", objects), lines]
    for scores in (bare, *(open_scores(path, BIRDS) for path in others)):
        prediction, p = only(scores)
        assert type(prediction) is ListedNodes
        assert p[0, [MERULA, PILARIS]].tolist() == pytest.approx([0.7, 0.1])
        assert prediction.nodes[1].tolist()[1] == -1
        assert scores is bare or scores.keys.to_list() == ["a.jpg", "b.jpg"]
    assert open_scores(lines, BIRDS).columns["site"].to_list() == ["pond", "pond"]
    assert only(open_scores(document(tmp_path / "one.json", rows[0]), BIRDS))[1].shape[0] == 1


def test_a_pipeline_that_lists_all_classes_is_a_softmax_of_leaves(tmp_path: Path) -> None:
    names = [str(BIRDS.names[leaf]) for leaf in BIRDS.leaf_nodes]
    every = [
        [{"label": name, "score": p} for name, p in zip(names, row, strict=True)]
        for row in ([0.5, 0.3, 0.2], [0, 1, 0])
    ]
    prediction, p = only(open_scores(document(tmp_path / "all.json", every), BIRDS))
    assert type(prediction) is LeafSoftmax
    assert p[1, PILARIS] == 1
    logits = [
        [{"label": name, "score": z} for name, z in zip(names, row, strict=True)] for row in ([-3, 2, 1], [0, 1, 5])
    ]
    prediction, p = only(open_scores(document(tmp_path / "logits.json", logits), BIRDS))
    torch.testing.assert_close(p[0, BIRDS.leaf_nodes.copy()], torch.tensor([-3.0, 2, 1]).softmax(-1))


def test_timm_results_in_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "filename": ["a.jpg", "b.jpg"],
            "label": [
                np.array(["Turdus merula", "Turdus alba"], object),
                np.array(["Turdus alba", "Turdus merula"], object),
            ],
            "prob": list(np.array([[0.75, 0.125], [0.5, 0.25]], np.float32)),
        }
    )
    frame.set_index("filename").to_json(tmp_path / "index.json", orient="index", indent=4)
    frame.to_json(tmp_path / "records.json", orient="records", lines=True)
    frame.to_json(tmp_path / "split.json", orient="split", index=False, indent=4)
    apart = pd.DataFrame({"filename": frame["filename"]})
    for rank in (0, 1):
        apart[f"label_{rank}"] = [labels[rank] for labels in frame["label"]]
        apart[f"prob_{rank}"] = [probs[rank] for probs in frame["prob"]]
    apart.to_csv(tmp_path / "apart.csv", index=False)
    apart.set_index("filename").to_parquet(tmp_path / "apart.parquet")
    frame.set_index("filename").to_parquet(tmp_path / "lists.parquet")
    for name in ("index.json", "records.json", "split.json", "apart.csv", "apart.parquet", "lists.parquet"):
        scores = open_scores(tmp_path / name, BIRDS)
        assert scores.keys.to_list() == ["a.jpg", "b.jpg"], name
        assert only(scores)[1][:, MERULA].tolist() == [0.75, 0.25], name
    frame.to_csv(tmp_path / "arrays.csv", index=False)
    with pytest.raises(InputError, match="results-separate-col"):
        open_scores(tmp_path / "arrays.csv", BIRDS)


def test_birdnet_tables(tmp_path: Path) -> None:
    header = "Start (s),End (s),Scientific name,Common name,Confidence,File"
    rows = [
        "0.0,3.0,Turdus merula,Eurasian Blackbird,0.9123,dawn.wav",
        "0.0,3.0,Turdus pilaris,Fieldfare,0.4000,dawn.wav",
        "3.0,6.0,Turdus pilaris,Fieldfare,0.7000,dawn.wav",
    ]
    scores = open_scores(table(tmp_path / "BirdNET_CombinedTable.csv", header, *rows), BIRDS)
    assert scores.keys.to_list() == ["dawn.wav|0.0-3.0", "dawn.wav|3.0-6.0"]
    assert scores.columns.columns == ["file", "start", "end"]
    prediction, p = only(scores)
    assert type(prediction) is NodeSigmoid
    assert p[0, [MERULA, PILARIS, ANIMAL_GENUS]].tolist() == pytest.approx([0.9123, 0.4, 0.9123])
    assert p[1, [MERULA, PILARIS, ANIMAL_GENUS]].tolist() == pytest.approx([0, 0.7, 0.7])


def test_a_recording_without_birds_is_not_a_sure_row(tmp_path: Path) -> None:
    columns = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    columns += ["Common Name", "Species Code", "Confidence", "Begin Path", "File Offset (s)"]
    rows = [
        "1,Spectrogram 1,1,0.0,3.0,0,15000,Turdus merula,Turdus merula_Turdus merula,0.9123,dawn.wav,0.0",
        "2,Spectrogram 1,1,0,3,0,15000,nocall,nocall,1.0,night.wav,0",
    ]
    path = table(tmp_path / "BirdNET_SelectionTable.txt", ",".join(columns), *rows, separator="\t")
    scores = open_scores(path, BIRDS)
    assert scores.keys.to_list() == ["dawn.wav|0.0-3.0"]
    assert any("nocall" in note for note in scores.notes)


def speciesnet(detections: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "info": {"format_version": "20261015"},
        "predictions": [
            {"filepath": "a.jpg", "country": "TZA", "detections": detections, "model_version": "x"},
            {"filepath": "c.jpg", "failures": ["DETECTOR"]},
        ],
    }


def test_speciesnet_has_a_row_for_each_classified_detection(tmp_path: Path) -> None:
    raw = {"classes": [LION_LINE, FELID_LINE, BLANK_LINE], "scores": [0.6123, 0.2, 0.05]}
    animal = {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0, 0, 0.5, 0.5], "raw_classifications": raw}
    human = {"category": "2", "label": "human", "conf": 0.8, "bbox": [0, 0, 0.5, 0.5]}
    path = document(tmp_path / "sn.json", speciesnet([animal, human, animal]))
    with pytest.raises(InputError, match="'blank'"):
        open_scores(path, CATS)
    labels = table(tmp_path / "labels.csv", "path,label", "a.jpg,Panthera leo")
    scores = open_scores(path, CATS, elsewhere=["blank"], labels=labels)
    assert scores.keys.to_list() == ["a.jpg#1", "a.jpg#2"]
    assert scores.columns["image"].to_list() == ["a.jpg", "a.jpg"]
    assert scores.columns["detection"].to_list() == [1, 3]
    assert scores.targets is not None
    assert scores.targets.tolist() == [LION, LION]
    assert any("'c.jpg'" in note and "DETECTOR" in note for note in scores.notes)
    prediction, p = only(scores)
    assert p[0, [LION, FELIDAE]].tolist() == pytest.approx([0.6123, 0.8123])
    assert prediction.upper_log_prob[0, TIGER].exp().item() == pytest.approx(1 - 0.8623)
    assert prediction.upper_log_prob[0, FELIDAE].exp().item() == pytest.approx(0.95)  # blank is known to be elsewhere


def test_speciesnet_in_its_former_format(tmp_path: Path) -> None:
    found = {"classes": [LION_LINE, FELID_LINE], "scores": [0.6, 0.2]}
    item = {"filepath": "a.jpg", "classifications": found, "prediction": LION_LINE, "prediction_score": 0.6}
    scores = open_scores(document(tmp_path / "sn.json", {"predictions": [item]}), CATS)
    assert scores.keys.to_list() == ["a.jpg"]
    assert scores.columns["speciesnet"].to_list() == [LION_LINE]
    assert only(scores)[1][0, LION].item() == pytest.approx(0.6)


def test_megadetector_has_a_row_for_each_classified_detection(tmp_path: Path) -> None:
    content = {
        "info": {"format_version": "1.5"},
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "classification_categories": {"7": "lion", "8": "other"},
        "classification_category_descriptions": {"7": LION_LINE},
        "images": [
            {
                "file": "a.jpg",
                "detections": [
                    {"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1], "classifications": [["7", 0.8], ["8", 0.1]]},
                    {"category": "2", "conf": 0.7, "bbox": [0, 0, 1, 1]},
                ],
            },
            {"file": "b.jpg", "detections": []},
            {"file": "c.jpg", "detections": None, "failure": "Failure image access"},
        ],
    }
    path = document(tmp_path / "md.json", content)
    with pytest.raises(InputError, match="'other'"):
        open_scores(path, CATS)
    scores = open_scores(path, CATS, elsewhere=["other"])
    assert scores.keys.to_list() == ["a.jpg"]
    assert only(scores)[1][0, LION].item() == pytest.approx(0.8)
    said = " ".join(scores.notes)
    assert "1 person" in said
    assert "1 images without detections" in said
    assert "'c.jpg'" in said
    content["images"][0]["detections"][0]["classifications"] = [["9", 0.8]]
    with pytest.raises(InputError, match=r"'9' of a\.jpg"):
        open_scores(document(tmp_path / "md.json", content), CATS)
    with pytest.raises(InputError, match="classification_categories"):
        open_scores(document(tmp_path / "md.json", {**content, "classification_categories": {}}), CATS)


@st.composite
def masses(draw: st.DrawFn) -> tuple[Taxonomy, list[dict[int, float]]]:
    """A tree, and lists of distinct nodes with probabilities that sum to less than 1."""
    tree = draw(taxonomies(max_nodes=12, min_nodes=3))
    node = st.integers(1, tree.num_nodes - 1)
    rows: list[dict[int, float]] = []
    for _ in range(draw(st.integers(1, 4))):
        chosen = draw(st.lists(node, min_size=1, max_size=4, unique=True))
        rows.append({v: draw(st.integers(1, 20)) / 100 for v in chosen})
    return tree, rows


@given(masses())
def test_lists_are_the_same_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Taxonomy, list[dict[int, float]]]
) -> None:
    tree, rows = drawn
    folder = tmp_path_factory.mktemp("lists")
    entries = [(f"{k}.jpg", tree.path_name(v), p) for k, row in enumerate(rows) for v, p in row.items()]
    long = pl.DataFrame(entries, schema=["image", "prediction", "confidence"], orient="row")
    long.write_csv(folder / "long.csv")
    long.write_parquet(folder / "long.parquet")
    document(folder / "records.json", long.to_dicts())
    by_image = {
        f"{k}.jpg": [{"label": tree.path_name(v), "score": p} for v, p in row.items()] for k, row in enumerate(rows)
    }
    document(folder / "pairs.json", by_image)
    expected = torch.zeros(len(rows), tree.num_nodes, dtype=torch.float64)
    for k, row in enumerate(rows):
        for v, p in row.items():
            expected[k, [*tree.path(v)]] += p
    expected[:, 0] = 1
    for name in ("long.csv", "long.parquet", "records.json", "pairs.json"):
        prediction, p = only(open_scores(folder / name, tree))
        assert type(prediction) is ListedNodes, name
        torch.testing.assert_close(p.double(), expected, atol=1e-6, rtol=1e-5)


def test_logits_of_a_list_have_nothing_to_compete_with(tmp_path: Path) -> None:
    path = table(
        tmp_path / "top.csv", "image,label,score", "a,Turdus merula,7.5", "a,Turdus alba,3.5", "b,Turdus alba,5"
    )
    with pytest.raises(InputError, match="scale is clear"):
        open_scores(path, BIRDS)
    with pytest.raises(InputError, match="lack the others"):
        open_scores(path, BIRDS, values="logits")
    prediction, p = only(open_scores(path, BIRDS, values="logits", over="independent"))
    assert type(prediction) is NodeSigmoid
    assert p[0, MERULA].item() == pytest.approx(1 / (1 + np.exp(-7.5)))
    percent = only(open_scores(path, BIRDS, values="percentages"))[1]
    assert percent[0, MERULA].item() == pytest.approx(0.075)


def test_lists_that_cannot_be_read_are_refused_by_row(tmp_path: Path) -> None:
    header = "image,label,score"
    cases = {
        "twice": (["a,Turdus merula,0.5", "a,Turdus merula,0.1"], "twice at .*list 1 \\(a\\)"),
        "unknown": (["a,Turdus migratorius,0.5", "b,Turdus merula,0.1"], "Turdus migratorius"),
        "blank": (["a,Turdus merula,0.5", "b,Turdus alba,"], "a score in every row"),
        "ambiguous": (["a,Turdus,0.5", "b,Turdus merula,0.1"], "Turdidae/Turdus"),
    }
    for name, (rows, said) in cases.items():
        with pytest.raises(InputError, match=said):
            open_scores(table(tmp_path / f"{name}.csv", header, *rows), BIRDS)


def test_classes_of_one_node_are_added_up(tmp_path: Path) -> None:
    tree = Taxonomy.from_parents([-1, 0, 0], ["", "cat", "dog"], columns={"synonyms": ["", "house cat", ""]})
    rows = ["a,cat,0.5", "a,house cat,0.25", "b,dog,0.5"]
    scores = open_scores(table(tmp_path / "top.csv", "image,label,score", *rows), tree)
    assert only(scores)[1][0, 1].item() == pytest.approx(0.75)
    assert any("added up" in note for note in scores.notes)
    assert any("another name" in note for note in scores.notes)


def test_independent_lists_are_recognised_by_their_sums(tmp_path: Path) -> None:
    rows = ["a,Turdus merula,0.9", "a,Turdus alba,0.8", "b,Turdus alba,0.5"]
    scores = open_scores(table(tmp_path / "top.csv", "image,label,score", *rows), BIRDS)
    assert type(only(scores)[0]) is NodeSigmoid
    assert any("independent" in note for note in scores.notes)


def test_a_file_of_an_unknown_shape_says_which_are_known(tmp_path: Path) -> None:
    odd = {
        "SpeciesNet's predictions": document(tmp_path / "odd.json", {"a": 1}),
        "as pybioclip's": table(tmp_path / "odd.csv", "a,b", "x,y"),
    }
    for known, path in odd.items():
        with pytest.raises(InputError, match=known):
            open_scores(path, BIRDS)


def test_a_true_label_beside_the_predicted_class_is_never_taken_for_it(tmp_path: Path) -> None:
    path = table(tmp_path / "both.csv", "image,label,pred,prob", "a.jpg,Turdus pilaris,Turdus merula,0.75")
    with pytest.raises(InputError, match="one column of classes"):
        open_scores(path, BIRDS)
    for stated in ({"label_column": "label"}, {"class_column": "pred", "label_column": "label"}):
        scores = open_scores(path, BIRDS, **stated)
        assert scores.targets is not None
        assert scores.targets.tolist() == [BIRDS.find("Turdus pilaris")]
        assert next(scores.parts())[1].log_prob[0, BIRDS.find("Turdus merula")].exp().item() == pytest.approx(0.75)


def test_results_without_a_row_are_refused_in_one_line(tmp_path: Path) -> None:
    path = table(tmp_path / "silent.csv", "Start (s),End (s),Scientific name,Common name,Confidence,File")
    with pytest.raises(InputError, match="at least one row of scores, but got none"):
        open_scores(path, BIRDS)


def test_labels_in_json_are_refused_without_a_wrong_option(tmp_path: Path) -> None:
    scores = table(tmp_path / "scores.csv", "image,label,score", "a.jpg,Turdus merula,0.75")
    labels = document(tmp_path / "labels.json", [{"image": "a.jpg", "label": "Turdus pilaris"}])
    with pytest.raises(InputError, match="a table of labels in CSV, TSV or Parquet, but got JSON") as error:
        open_scores(scores, BIRDS, labels=labels)
    assert not error.value.advice


def test_json_lines_may_be_lists(tmp_path: Path) -> None:
    lists = [[{"label": "Turdus merula", "score": score}] for score in (0.75, 0.5)]
    for name in ("a.jsonl", "a.json"):
        path = tmp_path / name
        path.write_text("\n".join(map(json.dumps, lists)) + "\n")
        (_, prediction), *_ = open_scores(path, BIRDS).parts()
        assert prediction.log_prob[:, BIRDS.find("Turdus merula")].exp().tolist() == pytest.approx([0.75, 0.5])
