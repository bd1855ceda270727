"""The few-shot protocol: accuracy on fine classes that training had no labels for, from a few images each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.datasets import Dataset
from cladewise.datasets.relabelling import coarser_nodes
from cladewise.engine import Run
from cladewise.engine.answering.representing import Space, represent
from cladewise.engine.digests import images_digest
from cladewise.episodes.episode import ALL, INTRA, Episode, Pool, by_shape, check_ways, draw_episode, make_pool
from cladewise.episodes.logistic import fit_logistic
from cladewise.errors import InputError
from cladewise.progress import bar
from cladewise.records.few_shot import SUPPORT_VIEWS, FewShot, read_few_shot, write_few_shot

EPISODES, EPISODES_OF_ALL = 1000, 100
"""Default number of episodes: with a few classes, and with all, which take longer and vary less."""

NUMBERS_AT_ONCE = 1 << 24
"""Number of values that episodes computed together may have, 64 MB in single precision."""


def few_shot_all(
    run: Run | str | Path,
    *,
    ways: Sequence[int | str] = (5, ALL, INTRA),
    shots: int = 1,
    episodes: int | None = None,
    queries: int = 15,
    split: str = "test",
    support_views: int = SUPPORT_VIEWS,
    space: Space = "own",
    apart: bool = False,
    coarse_level: str | None = None,
    inverse_penalty: float = 1.0,
    data: Dataset | None = None,
    seed: int = 0,
    reuse: bool = False,
    progress: bool = True,
) -> list[FewShot]:
    r"""Evaluate the image vectors of a run by several kinds of few-shot episodes, and keep the results in its folder.

    An episode consists of fine classes (leaves of the true tree, whatever labels the run was trained on), a few support
    images of each to learn from, and query images to classify. A logistic regression on normalised vectors is fitted to
    the support. The result is the mean accuracy over the episodes, with
    :math:`1.96\,\mathrm{sd}/\sqrt{\text{episodes}}`. Each image is encoded only once, for all kinds of episodes.

    Args:
        run: A run, or its folder.
        ways: Kinds of episodes, by their classes: a number; ``"all"`` of them; or ``"intra"``: up to five of one coarse
            class.
        shots: Support images per class.
        episodes: Number of episodes; by default 1,000, or 100 with all classes.
        queries: Largest number of queries per class; a class with fewer images gives ``available - shots``.
        split: Split of the data; several are joined with ``+``.
        support_views: Augmented copies that replace each support image; 0: the image itself, which needs no new
            features if those of a frozen encoder are cached.
        space: ``"own"``: the vectors that the head computes scores from; ``"encoder"``: the encoder's features.
        apart: Take support and queries of a class from different top folders (other vendors, other shops).
        coarse_level: Level, by name or number, of the coarse classes of intra-class episodes; by default that of the
            labels that the run was trained on (``[ablation] coarse_level``), otherwise the parents.
        inverse_penalty: C of the logistic regression.
        data: Other data than the run's, with the same taxonomy.
        seed: Seed of the episodes and of the copies.
        reuse: Return results in the folder that have the same settings, weights and data.
        progress: Show progress bars.

    Raises:
        InputError: An option is out of its range, or the split has too few classes or images.

    References: Bukchin et al., Fine-grained angular contrastive learning with coarse labels, CVPR 2021,
        arXiv:2012.03515, and its released evaluation: 1 shot, 15 queries, the support image five times through the
        training augmentation, scikit-learn's logistic regression with C = 1 on normalised features.
    """
    opened = (run if isinstance(run, Run) else Run.open(run)).reopened()
    dataset = data if data is not None else opened.dataset
    if dataset.taxonomy != opened.taxonomy:
        raise InputError("data with the run's taxonomy", f"{dataset.taxonomy}", at=dataset.name)
    level = opened.config.ablation.coarse_level if coarse_level is None else coarse_level
    shared: dict[str, Any] = {
        "split": split,
        "shots": shots,
        "queries": queries,
        "seed": seed,
        "support_views": support_views,
        "space": space,
        "apart": apart,
        "coarse_level": level,
        "model": opened.model_hash,
        "fingerprint": opened.taxonomy.fingerprint,
        "data": images_digest(dataset, dataset.indices(split)),
    }
    kinds: list[dict[str, Any]] = [
        {**shared, "ways": each, "episodes": _usual_number(each) if episodes is None else episodes}
        for each in map(str, ways)
    ]
    _check(kinds)
    results = [_kept(opened, kind) if reuse else None for kind in kinds]
    if None not in results:
        return [result for result in results if result is not None]
    plain = represent(opened, dataset, dataset.indices(split), space=space, progress=progress)
    pool = make_pool(
        opened.taxonomy,
        dataset.nodes[plain.index],
        coarse=coarser_nodes(opened.taxonomy, level),
        shots=shots,
        places=_top_folders([str(dataset.paths[i]) for i in plain.index.tolist()]) if apart else None,
    )
    drawn = [
        [
            draw_episode(pool, kind["ways"], shots=shots, queries=queries, seed=seed, number=k)
            for k in range(kind["episodes"])
        ]
        for kind in kinds
    ]
    support = plain.vectors
    if support_views:
        used = np.unique(np.concatenate([episode.support.ravel() for of_kind in drawn for episode in of_kind]))
        copies = represent(
            opened, dataset, plain.index[used], space=space, views=support_views, seed=seed, progress=progress
        )
        support = copies.vectors.new_zeros(len(plain.index), *copies.vectors.shape[1:])
        support[torch.from_numpy(used)] = copies.vectors
    found: list[FewShot] = []
    for kind, of_kind, kept in zip(kinds, drawn, results, strict=True):
        if kept is None:
            accuracy = episode_accuracy(
                support, plain.vectors[:, 0], of_kind, inverse_penalty=inverse_penalty, progress=progress
            )
            kept = _result(kind, pool, of_kind, accuracy)
            write_few_shot(opened.folder.few_shot, kept)
        found.append(kept)
    return found


class Options(TypedDict, total=False):
    """Options that :func:`few_shot` and :func:`few_shot_all` share."""

    shots: int
    episodes: int | None
    queries: int
    split: str
    support_views: int
    space: Space
    apart: bool
    coarse_level: str | None
    inverse_penalty: float
    data: Dataset | None
    seed: int
    reuse: bool
    progress: bool


def few_shot(run: Run | str | Path, *, ways: int | str = 5, **options: Unpack[Options]) -> FewShot:
    """Evaluate the image vectors of a run by few-shot episodes of one kind, and keep the result in its folder.

    Args:
        run: A run, or its folder.
        ways: Classes of an episode: a number; ``"all"`` of them; or ``"intra"``: up to five of one coarse class.
        **options: See :func:`few_shot_all`.

    Raises:
        InputError: An option is out of its range, or the split has too few classes or images.
    """
    return few_shot_all(run, ways=[ways], **options)[0]


def _usual_number(ways: str) -> int:
    return EPISODES_OF_ALL if ways == ALL else EPISODES


def _check(kinds: Sequence[Mapping[str, Any]]) -> None:
    for kind in kinds:
        check_ways(kind["ways"])
        for name, least in (("shots", 1), ("episodes", 2), ("queries", 1), ("support_views", 0)):
            if kind[name] < least:
                raise InputError(f"{name} of at least {least}", kind[name])
        if kind["space"] not in ("own", "encoder"):
            raise InputError("a space: own or encoder", repr(kind["space"]))


def _result(kind: Mapping[str, Any], pool: Pool, episodes: Sequence[Episode], accuracy: NDArray[np.float64]) -> FewShot:
    fewest = min(int(np.bincount(episode.answer, minlength=episode.classes.size).min()) for episode in episodes)
    return FewShot(
        **kind,
        accuracy=float(accuracy.mean()),
        half_width=float(1.96 * accuracy.std(ddof=1) / len(episodes) ** 0.5),
        num_classes=pool.classes.size,
        num_families=len(pool.families),
        left_out=pool.left_out.size,
        fewest_queries=fewest,
        mean_ways=float(np.mean([episode.classes.size for episode in episodes])),
    )


def _kept(run: Run, settings: Mapping[str, Any]) -> FewShot | None:
    """The result in the run folder with these settings, if there is one."""
    found = read_few_shot(run.folder.few_shot, settings["split"]).values()
    return next((one for one in found if settings.items() <= dataclasses.asdict(one).items()), None)


def episode_accuracy(
    support: Float[Tensor, "image view dim"],
    query: Float[Tensor, "image dim"],
    episodes: Sequence[Episode],
    *,
    inverse_penalty: float = 1.0,
    progress: bool = False,
) -> NDArray[np.float64]:
    """Accuracy of each episode, by logistic regression on normalised vectors.

    Args:
        support: Vectors of the images as support, one or several views each.
        query: Vectors of the images as queries.
        episodes: The episodes.
        inverse_penalty: C of the regression.
        progress: Show a progress bar.

    Example:
        >>> perfect = torch.eye(4).repeat_interleave(2, 0)
        >>> kinds = np.arange(4)
        >>> episode = Episode(kinds, 2 * kinds[:, None], 2 * kinds + 1, kinds)
        >>> episode_accuracy(perfect[:, None], perfect, [episode])
        array([1.])
    """
    learnt, asked = (torch.nn.functional.normalize(vectors, dim=-1) for vectors in (support, query))
    accuracy = np.zeros(len(episodes))
    views, dim = support.shape[1:]
    with bar(shown=progress) as shown, torch.inference_mode():
        task = shown.add_task("episodes", total=len(episodes))
        for ways, positions in by_shape(episodes).items():
            shots = episodes[positions[0]].support.shape[1]
            most = max(episodes[i].query.size for i in positions)
            at_once = max(1, NUMBERS_AT_ONCE // ((ways * shots * views + most) * (dim + ways)))
            answers = torch.arange(ways).repeat_interleave(shots * views)
            for start in range(0, len(positions), at_once):
                part = positions[start : start + at_once]
                rows = torch.from_numpy(np.stack([episodes[i].support for i in part])).flatten(1)
                fitted = fit_logistic(
                    learnt[rows].flatten(1, 2), answers.to(learnt.device), ways, inverse_penalty=inverse_penalty
                )
                asks, right, counts = _padded([episodes[i] for i in part])
                found = fitted.scores(asked[asks]).argmax(-1).cpu()
                accuracy[part] = ((found == right).sum(1).double() / counts).numpy()
                shown.advance(task, len(part))
    return accuracy


def _padded(episodes: Sequence[Episode]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of episodes padded to one length, the right answers (-1 for padding), and the number of queries."""
    counts = [episode.query.size for episode in episodes]
    asks = torch.zeros(len(episodes), max(counts), dtype=torch.int64)
    right = torch.full_like(asks, -1)
    for row, (episode, count) in enumerate(zip(episodes, counts, strict=True)):
        asks[row, :count] = torch.from_numpy(episode.query)
        right[row, :count] = torch.from_numpy(episode.answer)
    return asks, right, torch.tensor(counts)


def _top_folders(paths: Sequence[str]) -> NDArray[np.int64]:
    """Index of the top folder of each path.

    Raises:
        InputError: All images are in one folder.
    """
    names, numbers = np.unique([path.split("/")[0] for path in paths], return_inverse=True)
    if names.size < 2:
        raise InputError(
            "images in several top folders, to keep support and queries apart",
            f"all in {names[0]!r}" if names.size else "no image",
            advice="Leave out apart=True.",
        )
    return numbers.reshape(-1).astype(np.int64)
