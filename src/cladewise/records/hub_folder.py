"""The local folder of a run, which may be one that is shared on the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.atomic import explaining, replacing
from cladewise.cache import cache_folder
from cladewise.errors import InputError
from cladewise.hub_access import HubAddress, asking_hub, is_on_hub
from cladewise.records.layout import RunFolder
from cladewise.records.shared_files import PATTERNS, SHARED, shared_as
from cladewise.taxonomy.checks.problems import some
from cladewise.version import __version__

HUB = "hub"
"""Folder of the cache with the runs that were opened from the hub."""
_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_COMMIT = 12
"""Digits of the commit in the name of a folder."""


def local_run_folder(path: str | PathLike[str], **client: Any) -> Path:
    """The folder of a run; a run on the hub, ``hf://user/name`` or ``hf://user/name@revision``, is fetched first.

    Only files that belong to a run are downloaded, into the cache of the hub's client, from which a run opens offline
    as well; none of them can run code. What using the run writes, such as evaluations, goes into a folder of
    cladewise's own cache, one for each commit. A process asks the hub once for each address.

    Args:
        path: A folder, or an address on the hub.
        client: Further arguments of ``huggingface_hub.snapshot_download``, such as ``token`` and ``cache_dir``.

    Raises:
        InputError: The address is not that of a repository, the repository cannot be fetched or holds no run, or a file
            is damaged.

    Example:
        >>> local_run_folder("runs/hace").as_posix()
        'runs/hace'
    """
    if not is_on_hub(path):
        return Path(path)
    from huggingface_hub import constants

    address = HubAddress.parse(os.fspath(path))
    if client:
        return _fetched(address, client)
    return _remembered(address, constants.ENDPOINT, os.fspath(cache_folder()))


@lru_cache(maxsize=256)
def _remembered(address: HubAddress, endpoint: str, cache: str) -> Path:
    return _fetched(address, {})


def _fetched(address: HubAddress, client: dict[str, Any]) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [pattern for kind in SHARED for pattern in PATTERNS[kind]]
    about = {"library_name": "cladewise", "library_version": __version__}
    with asking_hub(address):
        snapshot = Path(
            snapshot_download(
                address.repo, revision=address.revision or None, allow_patterns=patterns, **about, **client
            )
        )
    names = sorted(
        name for file in snapshot.rglob("*") if file.is_file() and shared_as(name := _name(file, snapshot)) is not None
    )
    _check_run(address, names, client)
    owner, name = address.repo.split("/")
    folder = cache_folder() / HUB / owner / f"{name}@{snapshot.name[:_COMMIT]}"
    for each in names:
        _link(snapshot / each, folder / each)
    RunFolder(folder).check_trained()
    return folder


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _check_run(address: HubAddress, names: Iterable[str], client: dict[str, Any]) -> None:
    """Refuse a repository that holds something other than a run, and say what it holds."""
    if {"config.toml", "taxonomy.csv", "model.safetensors"} <= set(names):
        return
    from huggingface_hub import HfApi

    try:
        found = HfApi(token=client.get("token")).list_repo_files(address.repo, revision=address.revision or None)
    except Exception:  # offline: what was fetched is all that is known
        found = list(names)
    advice = "Runs are shared with cladewise push."
    raise InputError(
        "a repository with config.toml, taxonomy.csv and model.safetensors of a run",
        some(sorted(found)) if found else "no files",
        at=str(address),
        advice=advice,
    )


def _link(file: Path, target: Path) -> None:
    """Put a file of the hub's cache into the run folder, unless it is there or was replaced by a newer one."""
    if target.is_file():
        return
    content = file.resolve()
    _check_content(content, file)
    with explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # a link to what was removed from the cache
    try:
        target.symlink_to(content)
    except FileExistsError:  # another process was faster
        return
    except OSError:  # a file system or a user without links
        with replacing(target) as temporary:
            shutil.copyfile(content, temporary)


def _check_content(content: Path, file: Path) -> None:
    """Compare a file with its name in the hub's cache, which is the hash of its content; the client compares sizes."""
    if _SHA256.fullmatch(content.name):
        with content.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    elif _SHA1.fullmatch(content.name):  # as git names it
        digest = hashlib.sha1(f"blob {content.stat().st_size}\0".encode(), usedforsecurity=False)
        digest.update(content.read_bytes())
        found = digest.hexdigest()
    else:  # a cache without links
        return
    if found != content.name:
        raise InputError(
            "the file that the hub lists",
            "a damaged copy",
            at=str(file),
            advice=f"Delete {content}, and try again.",
        )
