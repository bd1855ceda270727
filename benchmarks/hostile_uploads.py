"""Ten thousand hostile uploads to `cladewise serve`: what each is answered, and whether the server stays as it is.

    python benchmarks/hostile_uploads.py RUN [--requests 10000] [--threads 8] [--seed 0]

Truncated, corrupted and wrong files, decompression bombs, huge and malformed headers, request smuggling, malformed
forms and JSON, tricks with paths, wrong options, clients that hang up and clients that are slow. Every request must be
answered with a status of 4xx and an error in JSON that says why; corrupted bytes may happen to be an image. Good images
in between must be answered as before. Memory and open descriptors of the server are read from /proc after the first
tenth and at the end. The server runs in a process of its own on loopback and is stopped at the end.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

Made = tuple[bytes, bool]
"""The bytes to send, and whether the answer may also be 200."""
HANGS_UP = b""
"""Sent by a client that closes the connection without waiting."""


def pictures() -> dict[str, bytes]:
    """A photograph-like image in several formats."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8))
    image = coarse.resize((320, 240), Image.Resampling.BICUBIC)
    found: dict[str, bytes] = {}
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        buffer = io.BytesIO()
        image.save(buffer, kind)
        found[kind] = buffer.getvalue()
    return found


GOOD = pictures()


def post(body: bytes, kind: str = "image/jpeg", path: str = "/v1/predict", more: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode("utf-8", "surrogateescape") + body


def form(content: bytes, filename: str = "a.jpg", **fields: str) -> bytes:
    parts = [f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    image = f'--b\r\ncontent-disposition: form-data; name="images"; filename="{filename}"\r\n\r\n'
    return "".join(parts).encode() + image.encode("utf-8", "surrogateescape") + content + b"\r\n--b--\r\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def truncated(rng: random.Random) -> Made:
    content = GOOD[rng.choice(["JPEG", "PNG", "WEBP", "TIFF", "BMP"])]
    return post(content[: rng.randint(1, len(content) * 3 // 4)]), False


def corrupted(rng: random.Random) -> Made:
    content = bytearray(GOOD[rng.choice(sorted(GOOD))])
    for _ in range(rng.choice([1, 10, 100, 1000])):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return post(bytes(content)), True


def wrong_type(rng: random.Random) -> Made:
    heads = [
        b"%PDF-1.7\n", b"PK\x03\x04", b"\x7fELF", b"<!DOCTYPE html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\x00\x00\x00\x18ftypmp42", b"8BPS\x00\x01", b"GIF89a",
        b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"II*\x00\x08\x00\x00\x00", b"BM",
        b"\x00\x00\x01\x00", b"",
        b"\x00\x00\x00\x20ftypavif", b"qoif", b"\x0a\x05\x01\x08", b"P6\n9 9\n255\n", b"#!/bin/sh",
    ]  # fmt: skip
    return post(rng.choice(heads) + rng.randbytes(rng.choice([0, 1, 40, 3000]))), False


def bomb(rng: random.Random) -> Made:
    side = rng.choice([9_000, 20_000, 60_000])
    kind = rng.choice(["png", "text", "jpeg", "gif", "tiff", "bmp", "wide"])
    if kind == "png":
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        return post(
            b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
        ), False
    if kind == "text":
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0))
        packed = zlib.compress(b"A" * (PngImagePlugin.MAX_TEXT_CHUNK * 40), 9)
        return post(b"\x89PNG\r\n\x1a\n" + head + chunk(b"zTXt", b"k\0\0" + packed) + chunk(b"IDAT", b"x")), False
    if kind == "jpeg":
        content, place = bytearray(GOOD["JPEG"]), GOOD["JPEG"].index(b"\xff\xc0")
        content[place + 5 : place + 9] = struct.pack(">HH", side, side)
        return post(bytes(content)), False
    if kind == "gif":
        content = bytearray(GOOD["GIF"])
        content[6:10] = struct.pack("<HH", side, side)
        return post(bytes(content)), True  # its frame may be smaller
    if kind == "tiff":
        entries = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
        body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return post(b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)), False
    if kind == "bmp":
        content = bytearray(GOOD["BMP"])
        content[18:26] = struct.pack("<ii", side, side)
        return post(bytes(content)), False
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", (1 << 31) - 1, 1, 8, 2, 0, 0, 0))
    return post(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 99))), False


