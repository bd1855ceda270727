"""Classes that are not told apart, and classes with two groups of images, by tests with stated effect sizes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

FEWEST = 8
"""Smallest number of images of a class that is compared with another."""
FEWEST_TO_SPLIT = 16
"""Smallest number of images of a class that is examined for two groups."""
INDISTINCT = 0.9
"""Area under the ROC curve up to which two classes count as not told apart; 0.5 is chance, and 0.95 is usual between
siblings on photographs of groceries."""
MOST_RIVALS = 8
"""Nearest siblings, and as many nearest other classes, that each class is compared with."""
NULL_DRAWS = 99
"""Samples of the null distribution per class."""
COMPONENTS = 4
"""Principal components of a class in which two kinds are looked for."""
WHITENED = 128
"""Principal components of all images that are whitened."""
SHRINKAGE = 0.3
"""Weight of the multiple of the identity in the covariance within classes."""


class OneClass(NamedTuple):
    """Two classes that a model cannot tell apart.

    Args:
        first: Node of one class.
        second: Node of the other.
        area: Probability that an image of the first scores higher for it than one of the second.
        upper: Upper confidence bound of the area at 95%, for this pair alone.
        p_value: P-value of the hypothesis that the area is above :data:`INDISTINCT`, corrected for the number of pairs.
        are_siblings: Whether they have one parent.
    """

    first: int
    second: int
    area: float
    upper: float
    p_value: float
    are_siblings: bool


class TwoKinds(NamedTuple):
    """A class with two groups of images in feature space.

    Args:
        node: The class.
        separation: Distance of the groups' means over the median distance of a class's mean to its nearest sibling's.
        explained: Share of the class's variance, in its leading components, that the two groups explain.
        p_value: P-value of the hypothesis that the class is one normal cloud, corrected for the number of classes.
        second: Whether each image, in the order of the class, is in the smaller group.
    """

    node: int
    separation: float
    explained: float
    p_value: float
    second: NDArray[np.bool_]


def rival_classes(nodes: IntArray, vectors: NDArray[np.float32], taxonomy: Taxonomy) -> IntArray:
    """Classes that each class is compared with: its nearest siblings and its nearest other classes, by mean features.

    Args:
        nodes: Label of each image.
        vectors: Unit features ``[image, feature]``.
        taxonomy: The tree.

    Returns:
        ``[node, rival]``; -1 for none. Neither of two classes holds the other.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> rows = np.repeat(np.eye(3, dtype=np.float32), 9, axis=0)
        >>> rival_classes(np.repeat([2, 3, 4], 9), rows, t)[:, :3].tolist()
        [[-1, -1, -1], [-1, -1, -1], [3, 4, -1], [2, 4, -1], [2, 3, -1]]
    """
    found = np.full((taxonomy.num_nodes, 2 * MOST_RIVALS), -1, dtype=np.int64)
    classes, means = _means(nodes, vectors)
    if classes.size < 2:
        return found
    rows = max(1, (1 << 24) // classes.size)
    for start in range(0, classes.size, rows):
        here = classes[start : start + rows]
        near = (means[start : start + rows] @ means.T).astype(np.float64)
        one_path = taxonomy.contains(here[:, None], classes) | taxonomy.contains(classes, here[:, None])
        near[one_path] = -np.inf
        is_sibling = taxonomy.parents[here][:, None] == taxonomy.parents[classes]
        for first, kind in ((0, is_sibling), (MOST_RIVALS, ~is_sibling)):
            score = np.where(kind, near, -np.inf)
            kept = min(MOST_RIVALS, classes.size)
            best = np.argpartition(-score, kept - 1, axis=1)[:, :kept]
            best = np.take_along_axis(best, np.argsort(-np.take_along_axis(score, best, 1), axis=1, kind="stable"), 1)
            is_there = np.isfinite(np.take_along_axis(score, best, 1))
            found[here, first : first + kept] = np.where(is_there, classes[best], -1)
    order = np.argsort(found < 0, axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)


def classes_that_are_one(
    nodes: IntArray,
    own: FloatArray,
    beside: FloatArray,
    rivals: IntArray,
    taxonomy: Taxonomy,
    *,
    level: float = 0.05,
) -> list[OneClass]:
    r"""Pairs of classes that are shown, by a test of equivalence, not to be told apart.

    An image labelled with either of two classes :math:`a, b` scores :math:`\log p_a - \log p_b`, by a network that has
    not seen it. The area under the ROC curve :math:`A` of this score is the probability that an image of :math:`a`
    scores higher than one of :math:`b`. A pair is reported if the hypothesis :math:`A \ge 0.9` is rejected:

    .. math:: z = \frac{0.9 - A}{\operatorname{se}(A)}

    with the standard error of DeLong et al. Failing to show a difference would not be enough. Siblings and other
    pairs are two families, each with half of the level. P-values are corrected by Benjamini and Hochberg, among the
    pairs of siblings that were compared, and among all pairs of the other kind, compared or not, since which are
    compared depends on the images.

    Args:
        nodes: Label of each image.
        own: Log-probability at the label of each image.
        beside: Log-probability at each rival of its label ``[image, rival]``.
        rivals: The rivals of each node ``[node, rival]``; -1 for none.
        taxonomy: The tree.
        level: False discovery rate: the expected share of reported pairs that can be told apart so well.

    References: DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated receiver operating
        characteristic curves, Biometrics 44, 1988.
    """
    classes, count = np.unique(nodes, return_counts=True)
    large = classes[count >= FEWEST]
    pairs = _pairs(rivals, large)
    are_siblings = taxonomy.parents[pairs[0]] == taxonomy.parents[pairs[1]]
    num_siblings = int(are_siblings.sum())
    num_others = max(1, large.size * (large.size - 1) // 2 - num_siblings)
    order = np.argsort(nodes, kind="stable")
    starts = np.searchsorted(nodes[order], np.arange(taxonomy.num_nodes + 1))
    found: list[OneClass] = []
    for a, b, sibling in zip(*pairs.tolist(), are_siblings.tolist(), strict=True):
        rows = [order[starts[v] : starts[v + 1]] for v in (a, b)]
        high = own[rows[0]] - _beside(beside[rows[0]], rivals[a], b)
        low = _beside(beside[rows[1]], rivals[b], a) - own[rows[1]]
        area, error = area_with_error(low, high)
        p_value = float(stats.norm.sf((INDISTINCT - area) / max(error, 1e-9)))
        found.append(OneClass(a, b, area, min(1.0, area + 1.645 * error), p_value, sibling))
    corrected = [
        pair
        for is_sibling, number in ((True, num_siblings), (False, num_others))
        for pair in _corrected([pair for pair in found if pair.are_siblings == is_sibling], number)
    ]
    found = [pair for pair in corrected if pair.p_value < level / 2]
    return sorted(found, key=lambda pair: (pair.upper, pair.first, pair.second))


def area_with_error(low: FloatArray, high: FloatArray) -> tuple[float, float]:
    """Area under the ROC curve, and its standard error by DeLong's method.

    Args:
        low: Scores of the negatives.
        high: Scores of the positives.

    Example:
        >>> area, error = area_with_error(np.arange(10.0), np.arange(10.0) + 2)
        >>> round(area, 2), round(error, 3)
        (0.68, 0.123)
    """
    low, high = (np.nan_to_num(values, nan=0.0, posinf=1e30, neginf=-1e30) for values in (low, high))
    ranks = stats.rankdata(np.concatenate([high, low]))
    of_high = (ranks[: high.size] - stats.rankdata(high)) / low.size
    of_low = 1 - (ranks[high.size :] - stats.rankdata(low)) / high.size
    variance = of_high.var(ddof=1) / high.size + of_low.var(ddof=1) / low.size
    return float(of_high.mean()), float(np.sqrt(variance))


def classes_that_are_two(
    nodes: IntArray, vectors: NDArray[np.float32], taxonomy: Taxonomy, *, level: float = 0.1, seed: int = 0
) -> list[TwoKinds]:
    r"""Classes whose images form two clouds, those with the most evidence first.

    Images of all classes vary in the same ways, by viewpoint and background, more than two similar classes differ.
    Features are therefore whitened by the covariance within classes, in the :data:`WHITENED` leading principal
    components of all images, after which a direction that stands out in a class is particular to it. The images of a
    class, in its :data:`COMPONENTS` leading components, are divided by 2-means, and the share of the variance between
    the groups is compared with that of :data:`NULL_DRAWS` samples of the same size from one normal distribution with
    the same variances (SigClust), by the normal distribution that fits them. P-values are corrected by Benjamini and
    Hochberg. Real classes are not exactly normal, and the two groups may be two settings instead of two kinds: the list
    is one to look at.

    Args:
        nodes: Label of each image.
        vectors: Unit features ``[image, feature]``.
        taxonomy: The tree.
        level: False discovery rate.
        seed: Seed of the samples.

    References: Liu, Hayes, Nobel and Marron, Statistical significance of clustering for high-dimension, low-sample size
        data, JASA 103, 2008, with a null covariance of the sample's leading components.
    """
    vectors = _whitened(nodes, vectors)
    classes, means = _means(nodes, vectors)
    scale = _sibling_distance(classes, means, taxonomy)
    order = np.argsort(nodes, kind="stable")
    starts = np.searchsorted(nodes[order], np.arange(taxonomy.num_nodes + 1))
    random = np.random.default_rng((seed, 2))
    found: list[TwoKinds] = []
    for node in classes.tolist():
        rows = order[starts[node] : starts[node + 1]]
        if rows.size < FEWEST_TO_SPLIT:
            continue
        scores = _leading(vectors[rows].astype(np.float64))
        second, explained = _halves(scores[None])
        if not second.any():
            continue  # all images are the same
        null = random.standard_normal((NULL_DRAWS, *scores.shape)) * scores.std(0)
        by_chance = _halves(null)[1]
        p_value = float(stats.norm.sf((explained[0] - by_chance.mean()) / max(by_chance.std(ddof=1), 1e-9)))
        ends = [vectors[rows[second[0] == side]].mean(0) for side in (False, True)]
        separation = float(np.linalg.norm(ends[0] - ends[1])) / scale
        found.append(TwoKinds(node, separation, float(explained[0]), p_value, second[0]))
    if not found:
        return []
    corrected = stats.false_discovery_control([kind.p_value for kind in found])
    found = [kind._replace(p_value=float(p)) for kind, p in zip(found, corrected, strict=True)]
    return sorted((kind for kind in found if kind.p_value < level), key=lambda kind: (kind.p_value, kind.node))


def _whitened(nodes: IntArray, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features in which the covariance within classes is about the identity."""
    if len(vectors) < 2:
        return vectors
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    width = min(WHITENED, len(vectors) - 1, vectors.shape[1])
    _, directions = linalg.eigh(centred.T @ centred, subset_by_index=[vectors.shape[1] - width, vectors.shape[1] - 1])
    points = centred @ directions
    order = np.argsort(nodes, kind="stable")
    _, start, count = np.unique(nodes[order], return_index=True, return_counts=True)
    means = np.add.reduceat(points[order], start, axis=0) / count[:, None]
    within = points[order] - np.repeat(means, count, axis=0)
    covariance = within.T @ within / len(points)
    size = np.trace(covariance) / width
    covariance = (1 - SHRINKAGE) * covariance + max(SHRINKAGE * size, 1e-12) * np.eye(width)
    factor = linalg.cholesky(covariance, lower=True)
    return linalg.solve_triangular(factor, points.T, lower=True).T.astype(np.float32)


