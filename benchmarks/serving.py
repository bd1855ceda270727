"""Throughput and latency of `cladewise serve`, as ratios to a bare onnxruntime loop on the same photographs.

    python benchmarks/serving.py RUN FOLDER [--clients 1 8 64] [--seconds 6] [--rounds 3] [--threads 2]

The bare loop decodes, transforms and runs the encoder's graph on the same files, read into memory, with the same number
of threads and the same batches; it neither scores nor answers. The load comes from a process of its own over loopback,
on the same processors: sockets that stay open, each of which sends its next request when the last one is answered. The
requests are made beforehand, one photograph each. Loop and server alternate, and ratios are of neighbouring turns, so
that other work on the machine meets both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import selectors
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__)
BARE = "--bare"
LOAD = "--load"


def bare(run_path: str, threads: int, batch: int, seconds: float, files: list[str]) -> None:
    """Images per second of the bare loop, printed."""
    from concurrent.futures import ThreadPoolExecutor

    import torch

    from cladewise import Run, runtimes
    from cladewise.datasets import decode
    from cladewise.runtimes.graph import graph_file, graph_folder

    torch.set_num_threads(threads)
    backbone = Run.open(run_path).backbone
    runtimes.compile(backbone, "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = str(graph_file(graph_folder(backbone, backbone.image_size, None)))
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name, transform = session.get_inputs()[0].name, backbone.transform()
    torch.set_num_threads(1)
    contents = [Path(file).read_bytes() for file in files]

    def decoded(content: bytes) -> torch.Tensor:
        return transform(decode("", size=transform.decode_size, content=content))

    done, begun, spent = 0, time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        while time.perf_counter() - begun < seconds:
            some = [contents[(done + k) % len(contents)] for k in range(batch)]
            session.run(None, {name: torch.stack(list(pool.map(decoded, some))).numpy()})
            done += batch
    took = time.perf_counter() - begun
    print(json.dumps({"throughput": done / took, "processor": (time.process_time() - spent) / done}))


def load(port: int, clients: int, seconds: float, files: list[str]) -> None:
    """Requests per second and their latencies from some clients, printed."""
    requests = [_request(Path(file).read_bytes()) for file in files]
    chosen = selectors.DefaultSelector()
    begun_at: dict[socket.socket, float] = {}
    latencies: list[float] = []
    sent = 0

    def send(client: socket.socket) -> None:
        nonlocal sent
        begun_at[client] = time.perf_counter()
        client.sendall(requests[sent % len(requests)])
        sent += 1

    held: dict[socket.socket, bytes] = {}
    for _ in range(clients):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held[client] = b""
        chosen.register(client, selectors.EVENT_READ)
        send(client)
    begun, bad, spent = time.perf_counter(), 0, time.process_time()
    while (now := time.perf_counter()) - begun < seconds:
        for key, _ in chosen.select(1.0):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            held[client] += client.recv(1 << 16)
            whole = _whole(held[client])
            if whole is not None:
                latencies.append(time.perf_counter() - begun_at[client])
                bad += not held[client].startswith(b"HTTP/1.1 200")
                held[client] = b""
                send(client)
    took = now - begun
    for client in held:
        client.close()
    latencies.sort()
    quantiles = {f"p{q}": latencies[min(len(latencies) - 1, len(latencies) * q // 100)] for q in (50, 99)}
    report = {
        "throughput": len(latencies) / took,
        "bad": bad,
        "processor": (time.process_time() - spent) / len(latencies),
    }
    print(json.dumps({**report, **quantiles}))


def _request(content: bytes) -> bytes:
    head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def _whole(answer: bytes) -> int | None:
    """Length of an answer that has arrived whole; ``None`` if it has not."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = re.search(rb"content-length: (\d+)", answer[:end].lower())
    assert length, answer[:end]
    size = end + 4 + int(length[1])
    return size if len(answer) >= size else None


@contextlib.contextmanager
def serving(run_path: str, threads: int, extra: list[str]) -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its port and its process."""
    words = [sys.executable, "-m", "cladewise", "serve", run_path, "--port", "0", "--threads", str(threads), *extra]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        port = None
        for line in process.stderr:
            if found := re.search(r"listening on http://127.0.0.1:(\d+)", line):
                port = int(found[1])
            if "is loaded" in line:
                break
        assert port is not None, "the server did not start"
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _turn(words: list[str]) -> dict[str, float]:
    found = subprocess.run([sys.executable, str(HERE), *words], check=True, capture_output=True, text=True)
    return json.loads(found.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--extra", default="--runtime onnxruntime", help="Further options of serve, as one word.")
    given = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    every = sorted(map(str, given.folder.rglob("*.jpg")))
    files = every[:: max(1, len(every) // given.images)][: given.images]
    common = [str(given.threads), str(given.batch), str(given.seconds)]
    ratios: dict[int, list[float]] = {clients: [] for clients in given.clients}
    work: dict[int, list[float]] = {clients: [] for clients in given.clients}
    times: dict[int, list[tuple[float, float]]] = {clients: [] for clients in given.clients}
    loops: list[float] = []
    with serving(given.run, given.threads, shlex.split(given.extra)) as (port, pid):
        _turn([LOAD, str(port), "8", "2", *files])  # warm
        for _ in range(given.rounds):
            for clients in given.clients:
                before = _turn([BARE, given.run, *common, *files])
                start = _processor_seconds(pid)
                found = _turn([LOAD, str(port), str(clients), str(given.seconds), *files])
                spent = _processor_seconds(pid) - start
                after = _turn([BARE, given.run, *common, *files])
                assert not found["bad"], found
                loop = (before["throughput"] + after["throughput"]) / 2
                loops += [before["throughput"], after["throughput"]]
                ratios[clients].append(found["throughput"] / loop)
                per_image = spent / (found["throughput"] * given.seconds) + found["processor"]
                work[clients].append(per_image / ((before["processor"] + after["processor"]) / 2))
                times[clients].append((found["p50"], found["p99"]))
    alone = 1 / statistics.median(loops)
    print(f"bare loop: {statistics.median(loops):.1f} images/s, {1000 * alone:.1f} ms per image")
    print("clients  throughput/loop  processor time/loop  p50, p99 in ms  p50, p99 in loop times per image")
    for clients in given.clients:
        p50, p99 = (statistics.median(values) for values in zip(*times[clients], strict=True))
        print(
            f"{clients:7}  {statistics.median(ratios[clients]):15.2f}  {statistics.median(work[clients]):19.2f}  "
            f"{1000 * p50:.1f}, {1000 * p99:.1f}  {p50 / alone:.1f}, {p99 / alone:.1f}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == [BARE]:
        bare(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), sys.argv[6:])
    elif sys.argv[1:2] == [LOAD]:
        load(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
    else:
        main()