def headers(rng: random.Random) -> Made:
    body = GOOD["JPEG"]
    return rng.choice(
        [
            post(body, more="x: " + "y" * 40_000 + "\r\n"),
            post(body, more="x: y\r\n" * 8_000),
            post(body, path="/" + "a" * 40_000),
            post(body, more="no colon\r\n"),
            post(body, more="x: a\x00b\r\n"),
            post(body, more=f"content-length: {len(body) + 1}\r\n"),
            post(body, more="transfer-encoding: chunked\r\n"),
            b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n",
            b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n",
            b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 1e3\r\n\r\n",
            b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
            b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            b"POST /v1/predict HTTP/7.3\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200),
            b"\r\n\r\n\r\nGARBAGE\r\n\r\n",
            b"GET \xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
            b"BREW /v1/predict HTTP/1.1\r\nhost: a\r\n\r\n",
        ]
    ), False


def paths(rng: random.Random) -> Made:
    body = GOOD["JPEG"]
    trick = rng.choice(
        ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "....//....//", "/etc/shadow", "C:\\a", "%c0%af"]
    )
    if rng.random() < 0.4:
        name = rng.choice([trick, "a\u202egpj.exe", "x" * 5_000, "\udcff\udcfe.jpg", "con", "a;b|c$(id)", "../" * 500])
        return post(form(body, name.replace("\r", "")), "multipart/form-data; boundary=b"), True
    if rng.random() < 0.5:
        return post(body, path=f"/v1/models/{trick.replace(' ', '')}/predict"), False
    return f"GET /page/{trick} HTTP/1.1\r\nhost: a\r\n\r\n".encode(), False


def forms(rng: random.Random) -> Made:
    good = form(GOOD["JPEG"])
    kind = "multipart/form-data; boundary=b"
    return rng.choice(
        [
            post(good[: rng.randint(1, len(good) - 9)], kind),
            post(good, "multipart/form-data"),
            post(good, "multipart/form-data; boundary="),
            post(good, "multipart/form-data; boundary=" + "b" * 5_000),
            post(good, "multipart/form-data; boundary=other"),
            post(b"--b\r\ncontent-disposition: attachment\r\n\r\nx\r\n--b--\r\n", kind),
            post(b"--b\r\nx\r\n\r\nx\r\n--b--\r\n", kind),
            post(b"--b\r\n" + b"x: y\r\n" * 5_000 + b"\r\nx\r\n--b--\r\n", kind),
            post(b'--b\r\ncontent-disposition: form-data; name="top"\r\n\r\n1\r\n' * 30_000 + b"--b--\r\n", kind),
            post(good.replace(b'name="images"', b'name="images' + b"x" * 3_000 + b'"'), kind),
            post(b"--b\r\n" * 3_000, kind),
            post(good.replace(b"--b--", b"--c--"), kind),
            post(b"".join([good[: -len(b"--b--\r\n")]] * 40) + b"--b--\r\n", kind),
            post(rng.randbytes(5_000), kind),
            post(good, "text/plain"),
            post(good, "application/json"),
        ]
    ), False


