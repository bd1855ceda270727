#!/usr/bin/env bash
# huggingface_hub: a file with other content than the hub lists is kept under the hash that it does not have.
#
# Expected: a file that is stored in the cache under the SHA-256 of its content is compared with it when it is downloaded.
# Actual: only the size is compared. A file of the right length with other bytes is stored under the hash that the hub
# announced, and every later call returns it without asking again; there is no error and no warning.
# Why it matters: a table of class names with two names of one length in each other's place has the right size, and so has
# a file of weights with a flipped bit; answers then have wrong names. Whoever shares trees and weights has to compare
# hashes, which are there: the name of the cached file is one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet huggingface_hub==2.4.0
cd "$folder"
export HF_HOME="$folder/home" HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub

print("huggingface_hub", huggingface_hub.__version__)
LISTED, SENT = b"id,name\n1,wren\n2,crow\n", b"id,name\n1,crow\n2,wren\n"
HASH, COMMIT = hashlib.sha256(LISTED).hexdigest(), "a" * 40


class Hub(BaseHTTPRequestHandler):
    """One file, as the hub answers for files in LFS: its hash and size in the header."""

    def do_HEAD(self):
        self.send_response(200)
        for name, value in {
            "ETag": f'"{HASH}"',
            "X-Linked-Etag": f'"{HASH}"',
            "X-Linked-Size": str(len(LISTED)),
            "X-Repo-Commit": COMMIT,
            "Content-Length": str(len(SENT)),
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(SENT)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_port}"
path = huggingface_hub.hf_hub_download("jane/birds", "taxonomy.csv", endpoint=endpoint)
kept = Path(path).resolve()
server.shutdown()
print("listed by the hub", HASH[:12])
print("name in the cache", kept.name[:12])
print("hash of the file ", hashlib.sha256(kept.read_bytes()).hexdigest()[:12])
assert kept.name == HASH
assert kept.read_bytes() == SENT != LISTED
again = huggingface_hub.hf_hub_download("jane/birds", "taxonomy.csv", local_files_only=True, revision=COMMIT)
assert Path(again).read_bytes() == SENT
print("the second call returns the same file, without a request")
PYTHON
