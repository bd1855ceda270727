"""Recall of labels with many, medium and few training images, against a slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.decisions import LabelSets, Nodes
from cladewise.metrics import LabelSums, images_per_label, recall_by_frequency, scalar_metric
from cladewise.statistics import FrequencyBounds
from strategies import taxonomies


def slow(
    answers: list[int], targets: list[int], counts: np.ndarray, t: Taxonomy, low: int, high: int
) -> dict[str, float]:
    """Label by label, image by image."""
    found: dict[str, list[float]] = {}
    for k, name in enumerate(t.level_names, start=1):
        for label in t.level_nodes(k).tolist():
            images = sum(int(counts[v]) for v in range(t.num_nodes) if t.speaks(k)[v] and t.at_level(k)[v] == label)
            group = "many" if images > high else "few" if images < low else "medium"
            mine = [i for i, v in enumerate(targets) if t.speaks(k)[v] and t.at_level(k)[v] == label]
            if not mine:
                continue
            right = [t.speaks(k)[answers[i]] and t.at_level(k)[answers[i]] == label for i in mine]
            for key in (f"{group}_recall", f"{group}_recall/{name}"):
                found.setdefault(key, []).append(float(np.mean(right)))
    return {key: float(np.mean(values)) for key, values in found.items()}


@given(taxonomies(), st.data())
def test_twin(tree: Taxonomy, data: st.DataObject) -> None:
    node = st.integers(0, tree.num_nodes - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), min_size=1, max_size=20))
    counts = np.array(data.draw(st.lists(st.integers(0, 9), min_size=tree.num_nodes, max_size=tree.num_nodes)))
    low, high = sorted(data.draw(st.tuples(st.integers(0, 8), st.integers(0, 30))))
    answers, targets = [a for a, _ in pairs], [b for _, b in pairs]
    sums = LabelSums.of(Nodes(torch.tensor(answers), torch.zeros(len(pairs))), torch.tensor(targets), tree)
    found = recall_by_frequency(sums, counts, tree, FrequencyBounds(low, high))
    wanted = slow(answers, targets, counts, tree, low, high)
    assert {name: group.value for name, group in found.items() if group.num_labels} == pytest.approx(wanted)
    assert all(math.isnan(group.value) for group in found.values() if not group.num_labels)


def test_golden_a_genus_has_many_images_although_its_species_have_few() -> None:
    t = Taxonomy.from_paths([("g", "s1"), ("g", "s2"), ("h",)], level_names=["genus", "species"])
    counts = np.array([0, 80, 15, 10, 50])  # 80 images are labelled with g itself
    assert images_per_label(counts, t).tolist() == [105, 50, 15, 10, 50]
    answer = Nodes(torch.tensor([2, 3, 1, 4]), torch.zeros(4))
    found = recall_by_frequency(LabelSums.of(answer, torch.tensor([2, 2, 3, 4]), t), counts, t)
    values = {name: (group.value, group.num_labels) for name, group in found.items() if group.num_labels}
    assert values == {
        "many_recall": (1.0, 1),
        "medium_recall": (1.0, 2),  # h at both levels
        "few_recall": (0.25, 2),  # s1 is recalled for one image of two; s2 is not answered at its level
        "many_recall/genus": (1.0, 1),
        "medium_recall/genus": (1.0, 1),
        "medium_recall/species": (1.0, 1),
        "few_recall/species": (0.25, 2),
    }


def test_sets_of_labels_are_grouped_too() -> None:
    t = Taxonomy.from_paths([("a",), ("b",)])
    answer = LabelSets(torch.tensor([[False, True, True], [False, True, False]]), torch.zeros(2, 3))
    found = recall_by_frequency(LabelSums.of(answer, torch.tensor([1, 2]), t), np.array([0, 200, 3]), t)
    assert (found["many_recall"].value, found["few_recall"].value) == (1.0, 0.0)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="0 <= few_below <= many_above"):
        FrequencyBounds(10, 5)
    with pytest.raises(InputError, match="0 <= few_below"):
        FrequencyBounds(-1, 5)
    with pytest.raises(InputError, match="each of 3 nodes"):
        images_per_label(np.zeros(2, dtype=np.int64), Taxonomy.from_paths([("a",), ("b",)]))
    with pytest.raises(InputError, match="needs the training images"):
        scalar_metric("few_recall", Taxonomy.from_paths([("a",), ("b",)]))