def written(rng: random.Random) -> Made:
    image = base64.b64encode(GOOD["JPEG"]).decode()
    text = rng.choice(
        [
            "{", "[]", "null", "1e999", '"' + "a" * 5_000, "[" * 100_000, '{"images":' * 20_000, '{"images": {}}',
            '{"images": []}', '{"images": [null]}', '{"images": [{"bytes": 1}]}', '{"images": [{"bytes": "%%%"}]}',
            '{"images": [{"bytes": "' + image[:-3] + '"}]}', '{"images": [{"url": "file:///etc/passwd"}]}',
            '{"images": [{"url": "http://169.254.169.254/"}]}', '{"images": [{"url": "gopher://[::1]:99999/"}]}',
            '{"images": [' + ",".join(['{"bytes": ""}'] * 1_000) + "]}", '{"images": [{"bytes": "", "url": ""}]}',
            '{"images": [{"bytes": "' + image + '"}], "top": 99999999999999999999}',
            '{"images": [{"bytes": "' + image + '"}], "top": NaN}', '{"images": [{"bytes": "' + image + '"}], "x": 1}',
            '{"images": [{"bytes": "' + image + '"}], "names": "\\ud800"}',
            '{"images": [{"bytes": "' + image + '"}], "allowed": ["no such label"]}',
        ]
    )  # fmt: skip
    return post(text.encode("utf-8", "surrogatepass"), "application/json"), False


def options(rng: random.Random) -> Made:
    wrong = rng.choice(
        [
            {"decision": "no-such-rule"}, {"decision": "threshold:threshold=nan"}, {"decision": "a" * 9_000},
            {"decision": "threshold:threshold=" + "9" * 1_000}, {"decision": "hedging:guarantee=2"},
            {"decision": "hedging:caution=inf"}, {"decision": "+".join(["bottom-up"] * 150)}, {"decision": ":::"},
            {"inference": "subset:allowed=/etc/passwd"}, {"inference": "prior:table=/dev/zero"}, {"top": "-1"},
            {"inference": "diffusion:weights=/dev/random"}, {"decision": "crm:cost=/etc/passwd"}, {"top": "1e9"},
            {"names": "../../x"}, {"names": "tlh"}, {"ladder": "maybe"}, {"allowed": "\x00"}, {"unknown": "x"},
            {"decision": "conformal:per=nonsense"}, {"decision": "levels:levels=1,2"},
        ]
    )  # fmt: skip
    return post(form(GOOD["JPEG"], **wrong), "multipart/form-data; boundary=b"), False


def hangs_up(rng: random.Random) -> Made:
    whole = post(GOOD["PNG"])
    return HANGS_UP + whole[: rng.randint(0, len(whole) - 1)], False


KINDS: dict[str, tuple[Callable[[random.Random], Made], int]] = {
    "truncated files": (truncated, 18),
    "corrupted files": (corrupted, 18),
    "wrong types": (wrong_type, 14),
    "bombs": (bomb, 10),
    "headers": (headers, 8),
    "paths": (paths, 8),
    "forms": (forms, 8),
    "JSON": (written, 8),
    "options": (options, 5),
    "hanging up": (hangs_up, 3),
}


