"""A few hundred hostile uploads: each is refused with a reason, and the server stays as it is."""

from __future__ import annotations

import importlib.util
import os
import random
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hostile() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hostile_uploads", ROOT / "benchmarks" / "hostile_uploads.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hostile_uploads_are_refused_with_a_reason(client: httpx.Client, hostile: ModuleType) -> None:
    attack = hostile.Attack(client.base_url.port)
    good = hostile.post(hostile.GOOD["JPEG"])
    wanted = attack.exchange(good)
    assert wanted[0] == 200
    rng = random.Random(1)
    kinds = [kind for kind in hostile.KINDS for _ in range(2 if kind == "bombs" else 25)]
    rng.shuffle(kinds)
    for seed, kind in enumerate(kinds[:40]):
        attack.send(kind, seed)
    descriptors = len(os.listdir("/proc/self/fd"))
    for seed, kind in enumerate(kinds[40:], start=40):
        attack.send(kind, seed)
    assert attack.wrong == []
    assert {status for _, status in attack.statuses} >= {400, 403, 404, 413, 422, 431}
    assert attack.exchange(good) == wanted
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 4
