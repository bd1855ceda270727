"""A shell for trials in which processes are killed, disks are full and files are damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TRIALS = int(os.environ.get("CLADEWISE_TRIALS", "8"))
"""Trials of each kind; the more, the longer."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    text: str

    def is_one_line(self) -> bool:
        """Whether it ended as a user's mistake does."""
        lines = [line for line in self.text.splitlines() if line.startswith("cladewise: Expected")]
        return self.code == 2 and len(lines) == 1 and "Traceback" not in self.text


class HostileShell:
    """Commands in forks of one process, one at a time.

    Args:
        folder: Where outputs lie.
        environment: Variables of the commands.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.output = folder / "output.txt"
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("hostile_worker.py"))],
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str | Path, kill_after: float | None = None, **trial: Any) -> Ended:
        """Run a command to its end, or kill it after so many seconds."""
        output = trial.setdefault("output", str(self.output))
        child = self.begin(*words, **trial)
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
        code = self.end()
        return Ended(code, Path(trial.get("errors", output)).read_text(encoding="utf-8", errors="replace"))

    def begin(self, *words: str | Path, **trial: Any) -> int:
        """Start a command; the number of its process."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"output": str(self.output), "words": [*map(str, words)], **trial}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Wait for the command that was started; its exit code, or the negative number of the signal."""
        return self._answer()

    def _answer(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the process that commands are forked from."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[bool]:
    """A file system of its own in a folder, if this process may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode == 0
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
