"""Slow, obvious versions of the losses that compare images, pair by pair."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def relation(groups: Array, i: int, j: int) -> int:
    """The first kind of group that two rows share, or strangers."""
    return next((kind for kind, of in enumerate(groups) if of[i] == of[j]), len(groups))


def cosine_margin(vectors: Array, groups: Array, margins: Array, temperature: float) -> Array:
    """KL of the softmax over margins to the softmax over distances, row by row."""
    u, losses = unit(vectors.astype(np.float64)), np.zeros(len(vectors))
    rows = np.broadcast_to(margins, (len(vectors), len(groups) + 1))
    for i in range(len(vectors)):
        others = [j for j in range(len(vectors)) if j != i]
        if not others:
            continue
        wanted = np.array([-rows[i, relation(groups, i, j)] for j in others]) / temperature
        found = np.array([u[i] @ u[j] - 1 for j in others]) / temperature
        log_p, log_q = (x - np.logaddexp.reduce(x) for x in (wanted, found))
        losses[i] = (np.exp(log_p) * (log_p - log_q)).sum()
    return losses


def queued(query: Array, key: Array, queue: Array, counts: Array, temperature: float) -> Array:
    """Cross-entropy of the own key among those of the queue that count for the image."""
    losses = np.zeros(len(query))
    for i in range(len(query)):
        own = query[i] @ key[i] / temperature
        others = [query[i] @ queue[j] / temperature for j in range(len(queue)) if counts[i, j]]
        losses[i] = np.logaddexp.reduce([own, *others]) - own
    return losses
