"""Runs pushed to and opened from a hub, by the hub's real client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cladewise as cw
from cladewise import Run
from cladewise.errors import InputError, InputWarning
from cladewise.hub import HubRun
from cli.conftest import in_this_process
from hub.hub_server import READ_ONLY, TOKEN, Hub
from hub.test_hub_sharing import log_probs, some_images

Forget = Callable[[], None]


def test_a_pushed_run_predicts_the_same_bits(hub: Hub, run_folder: Path) -> None:
    pushed = cw.push(run_folder, "jane/colours", license="mit")
    mine, theirs = Run.open(run_folder), Run.open("hf://jane/colours")
    images = some_images(mine)
    assert log_probs(theirs, images).equals(log_probs(mine, images))
    assert log_probs(Run.open(f"hf://jane/colours@{pushed.commit}"), images).equals(log_probs(mine, images))
    assert pushed.address == "hf://jane/colours"
    assert Run.open(Path("hf://jane/colours")).path == theirs.path  # as the command line gives it
    assert theirs.path.name == f"colours@{pushed.commit[:12]}"
    files = hub.repositories["jane/colours"].commits[pushed.commit]
    assert set(pushed.files) <= files.keys()
    assert files["model.safetensors"] == (run_folder / "model.safetensors").read_bytes()
    assert files["README.md"].startswith(b"---\nlibrary_name: cladewise\nlicense: mit\n")


def test_a_push_is_one_commit_and_removes_what_is_gone(hub: Hub, run_folder: Path, forget: Forget) -> None:
    cw.push(run_folder, "jane/colours")
    repository = hub.repositories["jane/colours"]
    assert len(repository.branches["main"]) == 2  # that of the new repository, and the push
    repository.commit("main", {**repository.commits[repository.at("main") or ""], "photo.jpg": b"kept"})
    next((run_folder / "evaluations").glob("*hedging*.json")).unlink()
    pushed = cw.push(run_folder, "jane/colours", message="fewer evaluations")
    assert len(repository.branches["main"]) == 4
    files = repository.commits[pushed.commit]
    assert files["photo.jpg"] == b"kept"
    assert not [name for name in files if name.startswith("evaluations/") and "hedging" in name]
    assert not (Run.open("hf://jane/colours").path / "photo.jpg").exists()


def test_images_are_embedded_by_a_run_on_the_hub(hub: Hub, run_folder: Path, tmp_path: Path) -> None:
    images = some_images(Run.open(run_folder))
    mine = cw.embed_images(run_folder, images, tmp_path / "mine.parquet", progress=False)
    cw.push(run_folder, "jane/colours")
    theirs = cw.embed_images("hf://jane/colours", images, tmp_path / "theirs.parquet", progress=False)
    assert theirs.vectors.tobytes() == mine.vectors.tobytes()


def test_branches_and_privacy(hub: Hub, run_folder: Path, monkeypatch: pytest.MonkeyPatch, forget: Forget) -> None:
    pushed = cw.push(run_folder, "hf://jane/colours@v2", private=True)
    assert pushed.address == "hf://jane/colours@v2"
    assert hub.repositories["jane/colours"].private
    assert Run.open("hf://jane/colours@v2").path.is_dir()
    with pytest.raises(InputError, match=r"a repository with config\.toml.*but got '\.gitattributes' at hf://jane"):
        Run.open("hf://jane/colours")
    with pytest.raises(InputError, match=r"a branch, tag or commit of the repository, but got 'v3'"):
        Run.open("hf://jane/colours@v3")
    with pytest.raises(InputError, match="one branch"):
        cw.push(run_folder, "jane/colours@v2", revision="v3")
    monkeypatch.setenv("HF_TOKEN", READ_ONLY)
    monkeypatch.setenv("HF_HUB_CACHE", "elsewhere")
    forget()
    with pytest.raises(InputError, match=r"a repository of .*that can be read at hf://jane/secret"):
        Run.open("hf://jane/secret")


def test_an_edited_card_can_be_kept(hub: Hub, run_folder: Path) -> None:
    cw.push(run_folder, "jane/colours")
    repository = hub.repositories["jane/colours"]
    repository.commit("main", {**repository.commits[repository.at("main") or ""], "README.md": b"---\n---\nby Jane"})
    kept = cw.push(run_folder, "jane/colours", keep_card=True)
    assert repository.commits[kept.commit]["README.md"] == b"---\n---\nby Jane"
    replaced = cw.push(run_folder, "jane/colours")
    assert repository.commits[replaced.commit]["README.md"] != b"---\n---\nby Jane"


def test_a_run_opens_offline_from_the_cache(
    hub: Hub, run_folder: Path, monkeypatch: pytest.MonkeyPatch, forget: Forget
) -> None:
    from huggingface_hub import constants

    cw.push(run_folder, "jane/colours")
    online = Run.open("hf://jane/colours").path
    forget()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert Run.open("hf://jane/colours").path == online
    assert len(hub.requests) == asked
    with pytest.raises(InputError, match=r"a complete copy in the hub's cache.*\(HF_HUB_OFFLINE\).*Open it once"):
        Run.open("hf://jane/others")


def test_evaluations_of_an_opened_run_stay_out_of_the_hubs_cache(hub: Hub, run_folder: Path, forget: Forget) -> None:
    cw.push(run_folder, "jane/colours", scores=True)
    run = Run.open("hf://jane/colours")
    before = sorted(file for file in (Path(run.path).parents[3] / "hf").rglob("*"))
    with pytest.warns(match="cannot be opened"):
        found = cw.evaluate("hf://jane/colours", decision="crm", progress=False)
    assert found.path.parent.parent == run.path
    assert sorted(file for file in (Path(run.path).parents[3] / "hf").rglob("*")) == before
    forget()
    assert (Run.open("hf://jane/colours").path / "evaluations" / found.path.name).is_file()
    with pytest.warns(match="cannot be opened"):
        assert cw.evaluate("hf://jane/colours", decision="crm", progress=False).correct == found.correct


def test_only_files_of_a_run_are_fetched(hub: Hub, run_folder: Path, tmp_path: Path) -> None:
    pushed = cw.push(run_folder, "jane/colours")
    files = dict(hub.repositories["jane/colours"].commits[pushed.commit])
    odd = ("pytorch_model.bin", "checkpoints/last.ckpt", "evaluations/a/b.json", ".hidden/config.toml", "code.py")
    hub.put("jane/odd", {**files, **dict.fromkeys(odd, b"content")})
    folder = Run.open("hf://jane/odd").path
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert found == {
        name for name in files if name not in (".gitattributes", "README.md", "operating.png", "config.json")
    }
    asked = {path.rpartition("/")[2] for method, path in hub.requests if "jane/odd/resolve" in path}
    assert not asked & {"pytorch_model.bin", "last.ckpt", "code.py"}


def test_another_repository_is_refused_with_what_it_holds(hub: Hub) -> None:
    hub.put("jane/bert", {"config.json": b"{}", "pytorch_model.bin": b"x", "README.md": b"hello"})
    with pytest.raises(
        InputError, match=r"of a run, but got 'README.md', 'config.json', 'pytorch_model.bin' at hf://jane/bert"
    ):
        Run.open("hf://jane/bert")


def test_a_tree_that_was_changed_on_the_hub_is_refused(hub: Hub, run_folder: Path) -> None:
    pushed = cw.push(run_folder, "jane/colours")
    files = dict(hub.repositories["jane/colours"].commits[pushed.commit])
    hub.put("jane/colours", {**files, "taxonomy.csv": files["taxonomy.csv"].replace(b"navy", b"teal")})
    with pytest.raises(InputError, match="the label tree that the weights were trained with, but got a different one"):
        Run.open("hf://jane/colours").taxonomy  # noqa: B018


@pytest.mark.parametrize("name", ["model.safetensors", "taxonomy.csv"])
def test_a_download_with_other_content_of_the_same_size_is_refused(hub: Hub, run_folder: Path, name: str) -> None:
    cw.push(run_folder, "jane/colours")
    hub.damage = lambda file, content: content[:-1] + bytes([content[-1] ^ 1]) if file == name else content
    with pytest.raises(InputError, match=f"the file that the hub lists, but got a damaged copy.*{name}.*Delete"):
        Run.open("hf://jane/colours")


def test_a_download_that_breaks_off_is_told_and_repeated(hub: Hub, run_folder: Path) -> None:
    cw.push(run_folder, "jane/colours")
    hub.damage = lambda file, content: content[: len(content) // 2] if file == "model.safetensors" else content
    with pytest.raises(InputError, match="hf://jane/colours"):
        Run.open("hf://jane/colours")
    hub.damage = lambda file, content: content
    images = some_images(Run.open(run_folder))
    assert log_probs(Run.open("hf://jane/colours"), images).equals(log_probs(Run.open(run_folder), images))


def test_an_upload_that_fails_leaves_the_repository_as_it_was(hub: Hub, run_folder: Path) -> None:
    first = cw.push(run_folder, "jane/colours")
    repository = hub.repositories["jane/colours"]
    next((run_folder / "evaluations").glob("*hedging*.json")).unlink()
    for broken, status in (("PUT", 403), ("/commit/", 400)):
        hub.large.clear()
        hub.broken = lambda method, path, broken=broken, status=status: (
            status if broken in (method, *[part for part in ("/commit/",) if part in path]) else 0
        )
        with pytest.raises(InputError, match="at hf://jane/colours"):
            cw.push(run_folder, "jane/colours")
        assert repository.at("main") == first.commit
    hub.broken = None
    assert cw.push(run_folder, "jane/colours").commit == repository.at("main") != first.commit


def test_errors_of_the_hub_are_one_line_each(
    hub: Hub, run_folder: Path, monkeypatch: pytest.MonkeyPatch, forget: Forget
) -> None:
    from huggingface_hub import constants

    hub.broken = lambda method, path: 503 if path == "/api/repos/create" else 0
    with pytest.raises(InputError, match=r"an answer of http://127.0.0.1:\d+, but got the error 503 .*Try again later"):
        cw.push(run_folder, "jane/colours")
    hub.broken = lambda method, path: 500 if "/revision/" in path else 0
    with pytest.raises(InputError, match=r"the error 500 .*Try again later"):
        Run.open("hf://jane/colours")
    hub.broken = None
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(
        InputError, match=r"a token of .*, but got one that it refuses at hf://jane/colours.*hf auth login"
    ):
        cw.push(run_folder, "jane/colours")
    with pytest.raises(InputError, match="one that it refuses"):
        Run.open("hf://jane/colours")
    monkeypatch.setenv("HF_TOKEN", READ_ONLY)
    with pytest.raises(InputError, match=r"a token that may do this, but got one that may not .*write access"):
        cw.push(run_folder, "jane/colours")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/no/such/token")
    with pytest.raises(InputError, match=r"a token of "):
        cw.push(run_folder, "jane/colours")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"an answer of http://127.0.0.1:9, but got none .*HF_ENDPOINT"):
        Run.open("hf://jane/colours")
    assert hub.repositories == {}


def test_names_that_are_none_of_a_repository(run_folder: Path) -> None:
    for name in ("colours", "hf://a/b/c", "hf://datasets/a/b", "a/b@", "../b", "a/b c", "hf://"):
        with pytest.raises(InputError, match="hf://user/name or hf://user/name@revision"):
            cw.push(run_folder, name)


def test_a_run_without_evaluations_is_pushed_with_a_warning(hub: Hub, run_folder: Path) -> None:
    for file in (run_folder / "evaluations").iterdir():
        file.unlink()
    with pytest.warns(InputWarning, match="a model card without measurements"):
        pushed = cw.push(run_folder, "jane/colours")
    card = hub.repositories["jane/colours"].commits[pushed.commit]["README.md"].decode()
    assert "was not evaluated" in card
    assert "model-index" not in card
    assert "operating.png" not in pushed.files


def test_the_mixin_saves_and_loads(hub: Hub, run_folder: Path, tmp_path: Path) -> None:
    run = Run.open(run_folder)
    images = some_images(run)
    HubRun(run).save_pretrained(tmp_path / "saved")
    assert log_probs(HubRun.from_pretrained(str(tmp_path / "saved")).run, images).equals(log_probs(run, images))
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["library_name"] == "cladewise"
    assert hub.requests == []
    assert "/commit/" in HubRun(run).push_to_hub("jane/colours", commit_message="by the mixin")
    opened = HubRun.from_pretrained("jane/colours", cache_dir=tmp_path / "other", token=TOKEN)
    assert log_probs(opened.run, images).equals(log_probs(run, images))
    assert any((tmp_path / "other").iterdir())


def test_the_commands_push_and_predict(hub: Hub, run_folder: Path, tmp_path: Path) -> None:
    code, out, err = in_this_process("push", run_folder, "jane/colours", "--private")
    assert code == 0, err
    assert "hf://jane/colours has" in out
    assert "left out (names of images)" in err
    assert hub.repositories["jane/colours"].private
    image = some_images(Run.open(run_folder))[0]
    mine = in_this_process("predict", run_folder, image, "--runtime", "torch")
    theirs = in_this_process("predict", "hf://jane/colours", image, "--runtime", "torch")
    assert theirs[:2] == (0, mine[1]), theirs[2]
    code, _, err = in_this_process("evaluate", "hf://jane/others")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("cladewise: Expected a repository of ")
    code, _, err = in_this_process("push", run_folder)
    assert err.splitlines() == ["cladewise: Expected a repository, user/name, or --folder, but got neither."]
    code, out, err = in_this_process("push", run_folder, "--folder", tmp_path / "shared")
    assert code == 0, err
    assert str(tmp_path / "shared" / "model.safetensors") in out.splitlines()


@pytest.mark.slow
def test_processes_of_their_own_push_and_predict(hub: Hub, run_folder: Path, tmp_path: Path) -> None:
    variables = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
        "CLADEWISE_CACHE": str(tmp_path / "cache"),
    }

    def cladewise(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cladewise", *words]
        return subprocess.run(command, env={**variables, **more}, capture_output=True, text=True, timeout=120)

    pushed = cladewise("push", str(run_folder), "jane/colours", "--private")
    assert pushed.returncode == 0, pushed.stderr
    assert "hf://jane/colours has" in pushed.stdout
    assert "left out (names of images)" in pushed.stderr
    assert "it/s" not in pushed.stderr  # no progress bar where standard error is a file
    image = some_images(Run.open(run_folder))[0]
    mine = cladewise("predict", str(run_folder), image, "--runtime", "torch")
    theirs = cladewise("predict", "hf://jane/colours", image, "--runtime", "torch")
    assert (theirs.returncode, theirs.stdout) == (0, mine.stdout), theirs.stderr
    words = ("predict", "hf://jane/colours", image, "--runtime", "torch")
    offline = cladewise(*words, HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
    assert (offline.returncode, offline.stdout) == (0, mine.stdout), offline.stderr
