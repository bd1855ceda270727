"""Rules with parameters learnt from scores: fitted once per run and kept in its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cladewise.atomic import write_bytes
from cladewise.decisions import Decision
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.drift import ScoreWatch, profile_of
from cladewise.engine.answering.feature_scores import LARGEST_KEPT
from cladewise.engine.answering.folding import num_folds, out_of_fold
from cladewise.engine.answering.grouped_scores import grouped
from cladewise.engine.answering.groups import Grouping
from cladewise.engine.answering.scoring import data_digest, known_target, scored, scored_digest
from cladewise.engine.answering.translated import Translated
from cladewise.engine.digests import file_hash
from cladewise.engine.rules import handle_of, spec_of
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.inference.columns import needs_columns
from cladewise.metrics import ScoreProfile
from cladewise.predictions import Fittable
from cladewise.records import NO_SPLIT
from cladewise.records.counts import read_counts
from cladewise.tensor_files import reproducible

Rule = TypeVar("Rule", bound=Inference | Decision | None)

PROFILE = "scores."
"""Start of the names of the counts that describe the scores a rule was fitted on, beside its parameters."""
LARGEST_LISTED = 32
"""Largest number of elements of a learnt tensor that is listed in an evaluation."""


@dataclasses.dataclass(frozen=True)
class Ready(Generic[Rule]):
    """A rule that can be applied, and what an evaluation says about it.

    Args:
        rule: The rule, fitted if it has something to learn; ``None`` for no inference.
        handle: Its name in file names, including the split to fit on if that was chosen.
        spec: Its name with its options.
        split: Split that it was fitted on; empty if it was not fitted.
        values: The parameters that it learnt, unless they are many.
        warnings: Warnings about that split, and from fitting.
        profile: Profile of the scores that it was fitted on; ``None`` if it was not fitted, or by an older version.
    """

    rule: Rule
    handle: str
    spec: str
    split: str = ""
    values: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()
    profile: ScoreProfile | None = None

    def watch(self) -> ScoreWatch:
        """A comparison of further scores with those that the rule was fitted on."""
        return ScoreWatch(self.handle, self.split, self.profile)


def ready(
    run: Run,
    rule: Rule,
    *,
    before: Inference | None = None,
    split: str | None = None,
    tree: AnswerTree | None = None,
    grouping: Grouping | None = None,
    keep: bool = True,
    progress: bool = True,
) -> Ready[Rule]:
    """A rule that can be applied: unchanged if it has nothing to learn, otherwise fitted on the run's scores.

    Learnt parameters are kept in the run folder, together with the hash of the model and everything else they depend
    on, and are read from there the next time. An inference is fitted in the network's own tree, a decision in the tree
    in which the run answers, or answered before it was migrated; both on the labels that the network was trained with.

    Args:
        run: The run whose scores to fit on.
        rule: An inference, a decision, or ``None`` for no inference.
        before: The fitted inference that is applied before a decision.
        split: Split to fit on; the rule's own (``fits_on``) by default; ``5-fold`` for the training images, each
            scored by a network trained without it.
        tree: The tree in which the run answers; the true one by default.
        grouping: Groups of images that a decision answers together, after the inference; it is fitted on groups too.
        keep: Write what is learnt into the run folder.
        progress: Show progress bars.

    Raises:
        InputError: There is no such split, or a rule or the grouping needs a column that its images do not have, as
            no group has those of single images.
    """
    unmoved = run.before_migration
    if isinstance(rule, Inference) or rule is None:
        return _ready(unmoved, rule, before, split, unmoved.answer_tree("own"), None, keep, progress)
    if grouping is not None:
        grouping.check_decision(rule)
    tree = tree or run.answer_tree()
    found = _ready(unmoved, rule, before, split, tree.before, grouping, keep, progress)
    if tree.carried is None:
        return found
    keeps_promise = bool(tree.carried.keeps_content.all())
    translated = Translated(cast("Decision", found.rule), keeps_promise)
    return dataclasses.replace(found, rule=translated, profile=None)  # type: ignore[return-value]


def _ready(
    run: Run,
    rule: Rule,
    before: Inference | None,
    split: str | None,
    tree: AnswerTree,
    grouping: Grouping | None,
    keep: bool,
    progress: bool,
) -> Ready[Rule]:
    """:func:`ready` in the trees that the network was trained with and to answer in, not those of a migration."""
    handle, text = handle_of(rule), spec_of(rule)
    if not isinstance(rule, Fittable) or rule.is_fitted:
        return Ready(rule, handle, text)
    chosen, warning = _fitting_split(run, rule, split)
    unproven = _told_if_unproven(run, rule, before, split, chosen)
    if isinstance(rule, Inference):
        path = run.folder.fitted(chosen, handle)
    else:
        path = run.folder.fitted(chosen, f"{_handle_before(before, grouping)}-{handle}", tree.tree)
    about = {
        "model": run.model_hash,
        "rule": identity(rule),
        "before": identity(before) if grouping is None else f"{identity(before)} {grouping.identity}",
        "data": _data_digest(run, chosen),
    }
    if needs_columns(rule) or needs_columns(before) or (grouping is not None and grouping.needs_columns):
        about["columns"] = _columns_digest(run, chosen)
    kept = _kept(path, about)
    if kept is None:
        folds = num_folds(chosen)
        seen = out_of_fold(run, folds, progress=progress) if folds else scored(run, chosen, progress=progress)
        seen = dataclasses.replace(seen, target=known_target(run, seen))
        if grouping is not None:
            seen, _ = grouped(seen, grouping, run.taxonomy, before)
            before = None  # it was applied to the images
        scores, rows = seen.sample()
        infer = seen.bound(before, rows.numpy())
        prediction = tree.prediction(scores if infer is None else infer(scores))
        target = tree.nodes(seen.target[rows])
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always", UserWarning)
            bound = seen.bound(rule, rows.numpy()).fit(prediction, target)
        tensors = learnt(bound)
        if len(seen.target):
            found = profile_of(bound, prediction)
            tensors |= {f"{PROFILE}{name}": counts for name, counts in found.tensors().items()}
        said = [str(one.message) for one in raised]
        if len(rows) < len(seen.target):
            said.append(_told_of_sample(rule, chosen, len(rows), len(seen.target)))
        if keep:
            about = {**about, "warnings": json.dumps(said)}
            write_bytes(path, reproducible(safetensors.torch.save(tensors, metadata=about)))
    else:
        tensors, said = kept
    counted = _under(PROFILE, tensors)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(PROFILE)}
    profile = ScoreProfile.from_tensors(counted) if counted else None
    few = {name: _listed(tensor) for name, tensor in tensors.items() if tensor.numel() <= LARGEST_LISTED}
    named = f"{handle}@{split}" if split else handle
    told = [*filter(None, (warning, unproven)), *said]
    return Ready(with_learnt(rule, tensors), named, text, chosen, few, tuple(dict.fromkeys(told)), profile)


def _listed(tensor: Tensor) -> Any:
    """The elements as plain numbers; ``None`` for those that are infinite, which JSON does not have."""
    if tensor.ndim:
        return [_listed(row) for row in tensor.unbind()]
    return tensor.item() if math.isfinite(tensor.item()) else None


def _handle_before(before: Inference | None, grouping: Grouping | None) -> str:
    handle = handle_of(before)
    return handle if grouping is None else grouping.handle_after(handle)


def _columns_digest(run: Run, split: str) -> str:
    """Digest of the further columns of the images to fit on, which their own digest does not cover."""
    data = run.dataset_if_there
    if data is None or data.columns is None:
        return ""
    now = run.config.training.train_split if num_folds(split) else split
    return hashlib.sha256(data.columns.of(data.indices(now)).write_csv().encode()).hexdigest()[:32]


def _kept(path: Path, about: dict[str, str]) -> tuple[dict[str, Tensor], list[str]] | None:
    """Parameters and warnings of an earlier fit, if everything it depended on is unchanged."""
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
            found: dict[str, str] = dict(file.metadata() or {})
            said: list[str] = json.loads(found.pop("warnings", "[]"))
            # if nothing is known about the data, it counts as unchanged
            if {**found, "data": found.get("data", "") if about["data"] else ""} != about:
                return None
            return {key: file.get_tensor(key) for key in file.keys()}, said  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):  # a damaged file: the rule is fitted again
        return None


def _data_digest(run: Run, split: str) -> str:
    """Digest of the images and labels to fit on, as they are now or were last scored; empty if nothing is known."""
    now = run.config.training.train_split if num_folds(split) else split
    try:
        digest = data_digest(run, now, run.dataset_if_there)
    except InputError:  # the data has changed, but predictions do not need it
        digest = ""
    return digest or scored_digest(run, split)


def learnt(rule: Any) -> dict[str, Tensor]:
    """Learnt parameters of a rule and its parts: tensors by field, numbers as 0-d tensors."""
    found: dict[str, Tensor] = {}
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if field.metadata.get("fitted"):
            if value is not None:
                kept = value if isinstance(value, Tensor) else torch.tensor(value, dtype=_dtype(value))
                found[field.name] = kept.detach().cpu().contiguous()
        elif isinstance(value, Decision):
            found |= {f"{field.name}.{name}": tensor for name, tensor in learnt(value).items()}
        elif _are_rules(value):
            found |= {f"{field.name}.{k}.{name}": t for k, part in enumerate(value) for name, t in learnt(part).items()}
    return found


def with_learnt(rule: Rule, tensors: dict[str, Tensor]) -> Rule:
    """The rule with the given learnt parameters; the reverse of :func:`learnt`."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(rule):  # type: ignore[arg-type]
        value = getattr(rule, field.name)
        if field.metadata.get("fitted") and field.name in tensors:
            tensor = tensors[field.name]
            changes[field.name] = tensor if tensor.ndim else tensor.item()
        elif isinstance(value, Decision):
            changes[field.name] = with_learnt(value, _under(f"{field.name}.", tensors))
        elif not field.metadata.get("fitted") and _are_rules(value):
            inner = [_under(f"{field.name}.{k}.", tensors) for k in range(len(value))]
            changes[field.name] = type(value)(with_learnt(part, of) for part, of in zip(value, inner, strict=True))
    return dataclasses.replace(rule, **changes)  # type: ignore[type-var]


