"""Runs the command line in forks of one process that has imported everything: a trial costs what it computes.

Reads one JSON object per line: ``words`` (the arguments of the command), ``output`` (a file for both streams, or a
device), and what befalls the child: ``kill_at`` (it kills itself at that of its renames and flushes), ``most_bytes``
(of a file that it may write) and ``at_most`` (``"kill"``, or ``"fail"``: what happens beyond). Answers with the number
of the child's process, and when it has ended with how.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from typing import Any


def kill_at(number: int) -> None:
    """Kill this process before or after one of the calls that make a file durable or give it its name."""
    calls = 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            for after in (False, True):
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                if not after:
                    result = function(*arguments, **options)
            return result

        return call

    os.replace, os.fsync = counted(os.replace), counted(os.fsync)


def main() -> None:
    import lightning
    import polars
    import timm

    import cladewise.cli
    import cladewise.cli.app
    import cladewise.discovery
    import cladewise.engine
    import cladewise.report

    assert lightning
    assert polars
    assert timm
    for line in sys.stdin:
        trial = json.loads(line)
        child = os.fork()
        if child == 0:
            output = os.open(trial["output"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            errors = os.open(trial.get("errors", trial["output"]), os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY)
            os.dup2(output, 1)
            os.dup2(errors, 2)
            if "kill_at" in trial:
                kill_at(trial["kill_at"])
            if "most_bytes" in trial:
                resource.setrlimit(resource.RLIMIT_FSIZE, (trial["most_bytes"],) * 2)
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL if trial["at_most"] == "kill" else signal.SIG_IGN)
            sys.argv = ["cladewise", *trial["words"]]
            code = 1
            try:
                cladewise.cli.main()
            except SystemExit as error:
                code = int(error.code or 0)
            except BaseException:
                traceback.print_exc()
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            os._exit(code)  # libraries wait at their exit for threads that no fork has
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
