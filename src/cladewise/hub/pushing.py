"""Upload of a run to the Hugging Face Hub, in one commit."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

from cladewise.engine import Run
from cladewise.errors import InputError, warn
from cladewise.hub.card import PICTURE, README, CardFacts, evaluations_of
from cladewise.hub.sharing import CONFIG, share
from cladewise.hub_access import HubAddress, asking_hub
from cladewise.records import shared_as
from cladewise.version import __version__


@dataclasses.dataclass(frozen=True)
class Pushed:
    """A run on the hub.

    Args:
        address: Where it is opened from: ``hf://user/name``, with the branch if it is not the main one.
        commit: The commit, which ``hf://user/name@commit`` opens whatever is pushed later.
        url: Page of the commit.
        files: Files that were uploaded.
        left_out: Files of the run that could be shared but were not, each with the reason.
    """

    address: str
    commit: str
    url: str
    files: tuple[str, ...]
    left_out: dict[str, str]


def push(
    run: Run | str | PathLike[str],
    repo: str,
    *,
    revision: str = "",
    private: bool | None = None,
    scores: bool = False,
    images: bool = False,
    encoder: bool = False,
    keep_card: bool = False,
    license: str = "",
    datasets: tuple[str, ...] | list[str] = (),
    title: str = "",
    message: str = "",
    token: str | None = None,
) -> Pushed:
    """Share a run on the Hugging Face Hub: a copy of its folder for others and a model card, in one commit.

    The repository is made if there is none. Files of a run that an earlier push left there are replaced, and removed
    if the run no longer has them; other files stay. :func:`cladewise.hub.share` describes what is copied. The address
    of another hub is read from ``HF_ENDPOINT``, the token from ``HF_TOKEN`` or the login of the hub's client.

    Args:
        run: A finished run.
        repo: Owner and name of the repository, ``user/name``, with or without ``hf://`` and ``@branch``.
        revision: Branch to push to, which is made if there is none; by default the main branch.
        private: Whether a new repository is private; by default the owner's setting on the hub.
        scores: Also upload the scores of the splits and the per-image values of evaluations, with numbers in place of
            the images' names.
        images: Also upload the tables with the path of each image.
        encoder: Also upload the weights of a frozen encoder that is installed or published elsewhere.
        keep_card: Keep the model card that is there, such as one that was edited.
        license: Identifier of the licence of the weights, as on the hub.
        datasets: Repositories of the data on the hub, for the model card.
        title: Heading of the model card; by default the method and the data.
        message: Message of the commit.
        token: Token of the hub.

    Raises:
        InputError: Training has not finished, the run cannot be shared, ``repo`` is not the name of a repository, the
            token
            is missing, wrong or not permitted, or the hub does not answer. Nothing is changed on the hub then, apart
            from a new and empty repository.
    """
    address = HubAddress.parse(repo)
    if revision and address.revision:
        raise InputError("one branch", f"{address.revision!r} and {revision!r}", at=repo)
    address = HubAddress(address.repo, revision or address.revision)
    run = Run.open(run)
    if not evaluations_of(run):
        advice = f"Evaluate it first: cladewise evaluate {run.path}"
        warn("a model card without measurements", at=str(run.path), advice=advice)
    facts = CardFacts(repo=address.repo, title=title, license=license, datasets=tuple(datasets))
    with tempfile.TemporaryDirectory(prefix="cladewise-push-") as place:
        copy = share(run, Path(place) / address.name, scores=scores, images=images, encoder=encoder, card=facts)
        with asking_hub(address):
            commit = _upload(copy.path, address, private, keep_card, message or f"Push {run.path.name}", token)
    return Pushed(str(address), str(commit.oid), str(commit.commit_url), copy.files, copy.left_out)


def _upload(
    folder: Path, address: HubAddress, private: bool | None, keep_card: bool, message: str, token: str | None
) -> Any:
    """Commit the files of a folder; ``upload_folder`` would make several commits of them."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(token=token, library_name="cladewise", library_version=__version__)
    api.create_repo(address.repo, private=private, exist_ok=True)
    branch = address.revision or "main"
    if address.revision:
        api.create_branch(address.repo, branch=branch, exist_ok=True)
    there = set(api.list_repo_files(address.repo, revision=branch))
    names = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]
    if keep_card and README in there:
        names.remove(README)
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / name)) for name in names
    ]
    ours = {name for name in there if shared_as(name) is not None or name in (CONFIG, PICTURE)}
    operations += [CommitOperationDelete(path_in_repo=name) for name in sorted(ours - set(names))]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")
        return api.create_commit(address.repo, operations, commit_message=message, revision=branch)
