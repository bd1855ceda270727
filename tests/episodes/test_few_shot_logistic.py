"""Logistic regression of many episodes at once, against scikit-learn's one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from cladewise import InputError
from cladewise.episodes import Episode, episode_accuracy, fit_logistic


def a_problem(ways: int, shots: int, dim: int, episodes: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    answers = torch.arange(ways).repeat_interleave(shots)
    centres = torch.randn(episodes, ways, dim, generator=random)
    noise = torch.randn(episodes, ways * shots, dim, generator=random)
    common = 2 * torch.randn(dim, generator=random)  # as features have it that are never negative
    return torch.nn.functional.normalize(centres[:, answers] + noise + common, dim=-1), answers


def theirs(features: torch.Tensor, answers: torch.Tensor, inverse_penalty: float) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LogisticRegression(C=inverse_penalty, max_iter=10_000, tol=1e-9).fit(
            features.double().numpy(), answers.numpy()
        )


@pytest.mark.parametrize(("ways", "shots", "dim"), [(5, 1, 40), (5, 5, 8), (3, 2, 6), (12, 2, 30)])
@pytest.mark.parametrize("inverse_penalty", [0.1, 100.0])
def test_it_is_scikit_learns(ways: int, shots: int, dim: int, inverse_penalty: float) -> None:
    features, answers = a_problem(ways, shots, dim)
    found = fit_logistic(features, answers, ways, inverse_penalty=inverse_penalty)
    assert found.converged
    asked, _ = a_problem(ways, 4, dim, seed=1)
    for episode in range(len(features)):
        expected = theirs(features[episode], answers, inverse_penalty).predict_proba(asked[episode].double().numpy())
        mine = found.scores(asked)[episode].softmax(-1).double().numpy()
        np.testing.assert_allclose(mine, expected, atol=1e-4 * max(1, inverse_penalty / 5))


def test_of_two_classes_half_the_weight() -> None:
    features, answers = a_problem(2, 3, 5)
    found = fit_logistic(features, answers, 2, inverse_penalty=0.5)
    expected = theirs(features[1], answers, 1.0).predict_proba(features[1].double().numpy())
    np.testing.assert_allclose(found.scores(features)[1].softmax(-1).numpy(), expected, atol=1e-4)


@settings(max_examples=25)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(1, 12), st.integers(0, 100))
def test_the_gradient_is_zero_there(ways: int, shots: int, dim: int, seed: int) -> None:
    features, answers = a_problem(ways, shots, dim, seed=seed)
    found = fit_logistic(features.double(), answers, ways, tolerance=1e-9)
    weights, intercepts = found.weights.requires_grad_(), found.intercepts.requires_grad_()
    scores = features.double() @ weights + intercepts[:, None]
    loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), answers.repeat(2), reduction="sum")
    (loss + weights.square().sum() / 2).backward()
    assert weights.grad is not None
    assert intercepts.grad is not None
    assert float(weights.grad.abs().max()) < 1e-6
    assert float(intercepts.grad.abs().max()) < 1e-6


def test_images_that_are_the_same_and_zero_ones() -> None:
    for features in (torch.ones(1, 4, 3), torch.zeros(1, 4, 3)):
        found = fit_logistic(features, torch.tensor([0, 0, 0, 1]), 2)
        probability = found.scores(features).softmax(-1)
        torch.testing.assert_close(probability[0, 0], torch.tensor([0.75, 0.25]), atol=1e-4, rtol=0)


def test_episodes_do_not_see_each_other() -> None:
    features, answers = a_problem(3, 2, 10, episodes=3)
    together, alone = fit_logistic(features, answers, 3), fit_logistic(features[1:2], answers, 3)
    torch.testing.assert_close(together.scores(features)[1], alone.scores(features[1:2])[0], atol=1e-4, rtol=0)


def some_episodes(num_classes: int, each: int, ways: int, count: int) -> list[Episode]:
    random = np.random.default_rng(0)
    found: list[Episode] = []
    for _ in range(count):
        classes = random.choice(num_classes, ways, replace=False)
        images = np.stack([node * each + random.permutation(each) for node in classes])
        answer = np.repeat(np.arange(ways), each - 1)
        found.append(Episode(classes, images[:, :1], images[:, 1:].ravel(), answer))
    return found


@pytest.mark.parametrize("ways", [2, 5, 10])
def test_random_features_give_chance_and_perfect_ones_all(ways: int) -> None:
    episodes = some_episodes(10, 6, ways, 120)
    random = torch.randn(60, 16, generator=torch.Generator().manual_seed(0))
    accuracy = episode_accuracy(random[:, None], random, episodes)
    assert abs(accuracy.mean() - 1 / ways) < 3 * accuracy.std() / len(episodes) ** 0.5 + 0.01
    perfect = torch.eye(10).repeat_interleave(6, 0)
    views = perfect[:, None].repeat(1, 5, 1)
    assert (episode_accuracy(views, perfect, episodes) == 1).all()


def test_episodes_of_different_sizes_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = [*some_episodes(10, 6, 2, 5), *some_episodes(10, 6, 5, 5)]
    short = Episode(episodes[7].classes, episodes[7].support, episodes[7].query[:3], episodes[7].answer[:3])
    episodes[7] = short
    vectors, _ = a_problem(10, 6, 16, episodes=1)
    whole = episode_accuracy(vectors[0][:, None], vectors[0], episodes)
    monkeypatch.setattr("cladewise.episodes.protocol.NUMBERS_AT_ONCE", 1)
    np.testing.assert_array_equal(episode_accuracy(vectors[0][:, None], vectors[0], episodes), whole)
    assert 0 <= whole[7] <= 1
    assert whole[7] * 3 == pytest.approx(round(whole[7] * 3), abs=1e-5)


def test_mistakes() -> None:
    features = torch.zeros(1, 4, 3)
    with pytest.raises(InputError, match=r"Expected answers from 0 to 1, but got \[0, 1, 2, 0\]"):
        fit_logistic(features, torch.tensor([0, 1, 2, 0]), 2)
    with pytest.raises(InputError, match="Expected an inverse penalty C above 0, but got 0"):
        fit_logistic(features, torch.tensor([0, 1, 0, 0]), 2, inverse_penalty=0)
    with pytest.raises(InputError, match=r"features \[episode, image, feature\]"):
        fit_logistic(features, torch.zeros(3, dtype=torch.int64), 2)
