"""A run with the methods of the hub client's own mixin."""

from __future__ import annotations

import shutil
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin

from cladewise.engine import Run
from cladewise.hub.card import CardFacts
from cladewise.hub.pushing import push
from cladewise.hub.sharing import share
from cladewise.hub_access import HubAddress
from cladewise.records import local_run_folder


class HubRun(ModelHubMixin, library_name="cladewise", pipeline_tag="image-classification", tags=["cladewise"]):
    """A run with ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``, as models of other libraries have them.

    Args:
        run: A finished run, its folder, or ``hf://user/name``.

    Example:
        .. code-block:: python

            HubRun("runs/hace").save_pretrained("birds")     # a copy for others, offline
            run = HubRun.from_pretrained("birds").run        # or "user/name", from the hub or its cache
    """

    # without a configuration of its own: the mixin would make one of the arguments, and a run is no JSON
    _hub_mixin_config = {}  # noqa: RUF012  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, run: Run | str | PathLike[str]) -> None:
        self.run = Run.open(run)

    def _save_pretrained(self, save_directory: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="cladewise-push-") as place:
            copy = share(self.run, Path(place) / "run", card=CardFacts(title=self.run.config.name))
            shutil.copytree(copy.path, save_directory, dirs_exist_ok=True)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> HubRun:
        if Path(model_id).is_dir():
            return cls(model_id)
        address = HubAddress(HubAddress.parse(model_id).repo, revision or "")
        given = {
            "cache_dir": cache_dir,
            "force_download": force_download,
            "local_files_only": local_files_only,
            "token": token,
        }
        return cls(local_run_folder(str(address), **{name: value for name, value in given.items() if value}))

    def push_to_hub(self, repo_id: str, *, branch: str | None = None, **options: Any) -> str:
        """Push the run with :func:`push`, whose options it takes, and return the page of the commit.

        The mixin's own function uploads in several commits.
        """
        message = options.pop("commit_message", "")
        return push(self.run, repo_id, revision=branch or "", message=message, **options).url
