"""Answers over HTTP are those of ``predict``, in every form of request and by every rule."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cladewise import Run, decisions, predict

from .conftest import Serve, picture, refused

if TYPE_CHECKING:
    import httpx

    from cladewise.datasets import Dataset

RULES = ["leaf", "majority", "levels", "hedging:guarantee=0.7", "hedging:caution=1.5", "threshold:threshold=0.4"]


@pytest.fixture(scope="module")
def files(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images of the data, and further ones: turned by EXIF, with transparency, a large JPEG and a grey one."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    large = Image.fromarray(rng.integers(0, 255, (700, 900, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(folder / "turned.jpg", exif=exif)
    large.convert("L").save(folder / "grey.png")
    clear = large.resize((60, 40)).convert("RGBA")
    clear.putalpha(90)
    clear.save(folder / "clear.webp", lossless=True)
    own = [colours.root / colours.paths[k] for k in range(0, len(colours), 9)]
    return [*own, *sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def own_run(served_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run, in which ``predict`` may keep what it fits."""
    return Path(shutil.copytree(served_run, tmp_path_factory.mktemp("own") / "run"))


def parts(files: list[Path]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("images", (file.name, file.read_bytes(), "image/png")) for file in files]


@pytest.mark.parametrize("decision", RULES)
def test_answers_equal_those_of_predict(client: httpx.Client, own_run: Path, files: list[Path], decision: str) -> None:
    caution = re.fullmatch(r"hedging:caution=(.+)", decision)
    rule = decisions.Hedging(caution=float(caution[1])) if caution else decision
    wanted = predict(Run.open(own_run), files, decision=rule, runtime="torch", progress=False)
    body = client.post("/v1/predict", files=parts(files), data={"decision": decision, "top": "3"}).json()
    assert body["decision"] == decision
    assert [result["name"] for result in body["results"]] == [file.name for file in files]
    ids = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert [result["id"] for result in body["results"]] == ids
    table, taxonomy = wanted.to_frame(), wanted.prediction.taxonomy
    found = body["results"]
    if decision == "levels":
        names = [[step["label"] for step in result["levels"]] for result in found]
        level_names = taxonomy.level_names
        told = [[row[name] for name in level_names if row[name] is not None] for row in table.iter_rows(named=True)]
        assert names == told
        return
    assert [result["node"] for result in found] == table["node"].to_list()
    assert [result["label_path"] for result in found] == table["label_path"].to_list()
    np.testing.assert_allclose([result["probability"] for result in found], table["probability"], rtol=1e-5)
    for result in found:
        path = list(taxonomy.path(result["node"]))[1:]
        assert [step["node"] for step in result["path"]] == path
        assert [leaf["probability"] for leaf in result["leaves"]] == sorted(
            (leaf["probability"] for leaf in result["leaves"]), reverse=True
        )
    assert [result["leaves"][0]["label_path"] for result in found] == table["leaf_path"].to_list()


def test_sets_of_labels_are_those_of_predict(client: httpx.Client, own_run: Path, files: list[Path]) -> None:
    rule = "optimal:metric=hf,answer=set"
    wanted = predict(Run.open(own_run), files, decision=rule, runtime="torch", progress=False).to_frame()
    found = client.post("/v1/predict", files=parts(files), data={"decision": rule}).json()["results"]
    assert [[entry["label_path"] for entry in row["labels"]] for row in found] == wanted["labels"].to_list()
    finest = [[entry["label_path"] for entry in row["labels"] if entry["finest"]] for row in found]
    assert finest == wanted["finest_labels"].to_list()


def test_bytes_forms_and_json_give_one_answer(client: httpx.Client) -> None:
    content = picture()
    raw = client.post("/v1/predict?top=2", content=content, headers={"content-type": "image/png"}).json()
    form = client.post("/v1/models/colours/predict", files={"images": ("a.png", content)}, data={"top": "2"}).json()
    entry = {"bytes": base64.b64encode(content).decode(), "name": "a.png"}
    written = client.post("/v1/predict", json={"images": [entry], "top": 2}).json()
    assert form == written
    raw["results"][0]["name"] = "a.png"
    assert raw == form