class Attack:
    """Sends hostile requests and notes what was wrong with the answers."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def send(self, kind: str, seed: int) -> None:
        """Send one request of a kind and check its answer."""
        sent, may_be_good = KINDS[kind][0](random.Random(seed))
        if kind == "hanging up":
            with socket.create_connection(self.address, timeout=60) as connection:
                connection.sendall(sent)
            return
        try:
            status, body = self.exchange(sent)
        except (OSError, ValueError, IndexError) as error:
            self.note(kind, 0, f"{kind} {seed}: no answer ({type(error).__name__}: {error})")
            return
        problem = ""
        if not (400 <= status < 500 or (may_be_good and status == 200)):
            problem = f"{kind} {seed}: {status} {body[:200]!r} to {sent[:200]!r}"
        elif status != 200:
            try:
                message = json.loads(body)["error"]["message"]
                problem = "" if message.startswith("Expected ") else f"{kind} {seed}: says {message!r}"
            except (ValueError, KeyError, TypeError):
                problem = f"{kind} {seed}: an error without a reason: {body[:200]!r}"
        self.note(kind, status, problem)

    def exchange(self, sent: bytes) -> tuple[int, bytes]:
        """Send a request; the status and the body of the first answer."""
        with socket.create_connection(self.address, timeout=90) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(sent)  # refused before all was sent, where it fails; the answer may still be there
            answer = b""
            while True:
                head, separator, body = answer.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head.lower())
                if separator and length and len(body) >= int(length[1]):
                    return int(head.split()[1]), body
                got = connection.recv(1 << 16)
                if not got:
                    return int(head.split()[1]), body
                answer += got

    def note(self, kind: str, status: int, problem: str) -> None:
        """Note an answer."""
        with self._lock:
            self.statuses[kind, status] += 1
            if problem:
                self.wrong.append(problem)

    def slow(self, seed: int) -> None:
        """A client that sends a byte per second."""
        rng = random.Random(seed)
        sent = post(GOOD["JPEG"])
        start = rng.choice([1, 20, sent.index(b"\r\n\r\n") + 4 + 10])
        with socket.create_connection(self.address, timeout=90) as connection:
            connection.sendall(sent[:start])
            answer = b""
            connection.settimeout(1.0)
            for byte in sent[start:]:
                try:
                    connection.sendall(bytes([byte]))
                    answer = connection.recv(1 << 16)
                    break
                except TimeoutError:
                    continue
                except OSError:
                    break
            status = int(answer.split()[1]) if answer else 0
            self.note("slow clients", status, "" if status == 408 else f"slow client: {answer[:100]!r}")


def state(pid: int) -> tuple[float, int, int]:
    """Resident memory in MB, open descriptors and threads of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    memory, threads = (int(re.search(rf"{name}:\s+(\d+)", text)[1]) for name in ("VmRSS", "Threads"))  # type: ignore[index]
    return memory / 1024, len(os.listdir(f"/proc/{pid}/fd")), threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--slow", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    words = [sys.executable, "-m", "cladewise", "serve", given.run, "--port", "0", "--runtime", "torch"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if "is loaded" in line:
            break
    threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True).start()
    found = re.search(r"listening on http://127.0.0.1:(\d+)", "".join(lines))
    assert found, lines
    attack = Attack(int(found[1]))
    rng = random.Random(given.seed)
    kinds = rng.choices(list(KINDS), [weight for _, weight in KINDS.values()], k=given.requests)
    try:
        wanted = attack.exchange(post(GOOD["JPEG"]))
        assert wanted[0] == 200, wanted
        begun, states = time.perf_counter(), [state(process.pid)]
        slow = [threading.Thread(target=attack.slow, args=(seed,)) for seed in range(given.slow)]
        with ThreadPoolExecutor(given.threads) as pool:
            for thread in slow:
                thread.start()
            tenth = max(1, given.requests // 10)
            for start in range(0, given.requests, tenth):
                some = range(start, min(start + tenth, given.requests))
                list(pool.map(attack.send, [kinds[k] for k in some], some))
                assert attack.exchange(post(GOOD["JPEG"])) == wanted, "a good image is answered otherwise"
                states.append(state(process.pid))
            for thread in slow:
                thread.join()
        took = time.perf_counter() - begun
        time.sleep(1.0)
        states.append(state(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    print(f"{given.requests} requests in {took:.0f} s; exit code {code}")
    for kind in [*KINDS, "slow clients"]:
        counted = sorted((status, number) for (name, status), number in attack.statuses.items() if name == kind)
        print(f"  {kind}: " + ", ".join(f"{number} x {status}" for status, number in counted))
    print("  memory in MB, descriptors, threads: " + "; ".join(f"{m:.0f}, {d}, {t}" for m, d, t in states))
    faults = [line for line in lines if "Traceback" in line or "could not" in line or "failed" in line]
    print(f"  faults in the log: {len(faults)}; wrong answers: {len(attack.wrong)}")
    for text in (*attack.wrong[:20], *faults[:5]):
        print("   ", text.rstrip())
    sys.exit(bool(attack.wrong or faults or code))


if __name__ == "__main__":
    main()
