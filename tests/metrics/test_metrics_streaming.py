from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cladewise.decisions import Nodes
from cladewise.metrics import score_answer
from metrics.streaming_worker import NUM_IMAGES, exact_values_over, images, run_over
from reference.small_trees import t9


def test_batches_do_not_matter() -> None:
    whole = run_over(slice(None), NUM_IMAGES).compute()
    for batch in (1, 5, 22):
        torch.testing.assert_close(run_over(slice(None), batch).compute(), whole, rtol=0, atol=0, equal_nan=True)


def test_batches_do_not_change_a_bit_of_what_is_counted() -> None:
    assert exact_values_over(slice(None), 5) == exact_values_over(slice(None), NUM_IMAGES)


def test_equals_the_mean_of_the_columns() -> None:
    predicted, ranking, target = images()
    columns = score_answer(Nodes(predicted, torch.zeros(NUM_IMAGES)), ranking, target, t9())
    values = run_over(slice(None), 6).compute()
    for name, column in columns.items():
        torch.testing.assert_close(values[name], column.double().nanmean(), equal_nan=True)
    levels = [columns[f"level_accuracy/level_{k}"].double().nanmean() for k in (1, 2, 3)]
    torch.testing.assert_close(values["level_accuracy"], torch.stack(levels).mean())
    weighted = sum(n * x for n, x in zip((3, 4, 5), levels, strict=True)) / 12
    torch.testing.assert_close(values["weighted_level_accuracy"], weighted)


def test_reset_forgets_and_no_mistake_has_no_severity() -> None:
    metrics = run_over(slice(None), 6)
    metrics.reset()
    metrics.update(torch.tensor([4]), torch.tensor([4]))
    values = metrics.compute()
    assert values["top1"] == 1
    assert values["severity"].isnan()


@pytest.mark.parametrize("change", [lambda m: m.half(), lambda m: m.to(torch.bfloat16), lambda m: m.to("cpu")])
def test_a_model_in_low_precision_leaves_the_sums_alone(change) -> None:
    model = torch.nn.ModuleList([run_over(slice(None), 6)])
    before = model[0].compute()
    after = change(model)[0]
    assert after.total.dtype == torch.float64
    torch.testing.assert_close(after.compute(), before, equal_nan=True)
    after.reset()
    assert (after.total.dtype, after.count.dtype) == (torch.float64, torch.int64)
    assert not model.state_dict()


def test_moves_with_its_model() -> None:
    moved = torch.nn.ModuleList([run_over(slice(None), 6)]).to("meta")[0]
    assert {moved.total.device.type, moved.count.device.type} == {"meta"}


@pytest.mark.slow
@pytest.mark.parametrize("shards", [[(0, 4), (4, 23)], [(0, 23), (23, 23)]])
def test_two_processes_give_the_value_of_one(tmp_path: Path, shards: list[tuple[int, int]]) -> None:
    command = [sys.executable, "-m", "metrics.streaming_worker", "--folder", tmp_path, "--world-size", "2"]
    workers = [
        subprocess.Popen([*command, "--rank", str(rank), "--shard", *map(str, shard)], cwd=Path(__file__).parents[1])
        for rank, shard in enumerate(shards)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    alone = {name: value.item() for name, value in run_over(slice(None), 4).compute().items()}
    for rank in range(2):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found == pytest.approx(alone, rel=0, abs=0, nan_ok=True)
        exact = json.loads((tmp_path / f"{rank}-exact.json").read_text())
        assert exact == exact_values_over(slice(None), 23)
