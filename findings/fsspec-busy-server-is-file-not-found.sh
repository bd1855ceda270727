#!/usr/bin/env bash
# fsspec 2026.9.0 with aiohttp 3.14.5: a web server that is busy is reported as a file that does not exist.
#
# Expected: while a server answers 503 (or 500, or 429), exists() raises, and info() and open() give an error that says so: the
# file may be there, and asking again later may help.
# Actual: exists() is False, and info() and open() raise FileNotFoundError, as for 404; only the error's cause has the status.
# cat_file() raises the server's error, so the same file is missing or not depending on the call.
# Why it matters: lists of millions of photographs on museums' servers are checked with exists(), and missing ones dropped or
# marked in the data set. A minute of rate limiting then removes files that are there, and a loop that retries all but
# FileNotFoundError never tries them again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 aiohttp==3.14.5
cd "$folder"
venv/bin/python - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import fsspec


class Busy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:4]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("fsspec", fsspec.__version__, "aiohttp", aiohttp.__version__)
files = fsspec.filesystem("http")
found = {}
for status in (404, 429, 500, 503):
    url = f"http://127.0.0.1:{server.server_port}/{status}.jpg"
    for call in (files.exists, files.info, lambda url: files.open(url).read(), files.cat_file):
        try:
            told = str(call(url))
        except Exception as error:
            told = type(error).__name__
        found.setdefault(status, []).append(told)
    print(status, *found[status])
missing = ["False", "FileNotFoundError", "FileNotFoundError"]
assert found[404] == [*missing, "FileNotFoundError"], "the behaviour changed"
assert all(found[status] == [*missing, "ClientResponseError"] for status in (429, 500, 503)), "the behaviour changed"
print("busy and missing are told apart by cat_file alone")
PYTHON
