"""Corrections: on disk before they are answered, once per image, and a manifest that training takes."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from cladewise import Run, datasets, train
from cladewise.errors import InputError
from cladewise.serving import Corrections

from .conftest import Serve, picture, refused

if TYPE_CHECKING:
    from cladewise.datasets import Dataset

ADDRESS = "/v1/models/colours/corrections"
SMALL: Any = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "progress": False}


def rows(folder: Path) -> list[tuple[str, str, str]]:
    return pl.read_csv(folder / "corrections.csv").select("path", "label", "predicted").rows()


def test_a_correction_is_kept_by_content_once(serve: Serve, tmp_path: Path) -> None:
    content = picture()
    id = hashlib.sha256(content).hexdigest()
    with serve(keep=tmp_path / "kept") as client:
        assert client.get("/v1/models").json()["can_keep"]
        data = {"label_path": "warm/orange", "predicted": "warm/red"}
        first = client.post(ADDRESS, files={"image": ("../x.png", content)}, data=data).json()
        assert first == {"id": id, "label_path": "warm/orange", "changed": True, "corrections": 1}
        again = client.post(ADDRESS, files={"image": content}, data=data).json()
        assert again == {**first, "changed": False}
        assert rows(tmp_path / "kept") == [(f"images/{id}.png", "warm/orange", "warm/red")]
        assert (tmp_path / "kept" / "images" / f"{id}.png").read_bytes() == content
        other = client.post(ADDRESS, files={"image": content}, data={"label_path": "grey"}).json()
        assert (other["changed"], other["corrections"]) == (True, 1)
        assert rows(tmp_path / "kept") == [(f"images/{id}.png", "grey", None)]


def test_an_image_that_was_answered_is_named_by_its_id(serve: Serve, served_run: Path, tmp_path: Path) -> None:
    content, node = picture((10, 10, 110)), Run.open(served_run).taxonomy.find("cold/blue/navy")
    with serve(keep=tmp_path) as client:
        (answer,) = client.post("/v1/predict", files={"images": content}).json()["results"]
        data = {"id": answer["id"], "node": str(node), "predicted": str(answer["node"])}
        kept = client.post(ADDRESS, json=data).json()
        assert kept["label_path"] == "cold/blue/navy"
        assert rows(tmp_path) == [(f"images/{answer['id']}.png", "cold/blue/navy", answer["label_path"])]
        assert "sent before" in refused(client.post(ADDRESS, json={**data, "id": "0" * 64}), 404)
        assert "sent before" in refused(client.post(ADDRESS, json={**data, "id": "../../etc/passwd"}), 404)
    with serve(keep=tmp_path) as client:  # it is on disk, so another process knows it
        assert client.post(ADDRESS, json=data).json()["changed"] is False


def test_wrong_corrections_are_told_and_keep_nothing(serve: Serve, tmp_path: Path) -> None:
    with serve(keep=tmp_path) as client:
        image = {"image": picture()}
        for data, told in (
            ({}, "as node or label_path"),
            ({"node": "99999"}, "a node from 0"),
            ({"node": "0"}, "below the root"),
            ({"label_path": "wram"}, "Nearest names: warm"),
            ({"label_path": "grey", "predicted": "nothing"}, "a label of the taxonomy"),
        ):
            assert told in refused(client.post(ADDRESS, files=image, data=data), 422)
        message = refused(client.post(ADDRESS, files={"image": b"none"}, data={"label_path": "grey"}), 422)
        assert "not an image" in message
        refused(client.post(ADDRESS, content=b"x", headers={"content-type": "text/plain"}), 415)
    assert rows(tmp_path) == []
    assert not list((tmp_path / "images").iterdir())


def test_ambiguous_corrections_are_refused(serve: Serve, served_run: Path, tmp_path: Path) -> None:
    node = Run.open(served_run).taxonomy.find("grey")
    with serve(keep=tmp_path) as client:
        one = ("image", picture())
        for files, data, told in (
            ([one], {"node": str(node), "label_path": "warm"}, f"the path of node {node}, grey"),
            ([one, ("image", picture((1, 2, 3)))], {"node": str(node)}, "one image"),
            ([one], {"label_path": ["grey", "warm"]}, "one value of label_path"),
            ([one], {"label": "grey"}, "a field: id, node, label_path, predicted"),
        ):
            assert told in refused(client.post(ADDRESS, files=files, data=data), 422)
        assert "neither" in refused(client.post(ADDRESS, json={"node": node}), 422)
        assert rows(tmp_path) == []
        both = {"node": str(node), "label_path": "grey"}
        assert client.post(ADDRESS, files=[one], data=both).json()["label_path"] == "grey"


def test_models_with_other_trees_have_tables_of_their_own(
    serve: Serve, served_run: Path, colour_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(colour_folder, tmp_path / "photographs"))
    (folder / "grey").rename(folder / "gray")
    other = train(str(folder), method="flat-softmax", epochs=1, freeze=True, out=tmp_path / "other", **SMALL)
    runs, kept, image = {"a": served_run, "b": other, "c": served_run}, tmp_path / "kept", {"image": picture()}
    with serve(runs=runs, keep=kept) as client:
        for model, label in (("a", "grey"), ("b", "gray"), ("c", "warm")):
            client.post(f"/v1/models/{model}/corrections", files=image, data={"label_path": label}).raise_for_status()
    assert [label for _, label, _ in rows(kept)] == ["warm"]
    assert [label for _, label, _ in rows(kept / "b")] == ["gray"]


def test_training_takes_the_table(serve: Serve, served_run: Path, colours: Dataset, tmp_path: Path) -> None:
    chosen = [k for k in range(0, len(colours), 3) if "broken" not in colours.paths[k]]
    with serve(keep=tmp_path / "kept") as client:
        for k in chosen:
            content = (colours.root / colours.paths[k]).read_bytes()
            label = colours.taxonomy.path_name(int(colours.nodes[k]))
            data = {"label_path": label}
            assert client.post(ADDRESS, files={"image": content}, data=data).status_code == 200
    table = tmp_path / "kept" / "corrections.csv"
    data = datasets.from_manifest(table, Run.open(served_run).taxonomy)
    assert len(data) == len(chosen)
    assert [data.taxonomy.path_name(int(node)) for node in data.nodes] == [
        colours.taxonomy.path_name(int(colours.nodes[k])) for k in chosen
    ]
    run = train(str(table), method="flat-softmax", epochs=1, freeze=True, out=tmp_path / "run", **SMALL)
    assert Run.open(run).config.data["kind"] == "manifest"


def add_many(folder: Path, start: int) -> None:
    kept = Corrections(folder)
    for k in range(start, start + 40):
        kept.add(b"image %d" % (k % 60), f"label {k % 60}")


def test_processes_add_at_the_same_time(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=add_many, args=(tmp_path, 20 * k)) for k in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = Corrections(tmp_path).rows()
    assert sorted(row.label for row in found) == sorted(f"label {k}" for k in range(60))
    assert len({row.path for row in found}) == 60


def test_a_row_without_an_end_is_removed(tmp_path: Path) -> None:
    kept = Corrections(tmp_path)
    kept.add(b"one", 'a, "quoted"/label')
    kept.add(b"two", "wren")
    table = tmp_path / "corrections.csv"
    whole = table.read_bytes()
    with table.open("ab") as file:
        file.write(b"images/torn.jpg,wr")
    assert [row.label for row in Corrections(tmp_path).rows()] == ['a, "quoted"/label', "wren"]
    assert table.read_bytes() == whole
    with table.open("ab") as file:  # by another process while this one runs
        file.write(b"images/torn.jpg,wr")
    assert kept.add(b"three", "robin")
    assert [row.label for row in Corrections(tmp_path).rows()] == ['a, "quoted"/label', "wren", "robin"]


def test_a_folder_with_another_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corrections.csv").write_text("path,label\n")
    with pytest.raises(InputError, match="a table with the columns"):
        Corrections(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a folder for corrections"):
        Corrections(tmp_path / "file")