def _corrected(pairs: list[OneClass], number: int) -> list[OneClass]:
    """The pairs with p-values that are corrected for a number of hypotheses, of which the others are not rejected."""
    if not pairs:
        return []
    values = np.concatenate([[pair.p_value for pair in pairs], np.ones(number - len(pairs))])
    corrected = stats.false_discovery_control(values)[: len(pairs)]
    return [pair._replace(p_value=float(p)) for pair, p in zip(pairs, corrected, strict=True)]


def _means(nodes: IntArray, vectors: NDArray[np.float32]) -> tuple[IntArray, NDArray[np.float32]]:
    """Classes with enough images, and the mean of their vectors."""
    order = np.argsort(nodes, kind="stable")
    classes, start, count = np.unique(nodes[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(vectors[order], start, axis=0) if classes.size else vectors[:0]
    large = count >= FEWEST
    return classes[large], (sums[large] / count[large, None]).astype(np.float32)


def _pairs(rivals: IntArray, classes: IntArray) -> IntArray:
    """Each pair of classes once, as ``[2, pair]``, of those that are both each other's rivals."""
    first, place = np.nonzero(rivals >= 0)
    ends = np.stack([first, rivals[first, place]])
    ends = ends[:, np.isin(ends, classes).all(0)]
    both, count = np.unique(np.sort(ends, axis=0), axis=1, return_counts=True)
    return both[:, count == 2]


def _beside(values: FloatArray, rivals: IntArray, node: int) -> FloatArray:
    return values[:, int(np.flatnonzero(rivals == node)[0])]


def _sibling_distance(classes: IntArray, means: NDArray[np.float32], taxonomy: Taxonomy) -> float:
    """Median distance of each class to its nearest sibling; to the nearest class if there are no siblings."""
    parent = taxonomy.parents[classes]
    nearest: list[float] = []
    for group in np.unique(parent).tolist():
        of_group = means[parent == group].astype(np.float64)
        if len(of_group) > 1:
            nearest += _nearest(of_group)
    if not nearest and classes.size > 1:
        nearest = _nearest(means.astype(np.float64))
    return float(np.median(nearest)) if nearest else 1.0


def _nearest(points: FloatArray) -> list[float]:
    square = (points**2).sum(1)
    apart = square[:, None] + square - 2 * points @ points.T
    np.fill_diagonal(apart, np.inf)
    return np.sqrt(np.maximum(apart.min(1), 0)).tolist()


def _leading(vectors: FloatArray) -> FloatArray:
    """Coordinates in the leading principal components."""
    centred = vectors - vectors.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    kept = min(COMPONENTS, len(vectors) // 4)
    return left[:, :kept] * size[:kept]


def _halves(points: FloatArray, steps: int = 12) -> tuple[NDArray[np.bool_], FloatArray]:
    """2-means of many samples at once: membership of the smaller group, and the share of variance between the groups.

    Args:
        points: ``[sample, image, component]``, the first component the widest.
        steps: Steps of Lloyd's algorithm, from the halves of the first component.
    """
    points = points - points.mean(1, keepdims=True)
    total = (points**2).sum((1, 2))
    member = points[:, :, 0] > 0
    for _ in range(steps):
        count = member.sum(1, keepdims=True).clip(1, points.shape[1] - 1)
        one = (points * member[:, :, None]).sum(1)
        centre = one / count
        other = -one / (points.shape[1] - count)
        axis = centre - other
        moved = np.einsum("sic,sc->si", points, axis) > ((centre**2 - other**2).sum(1) / 2)[:, None]
        is_whole = moved.all(1) | ~moved.any(1)
        member = np.where(is_whole[:, None], member, moved)
    count = member.sum(1)
    one = (points * member[:, :, None]).sum(1)
    between = (one**2).sum(1) * (1 / count.clip(1) + 1 / (points.shape[1] - count).clip(1))
    smaller = np.where((2 * count > points.shape[1])[:, None], ~member, member)
    return smaller, np.divide(between, total, out=np.zeros_like(between), where=total > 0)
