"""Servers that fail as real ones do: slow, with dropped connections, with answers that ask for patience."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class UnsteadyServer:
    """A web server whose paths say how they behave: ``/503-503-ok/a.png`` answers 503 twice, then sends the file.

    Steps are separated by dashes, and the last one is repeated: a status; ``ok``; ``slow``, which sends a byte at a
    time; ``cut``, which closes the connection in the middle of the announced length; ``chunks``, a chunked answer that
    ends too early; ``whole``, which ignores ranges; ``silent``, which closes without an answer; ``login``, which
    asks for a header.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.requests, self.ranges = files, Counter[str](), 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer.answer(self, head=True)

            def do_GET(self) -> None:
                outer.answer(self, head=False)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, *, head: bool) -> None:
        _, steps, name = urlsplit(request.path).path.split("/", 2)
        key = f"{'HEAD' if head else 'GET'} {request.path}"
        done, listed = self.requests[key], steps.split("-")
        self.requests[key] += 1
        step = listed[min(done, len(listed) - 1)]
        request.close_connection = True
        if step == "silent":
            return
        content = self.files.get(name)
        status = int(step) if step.isdecimal() else 200 if content is not None else 404
        if step == "login" and request.headers.get("Authorization") != "Bearer x":
            status = 401
        content = content if content is not None and status == 200 else b"<html>not what you asked for</html>"
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        body = content
        if found and status == 200 and step != "whole":
            self.ranges += 1
            status, body = 206, content[int(found[1]) : int(found[2]) + 1]
        request.send_response(status)
        if status == 206 and found:
            request.send_header("Content-Range", f"bytes {found[1]}-{found[2]}/{len(content)}")
        if step == "chunks" and not head:
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            request.wfile.write(b"%x\r\n%s\r\n" % (len(body) // 2, body[: len(body) // 2]))
            return
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if head:
            return
        if step == "slow":
            for start in range(0, len(body), 16):
                request.wfile.write(body[start : start + 16])
                time.sleep(0.001)
        else:
            request.wfile.write(body[: len(body) // 2] if step == "cut" else body)


class CuttingProxy:
    """Passes connections on to a server and breaks every connection whose number is in ``broken``, after some bytes."""

    def __init__(self, port: int, *, broken: range, after: int) -> None:
        self.connections = self.cut = 0
        self._port, self._broken, self._after = port, broken, after
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                number, self.connections = self.connections, self.connections + 1
                limit = self._after if number in self._broken else None
                threading.Thread(target=self._serve, args=(client, limit), daemon=True).start()

    def _serve(self, client: socket.socket, limit: int | None) -> None:
        server = socket.create_connection(("127.0.0.1", self._port))
        threading.Thread(target=self._copy, args=(client, server, None), daemon=True).start()
        self._copy(server, client, limit)

    def _copy(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if limit is not None and passed + len(data) > limit:
                    self.cut += 1
                    target.sendall(data[: limit - passed])
                    break
                target.sendall(data)
                passed += len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def unsteady(files: dict[str, bytes]) -> Iterator[UnsteadyServer]:
    server = UnsteadyServer(files)
    try:
        yield server
    finally:
        server.close()
