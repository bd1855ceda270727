"""Camera-trap data packages as trees and as datasets."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cladewise import Taxonomy, datasets
from cladewise.datasets.finding import find_data
from cladewise.errors import InputError, InputWarning

TAXA: list[dict[str, Any]] = [
    {
        "taxonID": "5BSG3",
        "scientificName": "Vulpes vulpes",
        "taxonRank": "species",
        "vernacularNames": {"en": "red fox"},
    },
    {"taxonID": "32FH", "scientificName": "Ardea", "taxonRank": "genus", "vernacularNames": {"nld": "reigers"}},
    {"taxonID": "GCHS", "scientificName": "Ardea cinerea", "taxonRank": "species"},
]
RANKS: list[dict[str, str]] = [
    {"class": "Mammalia", "family": "Canidae", "genus": "Vulpes"},
    {"class": "Aves", "family": "Ardeidae"},
    {"class": "Aves", "family": "Ardeidae", "genus": "Ardea"},
]
MEDIA = """\
mediaID,deploymentID,timestamp,filePath,eventID
m1,d1,2026-05-30T02:57:37Z,media/1.png,e1
m2,d1,2026-05-30T02:57:38Z,media/2.png,e1
m3,d1,2026-05-30T02:58:37Z,media/3.png,e2
m4,d1,2026-05-30T02:59:37Z,media/4.png,e3
m5,d1,2026-05-30T03:00:00Z,media/5.png,e4
m6,d1,2026-05-30T03:01:00Z,media/6.png,e5
"""
OBSERVATIONS = """\
observationID,deploymentID,mediaID,eventID,observationLevel,observationType,scientificName,classificationMethod
o1,d1,,e1,event,animal,Ardea,human
o2,d1,m2,e1,media,animal,Ardea cinerea,human
o3,d1,m3,e2,media,blank,,human
o4,d1,m4,e3,media,animal,Vulpes vulpes,machine
o5,d1,m5,e4,media,animal,Vulpes vulpes,human
o6,d1,m5,e4,media,animal,Ardea,human
o7,d1,m6,e5,media,unknown,,human
"""


def package(folder: Path, taxa: list[dict[str, Any]]) -> Path:
    (folder / "media").mkdir(parents=True)
    for number in range(1, 7):
        noise = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "media" / f"{number}.png")
    profile = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.1/camtrap-dp-profile.json"
    (folder / "datapackage.json").write_text(json.dumps({"profile": profile, "taxonomic": taxa}))
    (folder / "media.csv").write_text(MEDIA)
    (folder / "observations.csv").write_text(OBSERVATIONS)
    return folder


def test_taxa_without_ranks_are_at_the_top(tmp_path: Path) -> None:
    folder = package(tmp_path / "p", TAXA)
    tree = Taxonomy.read(folder)
    assert [tree.path_name(v) for v in range(1, 4)] == ["Vulpes vulpes", "Ardea", "Ardea cinerea"]
    assert tree.find("GCHS") == 3
    assert str(tree.columns["name:nl"][2]) == "reigers"
    assert Taxonomy.read(folder / "datapackage.json") == tree
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(folder / "datapackage.json", "p/datapackage.json")
    assert Taxonomy.read(tmp_path / "p.zip") == tree


def test_taxa_with_ranks_are_placed_by_them(tmp_path: Path) -> None:
    folder = package(tmp_path, [taxon | ranks for taxon, ranks in zip(TAXA, RANKS, strict=True)])
    tree = Taxonomy.read(folder)
    assert tree.path_name(tree.find("5BSG3")) == "Mammalia/Canidae/Vulpes/Vulpes vulpes"
    assert tree.path_name(tree.find("32FH")) == "Aves/Ardeidae/Ardea"
    assert tree.path_name(tree.find("GCHS")) == "Aves/Ardeidae/Ardea/Ardea cinerea"


def test_images_are_labelled_by_their_observations(tmp_path: Path) -> None:
    folder = package(tmp_path, [taxon | ranks for taxon, ranks in zip(TAXA, RANKS, strict=True)])
    with pytest.warns(InputWarning, match="1 image with several labels"):
        data = find_data(str(folder))
    names = {
        path: data.taxonomy.path_name(int(node)).rpartition("/")[2]
        for path, node in zip(data.paths, data.nodes, strict=True)
    }
    # of the event and of the file itself, the finer; a blank; machine labels and unknowns are left out
    assert names == {"media/1.png": "Ardea", "media/2.png": "Ardea cinerea", "media/3.png": "blank"}
    reasons = {skip.path: skip.reason for skip in data.skipped}
    assert reasons["media/4.png"] == reasons["media/6.png"] == "no label"
    assert "2 labels" in reasons["media/5.png"]
    assert data.notes == (
        "observations without a label (unknown or unclassified), left out: 1",
        "observations by machines, left out: 1",
    )
    assert datasets.open(data.source).paths == data.paths


def test_labels_of_machines_count_if_asked_for(tmp_path: Path) -> None:
    folder = package(tmp_path, TAXA)
    with pytest.warns(InputWarning, match="several labels"):
        data = find_data(str(folder), machine=True)
    assert "media/4.png" in data.paths


def test_what_is_missing_is_one_line(tmp_path: Path) -> None:
    folder = package(tmp_path, [])
    with pytest.raises(InputError, match="a list of taxa under 'taxonomic'"):
        Taxonomy.read(folder)
    (folder / "media.csv").write_text("mediaID\nm1\n")
    with pytest.raises(InputError, match="columns mediaID, filePath"):
        find_data(str(folder))
    (folder / "media.csv").unlink()
    with pytest.raises(InputError, match="a package with media"):
        find_data(str(folder))
