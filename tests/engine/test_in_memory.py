"""Heads fitted to features in memory: the steps of a run, with weights."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import lightning
import numpy as np
import pytest
import torch

from cladewise import Taxonomy, methods
from cladewise.engine import Run
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.network import build_network
from cladewise.engine.training.in_memory import fit_features, train_head
from cladewise.errors import InputError
from cladewise.records import TrainingConfig

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e", "f", "g")])


def blobs(count: int, *, dim: int = 6, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Features near a centre for each node but the root."""
    random = np.random.default_rng(seed)
    nodes = random.integers(1, TREE.num_nodes, count)
    centres = random.normal(size=(TREE.num_nodes, dim)) * 3
    return torch.from_numpy(centres[nodes] + random.normal(size=(count, dim))), nodes


@pytest.mark.parametrize("method", ["hxe", "hace", "moco", "euclidean-cones"])
def test_training_has_the_bits_of_a_run(trained: Callable[..., Run], method: str) -> None:
    run = trained(method=method, freeze=True, epochs=4, batch_size=16)
    data, config = run.dataset, run.config
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    made = methods.make(method)
    classifier, backbone = build_network(config, made, data.taxonomy)
    indices = data.indices("train")
    features = cached_features(data, indices, backbone, progress=False)
    rows = features.usable(indices)
    vectors = torch.from_numpy(features.rows(rows))
    assert isinstance(classifier.encoder, FeatureScaling)
    classifier.encoder.fit([vectors])
    train_head(classifier, made, data.taxonomy, vectors, data.nodes[rows], config.training, seed=config.seed)
    expected = run.classifier.state_dict()
    for name, tensor in classifier.state_dict().items():
        assert torch.equal(tensor, expected[name].cpu()), name


def weights_of(classifier: Classifier) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in classifier.parameters()])


@pytest.mark.parametrize("scaling", ["standardise", "l2", "none"])
def test_an_integer_weight_is_a_repetition_and_zero_is_absence(scaling: str) -> None:
    features, nodes = blobs(40)
    weights = np.random.default_rng(1).integers(0, 4, 40)
    settings = TrainingConfig(epochs=20, batch_size=1000)
    method = methods.make("hxe")
    weighted = fit_features(
        method, TREE, features, nodes, settings, weights=torch.from_numpy(weights).double(), scaling=scaling
    )
    rows = np.repeat(np.arange(40), weights)
    repeated = fit_features(method, TREE, features[rows], nodes[rows], settings, scaling=scaling)
    torch.testing.assert_close(weights_of(weighted), weights_of(repeated), rtol=1e-9, atol=1e-12)
    other = fit_features(method, TREE, features, nodes, settings, scaling=scaling)
    assert (weights_of(other) - weights_of(weighted)).abs().max() > 1e-3


def test_weights_count_by_their_ratio() -> None:
    features, nodes = blobs(30)
    weights = torch.rand(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = TrainingConfig(epochs=5, batch_size=8)
    one, ten = (
        fit_features(methods.make("hace"), TREE, features, nodes, settings, weights=weights * k) for k in (1, 10)
    )
    torch.testing.assert_close(weights_of(one), weights_of(ten), rtol=1e-9, atol=1e-12)


def test_a_weighted_scaling_equals_its_slow_twin() -> None:
    features, weights = torch.randn(50, 4, dtype=torch.float64) * 3 + 100, torch.rand(50, dtype=torch.float64)
    features[:, 3] = 5.0
    mean = np.average(features.numpy(), axis=0, weights=weights.numpy())
    variance = np.average((features.numpy() - mean) ** 2, axis=0, weights=weights.numpy())
    for sizes in ([50], [20, 30], [1] * 50):
        scaling = FeatureScaling("standardise", 4).double()
        scaling.fit(features.split(sizes), weights.split(sizes))
        np.testing.assert_allclose(scaling.mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(scaling.scale.numpy()[:3], variance[:3] ** -0.5, rtol=1e-9)
        assert float(scaling.scale[3]) == 0.0


def test_the_generator_of_the_process_is_left_alone_and_threads_do_not_mix() -> None:
    features, nodes = blobs(60)
    settings = TrainingConfig(epochs=3, batch_size=16)

    def fitted(seed: int) -> torch.Tensor:
        return weights_of(fit_features(methods.make("hxe"), TREE, features, nodes, settings, seed=seed))

    torch.manual_seed(5)
    before = torch.get_rng_state()
    alone = [fitted(seed) for seed in range(4)]
    assert torch.equal(torch.get_rng_state(), before)
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(fitted, range(4)))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(alone[0], alone[1])


def test_what_cannot_be_trained_is_refused() -> None:
    features, nodes = blobs(10)
    with pytest.raises(InputError, match="weights that are all 0"):
        fit_features(methods.make("hxe"), TREE, features, nodes, TrainingConfig(), weights=torch.zeros(10))
    with pytest.raises(InputError, match="finite loss"):
        fit_features(methods.make("hxe"), TREE, features * 1e200, nodes, TrainingConfig(lr=1e200), scaling="none")
