from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError
from cladewise.heads import Embedding, part_widths


def features(rows: int, width: int = 5) -> torch.Tensor:
    return 3 * torch.randn(rows, width, generator=torch.Generator().manual_seed(rows)) + 1


def test_it_is_the_layers_that_it_says() -> None:
    embedding = Embedding(5, 7).double()
    x = features(9).double()
    weight = embedding.state_dict()["layers.1.weight"]

    def normalised(values: torch.Tensor) -> torch.Tensor:
        return (values - values.mean(0)) / (values.var(0, correction=0) + 1e-5).sqrt()

    expected = torch.nn.functional.elu(normalised(normalised(x) @ weight.T))
    torch.testing.assert_close(embedding(x), expected)


def test_images_do_not_see_each_other_once_it_is_trained() -> None:
    embedding = Embedding(5, 7)
    for _ in range(3):
        embedding(features(9))
    embedding.eval()
    whole = embedding(features(9))
    torch.testing.assert_close(torch.cat([embedding(features(9)[i : i + 1]) for i in range(9)]), whole)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_batch_of_one_image_is_normalised_as_in_evaluation(rows: int) -> None:
    embedding = Embedding(5, 7)
    embedding(features(9))
    before = {key: value.clone() for key, value in embedding.state_dict().items()}
    trained = embedding.train()(features(rows))
    torch.testing.assert_close(dict(embedding.state_dict()), before)
    torch.testing.assert_close(trained, embedding.eval()(features(rows)))
    trained.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in embedding.parameters())


@settings(max_examples=10)
@given(st.integers(1, 700), st.integers(0, 40))
def test_parts_are_as_equal_as_they_can_be(width: int, num_parts: int) -> None:
    if num_parts > width:
        with pytest.raises(InputError, match=f"at least {num_parts} numbers, 1 a level, but got {width}"):
            part_widths(width, num_parts)
        return
    parts = part_widths(width, num_parts)
    assert len(parts) == num_parts
    assert sum(parts) == (width if num_parts else 0)
    assert parts == sorted(parts, reverse=True)
    assert not parts or parts[0] - parts[-1] <= 1


def test_a_width_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="an embedding of at least 1 number, but got 0"):
        Embedding(5, 0)