def _under(start: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part of a rule, without the name of the part."""
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def identity(value: Any) -> str:
    """A text that changes whenever the rule would act differently, including through the files it names."""
    if dataclasses.is_dataclass(value):
        fields = (f"{field.name}={identity(getattr(value, field.name))}" for field in dataclasses.fields(value))
        revision = f" {value.revision}" if isinstance(value, Inference) and value.revision > 1 else ""
        return f"{type(value).__name__}{revision}({', '.join(fields)})"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(identity, value))})"
    if isinstance(value, Tensor):
        content = value.detach().cpu().double().numpy().tobytes()
        return f"{list(value.shape)} {hashlib.sha256(content).hexdigest()}"
    if isinstance(value, str | Path) and Path(value).is_file():
        return f"{value} {file_hash(Path(value))}"
    return repr(value)


def _are_rules(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(item, Inference) for item in value)


def _dtype(value: Any) -> torch.dtype | None:
    return torch.float64 if isinstance(value, float) else None


def _fitting_split(run: Run, rule: Fittable, wanted: str | None) -> tuple[str, str]:
    """The split to fit on, and a warning if it is not the one that the rule prefers."""
    split = wanted or rule.fits_on
    training = run.config.training
    if not run.has_network:
        _check_rows_to_fit_on(run, rule, split)
    untrained = run.has_network and training.train_split == NO_SPLIT
    if num_folds(split):
        if untrained:
            advice = "All its images are unseen: fit on one of its splits, as with fit_split='train'."
            got = "one that was made without training"
            raise InputError("a run that was trained, for cross-validation", got, at=str(run.path), advice=advice)
        return split, ""
    if wanted is None and not _has(run, split):
        watched = training.val_split
        fallback = watched if watched != NO_SPLIT and _has(run, watched) else training.train_split
        if untrained and fallback == NO_SPLIT:
            fallback = "train"
        return fallback, f"{_name(rule)} learns from {split}, which the data has not: it learnt from {fallback}"
    if split != "train" and set(split.split("+")) & set(training.train_split.split("+")):
        return split, f"{_name(rule)} learnt from {split}, which the model was trained on"
    return split, ""


def _check_rows_to_fit_on(run: Run, rule: Fittable, split: str) -> None:
    """Check that scores that another tool made have rows to fit a rule on.

    Raises:
        InputError: They have no such rows, or rows would have to be scored by networks trained without them.
    """
    watched = run.config.training.val_split
    if num_folds(split):
        got = f"{split}, for which networks are trained"
        raise InputError(f"a split of the scores to fit {_name(rule)} on", got, at=str(run.path))
    if watched == NO_SPLIT and not _has(run, split):
        advice = "Give the labels of some rows, and keep a share of them for it (fit_share=0.5), or name fit_split=."
        raise InputError(f"labelled rows that {_name(rule)} can learn from", "none", at=str(run.path), advice=advice)


def _told_if_unproven(run: Run, rule: Fittable, before: Inference | None, split: str | None, chosen: str) -> str:
    """A warning if a rule tested its promise on images that the inference before it learnt from."""
    if not (isinstance(rule, Decision) and rule.is_proven and isinstance(before, Fittable) and learnt(before)):
        return ""
    seen, _ = _fitting_split(run, before, split)
    if not set(seen.split("+")) & set(chosen.split("+")):
        return ""
    return (
        f"the promise of {rule.handle} is not proven, since {handle_of(before)} learnt from the same images of "
        f"{chosen}: the decision {spec_of(before)}+{spec_of(rule)} learns from halves of them"
    )


def _told_of_sample(rule: Any, split: str, chosen: int, among: int) -> str:
    size = f"the scores of all take more than {LARGEST_KEPT / 1e6:,.0f} MB"
    return f"{_name(rule)} learnt from {chosen:,} random ones of the {among:,} images of {split}: {size}"


def _name(rule: Any) -> str:
    return str(getattr(rule, "name", rule.handle))  # a chain of inferences has only a handle


def _has(run: Run, split: str) -> bool:
    if run.folder.scores(split).is_file():
        return True
    if run.has_network and run.dataset_if_there is None:  # what was there when training began
        counted = run.folder.counts
        return counted.is_file() and split in read_counts(counted, run.labelled_taxonomy.num_nodes)
    try:
        return run.dataset.indices(split).size > 0
    except InputError:
        return False