def test_the_ladder_lists_the_answers_of_hedging(client: httpx.Client, files: list[Path]) -> None:
    found = client.post("/v1/predict", files=parts(files), data={"ladder": "true"}).json()["results"]
    rungs = [result["ladder"] for result in found]
    assert max(map(len, rungs)) > 2
    for ladder in rungs:
        cautions = [rung["caution"] for rung in ladder]
        assert cautions[0] == 0.0
        assert cautions == sorted(cautions)
        assert ladder[-1]["node"] == 0
    for bits in (0.0, 0.3, 1.0, 4.0, 50.0):
        data = {"decision": f"hedging:caution={bits}"}
        answers = client.post("/v1/predict", files=parts(files), data=data).json()["results"]
        climbed = [[rung for rung in ladder if rung["caution"] <= bits][-1] for ladder in rungs]
        assert [answer["node"] for answer in answers] == [rung["node"] for rung in climbed], bits
        np.testing.assert_allclose(
            [answer["probability"] for answer in answers], [rung["probability"] for rung in climbed], rtol=1e-5
        )


def test_the_slider_promises_what_hedging_promises(client: httpx.Client, served_run: Path) -> None:
    found = client.get("/v1/models/colours/slider").json()
    positions = found["positions"]
    assert positions[0]["share"] is None
    assert positions[0]["decision"] == "hedging:caution=0"
    assert len(positions) > 1
    assert found["images"] > 10
    assert found["confidence"] == 0.95
    cautions, specificities = ([row[name] for row in positions] for name in ("caution", "specificity"))
    assert cautions == sorted(cautions)
    assert specificities == sorted(specificities, reverse=True)
    for row in positions[1:]:
        answer = client.post("/v1/predict", files={"images": picture()}, data={"decision": row["decision"]}).json()
        assert answer["promise"] == row["share"]
    assert client.post("/v1/predict", files={"images": picture()}).json()["promise"] is None


def test_only_allowed_labels_are_answered(client: httpx.Client) -> None:
    data: dict[str, Any] = {"allowed": ["cold/blue", "grey"], "decision": "leaf", "top": "10"}
    found = client.post("/v1/predict", files={"images": picture()}, data=data).json()["results"][0]
    assert found["label_path"].startswith(("cold/blue", "grey"))
    possible = [leaf["label_path"] for leaf in found["leaves"] if leaf["probability"] > 0]
    assert possible
    assert all(path.startswith(("cold/blue", "grey")) for path in possible)
    assert "nearest: 'warm'" in refused(
        client.post("/v1/predict", files={"images": picture()}, data={"allowed": "wram"}), 422
    )


def test_requests_with_other_rules_share_a_batch_and_keep_their_answers(client: httpx.Client) -> None:
    from concurrent.futures import ThreadPoolExecutor

    colours = [(200, 30, 30), (10, 10, 110), (128, 128, 128), (30, 160, 40)]
    asked = [(rule, colour) for rule in ("leaf", "hedging:caution=9", "levels") for colour in colours] * 4

    def ask(one: tuple[str, tuple[int, int, int]]) -> Any:
        body = client.post("/v1/predict", files={"images": picture(one[1])}, data={"decision": one[0]}).json()
        (result,) = body["results"]
        return result.get("node", [row["node"] for row in result.get("levels", [])])

    alone = [ask(one) for one in asked]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, asked)) == alone


def test_an_image_among_others_that_cannot_be_read_has_an_error(client: httpx.Client) -> None:
    images = [("images", ("a.png", picture())), ("images", ("b.png", b"no image")), ("images", ("c.png", b""))]
    first, second, third = client.post("/v1/predict", files=images).json()["results"]
    assert first["error"] is None
    assert "not an image" in second["error"]
    assert third["error"] == "an empty file"
    assert "an empty file" in refused(client.post("/v1/predict", files=[images[2]]), 422)


def test_the_tree_has_a_tag_and_all_nodes(client: httpx.Client, served_run: Path) -> None:
    taxonomy = Run.open(served_run).taxonomy
    response = client.get("/v1/models/colours/tree")
    nodes = response.json()["nodes"]
    assert nodes["parent"] == taxonomy.parents.tolist()
    assert nodes["name"][1:] == taxonomy.names.tolist()[1:]
    assert nodes["level"][0] is None
    tag = response.headers["etag"]
    assert client.get("/v1/models/colours/tree", headers={"if-none-match": tag}).status_code == 304
    assert "names in fr" in refused(client.get("/v1/models/colours/tree?names=fr"), 422)


