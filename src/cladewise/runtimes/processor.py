"""The processor of this machine, as far as runtimes depend on it."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch

_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16", "avx10_1", "avx10_2"})


@functools.cache
def flags() -> frozenset[str]:
    """Names of the instruction sets of the processor, as Linux or else torch calls them."""
    for line in _cpuinfo():
        key, _, words = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(words.split())
    known = getattr(torch.cpu, "get_capabilities", dict[str, object])()
    return frozenset(name for name, value in known.items() if value is True)


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 numbers itself; where it does not, they are emulated."""
    return not _BF16.isdisjoint(flags())


@functools.cache
def description() -> str:
    """Model and instruction sets: where they differ, so may the last digits of features and the fastest runtime."""
    models = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return " ".join([platform.machine(), *(models[:1] or [platform.processor()]), *sorted(flags())])


@functools.cache
def _cpuinfo() -> tuple[str, ...]:
    try:
        return tuple(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return ()
