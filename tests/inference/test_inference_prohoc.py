"""ProHOC against a slow twin, and what the decisions after it minimise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from cladewise import Taxonomy
from cladewise.decisions import Majority
from cladewise.errors import InputError
from cladewise.inference import ProHOC
from cladewise.predictions import LevelSoftmax, level_width
from reference import novelty_twin as twin
from reference.small_trees import ragged_taxonomies


def drawn(taxonomy: Taxonomy, levels: tuple[int, ...]) -> LevelSoftmax:
    size = level_width(taxonomy, levels, tied=False)
    return LevelSoftmax(taxonomy, 2 * torch.randn(3, size, generator=torch.Generator().manual_seed(0)), levels)


def by_level(prediction: LevelSoftmax, image: int) -> dict[int, dict[int, float]]:
    found = {level: prediction.level_log_prob(level) for level in prediction.levels}
    return {
        level: dict(zip(one.nodes.tolist(), one.log_prob[image].double().exp().tolist(), strict=True))
        for level, one in found.items()
    }


@settings(deadline=None, max_examples=60)
@given(ragged_taxonomies())
def test_prohoc_equals_the_twin(taxonomy: Taxonomy) -> None:
    every = tuple(range(1, taxonomy.num_levels + 1))
    for levels in {every, every[::-2][::-1]}:
        prediction = drawn(taxonomy, levels)
        for form in ("complement", "entropy-complement"):
            for root in (0.0, 1.0, 3.0):
                found = ProHOC(form, root)(prediction).own_log_prob.exp().double().numpy()  # type: ignore[arg-type]
                for image in range(3):
                    expected = twin.prohoc(
                        taxonomy, by_level(prediction, image), complement=form == "complement", root=root
                    )
                    np.testing.assert_allclose(found[image], expected / expected.sum(), atol=1e-5)
                    np.testing.assert_allclose(expected.sum(), 1, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(ragged_taxonomies())
def test_majority_has_the_least_expected_number_of_edges(taxonomy: Taxonomy) -> None:
    levels = tuple(range(1, taxonomy.num_levels + 1))
    for form in ("complement", "entropy-complement"):
        after = ProHOC(form, 0.5)(drawn(taxonomy, levels))  # type: ignore[arg-type]
        answers = Majority()(after).node
        for image, answer in enumerate(answers.tolist()):
            lengths = twin.expected_path_lengths(taxonomy, after.own_log_prob[image].double().exp().numpy())
            assert lengths[answer] <= lengths.min() + 1e-5


def test_mistakes_are_one_line() -> None:
    with pytest.raises(InputError, match="entropy-complement"):
        ProHOC("entropy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 0"):
        ProHOC(root=-1.0)
