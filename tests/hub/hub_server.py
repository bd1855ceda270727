"""A small hub on this machine: the requests that huggingface_hub makes for models, kept in memory.

It has repositories with branches and commits, tokens, Git LFS uploads, and files by name, hash and revision. ``broken``
makes it answer some requests with an error, or with damaged content.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_of_jane"
READ_ONLY = "hf_of_a_reader"
LARGE = (".safetensors", ".png", ".parquet")


@dataclasses.dataclass
class Repository:
    """Commits as files by name, newest last by branch; ``private`` ones need the token."""

    private: bool = False
    branches: dict[str, list[str]] = dataclasses.field(default_factory=lambda: {"main": []})
    commits: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)

    def at(self, revision: str) -> str | None:
        """The commit of a branch or of a hash; None if there is none."""
        if revision in self.branches:
            return self.branches[revision][-1] if self.branches[revision] else None
        return revision if revision in self.commits else None

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        content = "".join(f"{name}{hashlib.sha1(data).hexdigest()}" for name, data in sorted(files.items()))
        number = len(self.commits)
        commit = hashlib.sha1(f"{number}{content}".encode()).hexdigest()
        self.commits[commit] = files
        self.branches[branch].append(commit)
        return commit


class Hub(ThreadingHTTPServer):
    """The server and what is on it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.broken: Callable[[str, str], int] | None = None
        """Status to fail a request with, by its method and path; 0 to answer it."""
        self.damage: Callable[[str, bytes], bytes] = lambda name, content: content
        """Changes the content of a file on its way to the client."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(timeout=10)

    def put(self, repo: str, files: dict[str, bytes]) -> str:
        """Commit files, as if somebody had pushed them."""
        return self.repositories.setdefault(repo, Repository()).commit("main", files)


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    # ------------------------------------------------------------------ answers

    def _json(self, content: Any, status: int = 200, **headers: str) -> None:
        self._send(json.dumps(content).encode(), status, {"Content-Type": "application/json", **headers})

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _fail(self, status: int, code: str = "", message: str = "") -> None:
        headers = {"X-Error-Code": code} if code else {}
        headers |= {"X-Error-Message": message} if message else {}
        self._json({"error": message or code}, status, **headers)

    # ------------------------------------------------------------------ requests

    def _route(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else self._chunks()
        self.server.requests.append((method, path))
        status = self.server.broken(method, path) if self.server.broken else 0
        if status:
            return self._fail(status, message="out of order")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in (TOKEN, READ_ONLY):
            return self._fail(401, message="Invalid credentials in Authorization header")
        for pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and answer.__name__.startswith(f"_{method.lower().replace('head', 'get')}_"):
                return answer(self, *found.groups(), body=body, token=token, query=parse_qs(parts.query))
        return self._fail(404, "RepoNotFound")

    def _chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return b""
        found = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _readable(self, repo: str, token: str) -> Repository | None:
        found = self.server.repositories.get(repo)
        if found is None or (found.private and token != TOKEN):
            self._fail(401 if not token else 404, "RepoNotFound", "Repository not found")
            return None
        return found

    def _may_write(self, token: str) -> bool:
        if token == TOKEN:
            return True
        self._fail(403 if token else 401, message="" if not token else "You have read access only")
        return False

    def _post_create(self, *, body: bytes, token: str, **_: Any) -> None:
        if not self._may_write(token):
            return None
        wanted = json.loads(body)
        name = f"{wanted.get('organization') or 'jane'}/{wanted['name']}"
        if name in self.server.repositories:
            return self._json({"error": "exists", "url": f"{self.server.url}/{name}"}, 409)
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.server.repositories[name] = Repository(private)
        self.server.repositories[name].commit("main", {".gitattributes": b"*.safetensors filter=lfs\n"})
        return self._json({"url": f"{self.server.url}/{name}", "name": name})

    def _post_yaml(self, *, body: bytes, **_: Any) -> None:
        text = json.loads(body)["content"]
        found = [] if text.startswith("---\n") else [{"message": "no metadata"}]
        self._json({"errors": found, "warnings": []})

    def _post_branch(self, repo: str, branch: str, *, token: str, **_: Any) -> None:
        found = self._readable(repo, token)
        if found is None or not self._may_write(token):
            return None
        if branch in found.branches:
            return self._json({"error": "exists"}, 409)
        found.branches[branch] = found.branches["main"][-1:]
        return self._json({})

    def _post_preupload(self, repo: str, revision: str, *, body: bytes, token: str, **_: Any) -> None:
        if self._readable(repo, token) is None or not self._may_write(token):
            return
        files = json.loads(body)["files"]
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in files
        ]
        self._json({"files": modes})

    def _post_batch(self, repo: str, *, body: bytes, token: str, **_: Any) -> None:
        if self._readable(repo, token) is None or not self._may_write(token):
            return
        objects = []
        for wanted in json.loads(body)["objects"]:
            known = wanted["oid"] in self.server.large
            upload = {"upload": {"href": f"{self.server.url}/lfs/{wanted['oid']}"}}
            objects.append({**wanted, **({} if known else {"actions": upload})})
        self._json({"transfer": "basic", "objects": objects}, Content_Type="application/vnd.git-lfs+json")

    def _put_large(self, oid: str, *, body: bytes, **_: Any) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            return self._fail(400, message="another content")
        self.server.large[oid] = body
        return self._send(b"")

    def _post_commit(self, repo: str, branch: str, *, body: bytes, token: str, **_: Any) -> None:
        found = self._readable(repo, token)
        if found is None or not self._may_write(token):
            return None
        now = found.at(branch)
        files = dict(found.commits.get(now or "", {}))
        for line in map(json.loads, body.decode().splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.server.large:
                    return self._fail(400, message="a large file that was not uploaded")
                files[value["path"]] = self.server.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = found.commit(branch, files)
        return self._json(
            {"success": True, "commitOid": commit, "commitUrl": f"{self.server.url}/{repo}/commit/{commit}"}
        )

    def _get_info(self, repo: str, revision: str | None = None, *, token: str, **_: Any) -> None:
        found = self._readable(repo, token)
        if found is None:
            return None
        commit = found.at(revision or "main")
        if commit is None:
            return self._fail(404, "RevisionNotFound")
        siblings = [{"rfilename": name} for name in found.commits[commit]]
        about = {"id": repo, "modelId": repo, "sha": commit, "private": found.private, "siblings": siblings, "tags": []}
        return self._json(about)

    def _get_tree(self, repo: str, revision: str, *, token: str, **_: Any) -> None:
        found = self._readable(repo, token)
        if found is None:
            return None
        commit = found.at(revision)
        if commit is None:
            return self._fail(404, "RevisionNotFound")
        return self._json([_entry(name, content) for name, content in found.commits[commit].items()])

    def _get_file(self, repo: str, revision: str, name: str, *, token: str, **_: Any) -> None:
        found = self._readable(repo, token)
        if found is None:
            return None
        commit = found.at(revision)
        if commit is None:
            return self._fail(404, "RevisionNotFound")
        if name not in found.commits[commit]:
            return self._fail(404, "EntryNotFound")
        content = found.commits[commit][name]
        entry = _entry(name, content)
        tag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if "lfs" in entry:
            headers |= {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content))}
        return self._send(self.server.damage(name, content) if self.command == "GET" else content, 200, headers)


def _entry(name: str, content: bytes) -> dict[str, Any]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": git}
    if name.endswith(LARGE):
        oid = hashlib.sha256(content).hexdigest()
        found["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
    return found


_REPO = r"([^/]+/[^/]+)"
_ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"/api/repos/create", _Handler._post_create),
    (r"/api/validate-yaml", _Handler._post_yaml),
    (rf"/api/models/{_REPO}/branch/(.+)", _Handler._post_branch),
    (rf"/api/models/{_REPO}/preupload/(.+)", _Handler._post_preupload),
    (rf"/{_REPO}\.git/info/lfs/objects/batch", _Handler._post_batch),
    (r"/lfs/([0-9a-f]+)", _Handler._put_large),
    (rf"/api/models/{_REPO}/commit/(.+)", _Handler._post_commit),
    (rf"/api/models/{_REPO}/revision/(.+)", _Handler._get_info),
    (rf"/api/models/{_REPO}/tree/(.+)", _Handler._get_tree),
    (rf"/api/models/{_REPO}", _Handler._get_info),
    (rf"/{_REPO}/resolve/([^/]+)/(.+)", _Handler._get_file),
]
