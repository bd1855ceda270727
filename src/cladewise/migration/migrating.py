"""Migration of a trained run to an edited tree, as a run folder of its own."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path

import numpy as np
import safetensors.torch
from torch import Tensor

from cladewise.atomic import making_folder, write_bytes, write_text
from cladewise.datasets import Dataset
from cladewise.datasets.finding import find_data
from cladewise.datasets.relabelling import relabelled_by
from cladewise.engine.answering.scoring import keep_scores, read_scores, scored_digest
from cladewise.engine.digests import training_digest
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.heads import Head
from cladewise.migration.accuracy import answers_of, compared, needing_images, rule_of, scores_of
from cladewise.migration.matched import Matched, Tree, carried_over, opened
from cladewise.migration.report_text import markdown
from cladewise.migration.rewriting import rewritten_head
from cladewise.predictions import Prediction
from cladewise.records import RunFolder, counts
from cladewise.records.migration import MigrationReport, Way, read_migration_report, write_migration_report
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence, write_matched
from cladewise.tensor_files import reproducible

MATCHED = "matched.csv"
TEXT = "report.md"
ENCODER = "encoder.safetensors"


@dataclasses.dataclass(frozen=True)
class Migration:
    """A migrated run, and what changed.

    Args:
        run: The new run.
        report: What changed, what it did to accuracy, and what needs images.
    """

    run: Run
    report: MigrationReport


def migrate(
    run: Run | str | PathLike[str],
    matched: Matched,
    *,
    out: str | PathLike[str],
    taxonomy: Tree | None = None,
    refit: bool = False,
    data: Dataset | str | PathLike[str] | None = None,
    split: str = "test",
    rewrite: bool = True,
    progress: bool = True,
) -> Migration:
    """Carry a trained run over to an edited tree, into a new folder; the old one stays as it is.

    Nothing is trained unless asked for. If the rows of the head can be moved to their nodes in the new tree and then
    give exactly the probabilities of before, they are moved, bit for bit, and the result is an ordinary run. Otherwise
    the network stays as it is and its answers and probabilities are translated by a linear map
    (:class:`~cladewise.taxonomy.carry_over.CarryOver`), which is exact for every method: what was merged has the sum,
    what was split stays at the common ancestor, what was removed at the parent, and nothing is placed at an added node.

    Args:
        run: A trained run, or its folder.
        matched: The correspondences of its tree with the new one, or the table that ``cladewise taxonomy match`` wrote
            and a person has decided.
        out: Folder of the new run.
        taxonomy: The new tree, or its file; by default the one that the paths in the table imply.
        refit: Fit the head again in the new tree, with the run's configuration on cached features. Labels are
            translated, so that images of a node that was split are labelled with the common ancestor, unless ``data``
            has their new labels. The encoder of a run that was trained end to end is kept, and frozen.
        data: With ``refit``, other data, labelled in the new tree.
        split: Split on which accuracy is measured before and after.
        rewrite: Whether to move the rows of the head if that is exact.
        progress: Show progress.

    Raises:
        InputError: Rows are left to decide, the correspondences are of another tree, ``out`` is not free, or the head
            cannot be fitted again.

    Example:
        >>> migrate("runs/hace", "matched.csv", out="runs/new")
        Traceback (most recent call last):
        ...
        cladewise.errors.InputError: Expected a run folder, but got no config.toml at runs/hace. Make one: ...
    """
    run = Run.open(run)
    run.check_network()
    found = opened(matched, run.taxonomy, taxonomy)
    carried = carried_over(found)
    folder = RunFolder(Path(out))
    if data is not None and not refit:
        raise InputError("data= with refit=True", "data= alone", advice="Data in the new tree is used to fit the head.")
    if refit:
        return _refit(run, found, carried, folder, _opened_data(data, taxonomy), split, progress=progress)
    if folder.path.exists():
        raise InputError("a free folder", "one that is there", at=str(folder.path), advice="Choose another out=.")
    with making_folder(folder.path) as temporary:
        new = RunFolder(temporary)
        way, reason = _transfer(run, found, carried, new, rewrite=rewrite)
        report = _reported(run, Run(temporary), found, carried, way, reason, split, progress=progress)
        _write_report(report, found, new)
    return Migration(Run.open(folder.path), report)


# -------------------------------------------------------------------- without training


def _transfer(run: Run, found: Correspondence, carried: CarryOver, new: RunFolder, *, rewrite: bool) -> tuple[Way, str]:
    """Write the new folder; returns how the head came into it, and why it was not rewritten."""
    made = _rewritten(run, carried) if rewrite else "it was not asked for"
    _copy(new, run.folder.config, run.folder.log, run.folder.resources)
    if run.folder.counts.is_file():
        _write_counts(run, carried, new)
    if isinstance(made, str):
        _copy(new, run.folder.model, run.folder.taxonomy, run.folder.true_taxonomy)
        _write_labels(run.relabelling, new)
        whole = carried if run.carried is None else run.carried.then(carried)
        new.migration.mkdir(exist_ok=True)
        found.new.write(new.new_taxonomy)
        whole.write(new.carried_answers)
        _keep_scores(run.before_migration, Run(new.path).before_migration)
        return "carried", made
    change = Alteration.none(found.new)
    change.write(new.taxonomy, new.true_taxonomy)
    relabelling = carried if run.relabelling is None else run.relabelling.then(carried)
    _write_labels(relabelling, new)
    weights = {f"head.{name}": tensor for name, tensor in made.state_dict().items()}
    rest = {name: tensor for name, tensor in run.classifier.state_dict().items() if not name.startswith("head.")}
    _write_model({**rest, **weights}, {**run.header, "tree": change.fingerprint, "data": _digest(run, carried)}, new)
    return "rewritten", ""


def _copy(new: RunFolder, *files: Path) -> None:
    """Copy those of the files that are there."""
    for file in files:
        if file.is_file():
            write_bytes(new.path / file.name, file.read_bytes())


def _keep_scores(run: Run, new: Run) -> None:
    """Take over the scores of the same network, so that they need not be computed again."""
    for file in sorted(run.folder.scores("*").parent.glob("*.safetensors")):
        seen = read_scores(run, file.stem, scored_digest(run, file.stem), run.dataset_if_there, progress=False)
        if seen is not None and isinstance(seen.scores, Prediction):
            keep_scores(new, file.stem, seen)


def _rewritten(run: Run, carried: CarryOver) -> Head | str:
    """The head with its rows moved, or why they cannot be."""
    if run.carried is not None:
        return "the run was carried over before, and its head is still that of an earlier tree"
    if not run.alteration.is_none:
        return "the network was trained with an altered tree"
    head = run.classifier.head
    return rewritten_head(head, run.method, carried.after, carried, run.backbone.num_features)


def _write_model(weights: dict[str, Tensor], about: dict[str, str], new: RunFolder) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(new.model, reproducible(safetensors.torch.save(tensors, metadata=about)))


def _digest(run: Run, carried: CarryOver) -> str:
    """Digest of the data that the run was trained on, with labels in the new tree; empty if it has changed since."""
    dataset = run.dataset_if_there
    if dataset is None or not run.header.get("data") or run.is_trained_on_other(dataset):
        return ""
    return training_digest(
        relabelled_by(carried, dataset), run.config.training.train_split, run.config.training.val_split
    )


def _write_labels(relabelling: CarryOver | None, new: RunFolder) -> None:
    """Write how labels in the data become labels of the tree that the network is trained with."""
    if relabelling is None:
        return
    new.migration.mkdir(parents=True, exist_ok=True)
    relabelling.before.write(new.labelled_taxonomy)
    relabelling.write(new.carried_labels)


def _write_counts(run: Run, carried: CarryOver, new: RunFolder) -> None:
    """The number of images per node when training began, with labels in the new tree."""
    by_split = counts.read_counts(run.folder.counts, carried.before.num_nodes)
    nodes = {split: np.repeat(np.asarray(carried.place), of_node) for split, of_node in by_split.items()}
    counts.write_counts(new.counts, nodes)


# -------------------------------------------------------------------- with training


def _refit(
    run: Run,
    found: Correspondence,
    carried: CarryOver,
    folder: RunFolder,
    data: Dataset | None,
    split: str,
    *,
    progress: bool,
) -> Migration:
    from cladewise.engine.training.fitting import fit  # imports Lightning, which migration does without otherwise
    from cladewise.engine.training.frozen import with_frozen_encoder

    if folder.migration_report.is_file():
        if read_migration_report(folder.migration_report).fingerprint == carried.fingerprint:
            return Migration(Run.open(folder.path), read_migration_report(folder.migration_report))
        raise InputError("a free folder", "another migrated run", at=str(folder.path), advice="Choose another out=.")
    dataset = relabelled_by(carried, run.dataset) if data is None else data
    if dataset.taxonomy != carried.after:
        raise InputError(
            f"data labelled in the new tree, {carried.after}",
            f"another tree, {dataset.taxonomy}",
            at=dataset.name,
            advice='Give the new tree as well: taxonomy="FILE".',
        )
    source = run.config.data if data is None else data.source
    advice = "Migrate it without refitting, or train a new run on data labelled in the new tree."
    frozen = with_frozen_encoder(run, folder.migration / ENCODER, advice=advice)
    config = dataclasses.replace(frozen, data=dict(source))
    if data is None:
        labels = run.relabelling
        if run.carried is not None:
            labels = run.carried if labels is None else labels.then(run.carried)
        _write_labels(carried if labels is None else labels.then(carried), folder)
    new = fit(config, folder.path, dataset=dataset, method=run.method, reuse=True, tell=False, progress=progress)
    new = Run.open(new.path)
    report = _reported(run, new, found, carried, "refit", "", split, other_data=data is not None, progress=progress)
    _write_report(report, found, folder)
    return Migration(new, report)


def _opened_data(data: Dataset | str | PathLike[str] | None, taxonomy: Tree | None) -> Dataset | None:
    """The data that a user names, with the new tree if that is a file."""
    if data is None or isinstance(data, Dataset):
        return data
    file = Path(taxonomy) if isinstance(taxonomy, (str, PathLike)) and Path(data).exists() else None
    return find_data(str(data), file)


# -------------------------------------------------------------------- the report


def _reported(
    run: Run,
    new: Run,
    found: Correspondence,
    carried: CarryOver,
    way: Way,
    reason: str,
    split: str,
    *,
    other_data: bool = False,
    progress: bool,
) -> MigrationReport:
    report = MigrationReport(
        way=way,
        reason=reason,
        origin=str(run.path),
        old=_words(carried.before),
        new=_words(carried.after),
        changes=found.counts(),
        fingerprint=carried.fingerprint,
        split=split,
        decision=rule_of(run),
        needs_images=needing_images(found, run.dataset_if_there, new.dataset_if_there),
    )
    if other_data:
        note = "the new labels are of other data, on which `cladewise evaluate` measures the new run"
        return dataclasses.replace(report, split="", decision="", note=note)
    seen = scores_of(run, split, progress=progress)
    again = seen if way == "carried" or isinstance(seen, str) else scores_of(new, split, progress=progress)
    if isinstance(seen, str) or isinstance(again, str):
        note = seen if isinstance(seen, str) else str(again)
        return dataclasses.replace(report, split="", decision="", note=note)
    answers = answers_of(run, seen), answers_of(new, again)
    return dataclasses.replace(report, accuracy=compared(*answers, carried, found))


def _words(taxonomy: Taxonomy) -> str:
    return f"{taxonomy.num_nodes:,} nodes, {taxonomy.num_leaves:,} leaves, {taxonomy.num_levels} levels"


def _write_report(report: MigrationReport, found: Correspondence, new: RunFolder) -> None:
    new.migration.mkdir(exist_ok=True)
    write_matched(found, new.migration / MATCHED)
    write_text(new.migration / TEXT, markdown(report))
    write_migration_report(report, new.migration_report)
