"""Mistakes in names, found before torch is imported: run folders that are not there, unknown rules and methods."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cladewise.catalogue import check_name, names_in_source, split_chain
from cladewise.records import RunFolder, local_run_folder

NO_INFERENCE = "none"


def check_runs(runs: Iterable[Path], *, network: bool = True) -> None:
    """Check that every folder holds a finished run; runs on the hub are fetched.

    Args:
        runs: The folders, or addresses such as ``hf://user/name``.
        network: Whether a network is needed, and not only scores.

    Raises:
        InputError: One does not.
    """
    for run in runs:
        folder = RunFolder(local_run_folder(run))
        folder.check_network() if network else folder.check_trained()


def check_rules(*, decisions: Iterable[str] = (), inferences: Iterable[str] = ()) -> None:
    """Check the rule names that specs begin with; plug-ins are checked where the rules are made.

    Raises:
        InputError: There is no such rule.
    """
    before = [spec for chain in inferences if chain != NO_INFERENCE for spec in split_chain(chain)]
    for chain in decisions:
        *own, last = split_chain(chain)
        _check("cladewise.decisions", "decision", last)
        before += own
    for spec in before:
        _check("cladewise.inference", "inference", spec)


def check_method(name: str) -> None:
    """Check that there is a method with this name.

    Raises:
        InputError: There is none.
    """
    _check("cladewise.methods", "method", name)


def check_runtime(name: str | None) -> None:
    """Check that there is a runtime with this name; ``None`` and ``auto`` leave the choice open.

    Raises:
        InputError: There is none.
    """
    names = names_in_source("cladewise.runtimes")
    if name is not None and names is not None:
        check_name(["auto", "torch", *names], "runtime", name)


def _check(package: str, what: str, spec: str) -> None:
    names = names_in_source(package)
    if names is not None:
        check_name(names, what, spec.partition(":")[0])
