#!/usr/bin/env bash
# s3fs 2026.9.0: reading an object whole takes two requests, and asking for a missing one lists the bucket.
#
# Expected: cat_file(), and cat() of a list, send one GET per object, as boto3's get_object does.
# Actual: with the default max_concurrency of 10 a HEAD precedes every GET, to decide whether the object is large enough to be read
# in parts. Where the object is missing, a LIST of the bucket follows the HEAD. With max_concurrency=1 there is one GET, found or
# missing.
# Why it matters: a collection of 40 million images is read one small object at a time. Requests double in number, and so do their
# price and the waiting for the first byte; each missing image costs a LIST, which is priced twelve times a GET and which an
# account that may only read objects is not allowed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check s3fs==2026.9.0 "moto[s3,server]==5.2.5"
cd "$folder"
venv/bin/python - <<'PYTHON'
import contextlib
import logging
import re

import boto3
import s3fs
from moto.server import ThreadedMotoServer

requests = []


class Noted(logging.Handler):
    def emit(self, record):
        method, path = re.search(r"(GET|HEAD|PUT) (\S+)", record.getMessage()).groups()
        requests.append("LIST" if "list-type" in path else method)


log = logging.getLogger("werkzeug")
log.setLevel(logging.INFO)
log.addHandler(Noted())
log.propagate = False
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = "http://{}:{}".format(*server.get_host_and_port())
login = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
client = boto3.client("s3", endpoint_url=endpoint, **login)
client.create_bucket(Bucket="museum")
names = [f"museum/{number}.jpg" for number in range(5)]
for name in names:
    client.put_object(Bucket="museum", Key=name.partition("/")[2], Body=b"x" * 1000)
print("s3fs", s3fs.__version__)
found = {}
for concurrency in (None, 1):
    chosen = {} if concurrency is None else {"max_concurrency": concurrency}
    files = s3fs.S3FileSystem(key="k", secret="s", endpoint_url=endpoint, skip_instance_cache=True, **chosen)
    requests.clear()
    files.cat(names)
    found["found", concurrency] = sorted(requests)
    requests.clear()
    with contextlib.suppress(FileNotFoundError):
        files.cat_file("museum/gone.jpg")
    found["missing", concurrency] = list(requests)
server.stop()
for (case, concurrency), sent in found.items():
    print(f"{case}, max_concurrency={concurrency or 'default'}: {' '.join(sent)}")
assert found == {
    ("found", None): ["GET"] * 5 + ["HEAD"] * 5,
    ("missing", None): ["HEAD", "LIST"],
    ("found", 1): ["GET"] * 5,
    ("missing", 1): ["GET"],
}, "the behaviour changed"
PYTHON
