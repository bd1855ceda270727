"""A lock on the run folder, so that only one process trains a run at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager

import filelock

from cladewise.atomic import explaining, write_text
from cladewise.engine.processes import is_first_process
from cladewise.errors import InputError
from cladewise.records import RunFolder


@contextmanager
def training_lock(folder: RunFolder, *, wait: bool = False) -> Generator[None, None, None]:
    """Hold the lock of a run folder for training; the operating system releases it when the process ends, in any way.

    Processes of one distributed training count as one. Evaluation and prediction need no lock.

    Args:
        folder: The run folder.
        wait: Wait for another process that holds the lock, instead of raising an error.

    Raises:
        InputError: Another process holds the lock, or the folder is not writable.
    """
    if not is_first_process():
        yield
        return
    was_there = folder.path.exists()
    with explaining(folder.lock):
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.lock)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except filelock.Timeout:
            raise InputError(
                "a run that no other process is training",
                f"one that process {_holder(folder)} is training",
                at=str(folder.path),
                advice="Wait for it, end it, or choose another folder.",
            ) from None
    try:
        write_text(folder.lock_holder, f"{os.getpid()} on {socket.gethostname()}\n")
        yield
    finally:
        folder.lock_holder.unlink(missing_ok=True)
        if not was_there and [file.name for file in folder.path.iterdir()] == [folder.lock.name]:
            folder.lock.unlink()  # nothing was trained
            folder.path.rmdir()
        lock.release()


def _holder(folder: RunFolder) -> str:
    try:
        return folder.lock_holder.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return "of an unknown number"
