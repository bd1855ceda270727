"""The folder of a run without a network."""

from __future__ import annotations

from pathlib import Path

from cladewise.atomic import making_folder
from cladewise.decisions import Majority
from cladewise.engine.answering.recorded_scores import keep_rows, targets_digest
from cladewise.engine.deciding.inputs import Opened
from cladewise.engine.deciding.splits import Splits
from cladewise.engine.rules import NO_INFERENCE
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.records import RunConfig, RunFolder, changes, read_config
from cladewise.records.scores_table import ScoresTable
from cladewise.taxonomy.alteration import Alteration
from cladewise.version import __version__


def scores_folder(
    path: Path, given: Opened, splits: Splits, *, name: str, root: Path | None, seed: int, progress: bool
) -> Run:
    """The run folder of some scores, which is written unless it is there.

    Args:
        path: The folder.
        given: The scores.
        splits: Their splits.
        name: Name of the run in reports.
        root: Folder that the names of rows, if they are paths of images, are relative to.
        seed: Seed of the splits.
        progress: Show a progress bar.

    Raises:
        InputError: The folder holds something else, or too many scores to be kept that are in no file.
    """
    config = RunConfig.of_scores(_table(given, splits), seed=seed, name=name)
    folder = RunFolder(path)
    if folder.config.is_file():
        changed = changes(read_config(folder.config), config)
        if changed:
            raise InputError(
                f"{path} to be free, or the folder of these scores",
                f"one that differs in {', '.join(changed)}",
                advice="Choose another folder.",
            )
        return Run.open(path)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
    with making_folder(path) as temporary:
        run = Run(temporary)
        Alteration.none(given.scores.taxonomy).write(run.folder.taxonomy, run.folder.true_taxonomy)
        images = {"name": given.labels_name, "root": "." if root is None else str(root.absolute())}
        rules = {"inference": NO_INFERENCE, "decision": Majority.name}
        config.write(run.folder.config, cladewise=__version__, **rules, images=images)
        keep_rows(run, given.scores, splits.rows, stream=bool(given.files), progress=progress)
    return Run.open(path)


def _table(given: Opened, splits: Splits) -> ScoresTable:
    return ScoresTable(
        digest=given.scores.digest,
        files=given.files,
        options=given.options,
        labels=targets_digest(given.scores, splits.rows),
        fit_split=splits.fit,
        fit_share=splits.share,
    )