def test_models_are_listed_with_the_limits(client: httpx.Client, served_run: Path) -> None:
    found = client.get("/v1/models").json()
    (model,) = found["models"]
    taxonomy = Run.open(served_run).taxonomy
    assert (model["name"], model["method"], model["default"]) == ("colours", "hace", True)
    assert (model["num_nodes"], model["num_leaves"]) == (taxonomy.num_nodes, taxonomy.num_leaves)
    assert not found["can_keep"]
    assert found["limits"]["images"] == 32
    assert client.post("/v1/models/colours/corrections").status_code == 404


@pytest.mark.parametrize(
    ("data", "status", "told"),
    [
        ({"decision": "mjority"}, 422, "Did you mean majority?"),
        ({"decision": "threshold:treshold=0.5"}, 422, "threshold"),
        ({"inference": "subset:allowed=/etc/passwd"}, 422, "that are not files"),
        ({"decision": "subset:allowed=/etc/passwd+leaf"}, 422, "that are not files"),
        ({"inference": "diffusion:weights=/etc/passwd"}, 422, "that are not files"),
        ({"decision": "crm:cost=/etc/passwd"}, 422, "that are not files"),
        ({"inference": "prior:key=region"}, 422, ""),
        ({"top": "-1"}, 422, "from 0 to 100"),
        ({"top": "101"}, 422, "at most 100"),
        ({"ladder": "perhaps"}, 422, "true or false"),
        ({"names": "xx-nonsense"}, 422, ""),
        ({"colour": "red"}, 422, "an option"),
        ({"allowed": " "}, 422, "at least one allowed label"),
        ({"inference": "subset"}, 422, "Send them as allowed=..."),
        ({"decision": ["leaf", "majority"]}, 422, "one value of decision, but got 'leaf' and 'majority'"),
    ],
)
def test_wrong_options_are_told(client: httpx.Client, data: dict[str, Any], status: int, told: str) -> None:
    assert told in refused(client.post("/v1/predict", files={"images": picture()}, data=data), status)


def test_an_option_of_the_query_and_another_value_in_the_body_are_refused(client: httpx.Client) -> None:
    image = base64.b64encode(picture()).decode()
    for query, body in ((["top=3"], {"top": 2}), (["allowed=warm"], {"allowed": ["cold"]})):
        answer = client.post(f"/v1/predict?{'&'.join(query)}", json={"images": [{"bytes": image}], **body})
        assert "one value of" in refused(answer, 422)
    answer = client.post("/v1/predict?top=2&top=2", json={"images": [{"bytes": image}], "top": 2})
    assert len(answer.json()["results"][0]["leaves"]) == 2


def test_base64_may_be_broken_into_lines(client: httpx.Client) -> None:
    content = picture()
    sent = {"images": [{"bytes": base64.encodebytes(content).decode()}]}
    assert client.post("/v1/predict", json=sent).json()["results"][0]["id"] == hashlib.sha256(content).hexdigest()


def test_head_is_answered_as_get_without_the_body(client: httpx.Client) -> None:
    for path in ("/readyz", "/", "/page/main.js", "/v1/models"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]
    assert client.head("/v1/predict").status_code == 405


def test_a_rule_without_scores_to_be_fitted_on_is_refused(serve: Serve, served_run: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(served_run, tmp_path / "run"))
    config = path / "config.toml"
    with serve(runs={"run": path}) as client:
        assert client.get("/v1/models/run/slider").json()["images"] > 0
    shutil.rmtree(path / "scores")
    config.write_text(config.read_text().replace(str(Run.open(path).config.data["path"]), str(tmp_path / "gone")))
    with serve(runs={"run": path}) as client:
        assert client.get("/v1/models/run/slider").json()["images"] == 0
        data = {"decision": "hedging:guarantee=0.7"}
        message = refused(client.post("/v1/predict", files={"images": picture()}, data=data), 422)
        assert "cladewise evaluate RUN --split val" in message
        assert client.post("/v1/predict", files={"images": picture()}).status_code == 200
    assert not list(path.glob("fitted/**/*hedging-0.7*"))


def test_probabilities_are_numbers_that_json_has(client: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    answers = client.post("/v1/predict", files={"images": buffer.getvalue()}, data={"ladder": "1"}).json()["results"]
    assert all(math.isfinite(rung["caution"]) for rung in answers[0]["ladder"])
