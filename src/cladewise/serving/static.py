"""The page and its files, served from memory with validators and a strict content policy."""

from __future__ import annotations

import dataclasses
import hashlib
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Content types by suffix. In the system's own table a script may be plain text, which browsers refuse to run."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing is loaded from elsewhere, and no script or style runs that is not a file of the page."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-cache",
}


@dataclasses.dataclass(frozen=True)
class PageFile:
    """A file of the page.

    Args:
        content: Its bytes.
        type: Its content type.
    """

    content: bytes = dataclasses.field(repr=False)
    type: str

    @property
    def tag(self) -> str:
        """Its strong validator."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def response(self, request: Request) -> Response:
        """The file, or that the browser's copy of it is current."""
        headers = HEADERS | {"etag": self.tag}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.type, headers=headers)


def page_files() -> dict[str, PageFile]:
    """All files of the page by name.

    Example:
        >>> page_files()["index.html"].type
        'text/html; charset=utf-8'
    """
    folder = resources.files("cladewise.serving") / "page"
    found = ((file.name, file, TYPES.get(f".{file.name.rpartition('.')[2]}")) for file in folder.iterdir())
    return {name: PageFile(file.read_bytes(), type) for name, file, type in found if type is not None}
