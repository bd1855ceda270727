"""Images fetched from URLs on an allow-list, within limits; redirects off the list are refused."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from cladewise.errors import InputError
from cladewise.serving.refusals import Refused

MOST_REDIRECTS = 3
MOST_URL = 2_000
"""Largest length of a URL."""


def check_prefix(prefix: str) -> str:
    """Check the beginning of the URLs that images may be fetched from, as in ``https://example.org/photos/``.

    Raises:
        InputError: The text has no scheme ``http`` or ``https``, no host, or more than scheme, host, port and path.

    Example:
        >>> check_prefix("https://example.org/photos/")
        'https://example.org/photos/'
    """
    parts = _split(prefix)
    extra = parts is not None and (parts.query or parts.fragment or parts.username is not None)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or extra:
        raise InputError("the beginning of URLs, as in https://example.org/photos/", repr(prefix))
    return prefix


def is_allowed(url: str, prefixes: Sequence[str]) -> bool:
    """Whether a URL is under one of the prefixes: the same scheme, host and port, and a path below its folder.

    Example:
        >>> allowed = ["https://example.org/photos/"]
        >>> is_allowed("https://example.org/photos/1.jpg", allowed), is_allowed("https://example.org.evil/", allowed)
        (True, False)
        >>> is_allowed("https://example.org/photos/../keys", allowed)
        False
    """
    parts = _split(url)
    if parts is None or parts.username is not None or "\\" in url:
        return False
    steps = parts.path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").split("/")
    if ".." in steps or "." in steps:
        return False
    for prefix in prefixes:
        own = urlsplit(prefix)
        same = (parts.scheme, parts.hostname, _port(parts)) == (own.scheme, own.hostname, _port(own))
        folder = own.path if own.path.endswith("/") or not own.path else f"{own.path}/"
        if same and (parts.path.startswith(folder) or parts.path == own.path or not own.path.strip("/")):
            return True
    return False


class Fetcher:
    """Fetches images from an allow-list of URLs.

    Private addresses are refused, so that a listed name that comes to resolve to an address of the server's own network
    is not followed. A prefix whose host is written as an address is allowed as it is, and so is ``localhost``.

    Args:
        prefixes: Beginnings of allowed URLs.
        most: Largest number of bytes of an image.
        seconds: Seconds per image.
    """

    def __init__(self, prefixes: Sequence[str], *, most: int, seconds: float) -> None:
        self._prefixes = tuple(map(check_prefix, prefixes))
        self._most, self._seconds = most, seconds
        self._client: httpx.AsyncClient | None = None

    async def fetch(self, url: str) -> bytes:
        """The bytes at a URL.

        Raises:
            Refused: It is not on the list, leads off it, is too large or too slow, or cannot be fetched.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._fetch(url)
        except TimeoutError:
            raise _failed(url, f"one that takes longer than {self._seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise _failed(url, f"one that cannot be fetched ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _fetch(self, url: str) -> bytes:
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=self._seconds)
        client = self._client
        for _ in range(MOST_REDIRECTS + 1):
            if len(url) > MOST_URL or not is_allowed(url, self._prefixes):
                listed = ", ".join(self._prefixes) or "none; this server fetches no URLs"
                raise Refused(403, f"a URL under an allowed one: {listed}", repr(url[:MOST_URL]), kind="url")
            pinned, host = await self._pinned(url)
            headers = {"accept": "image/*", "accept-encoding": "identity", "host": host}
            names = {"sni_hostname": urlsplit(url).hostname or ""}
            async with client.stream("GET", pinned, headers=headers, extensions=names) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                if response.status_code != 200:
                    raise _failed(url, f"one that is answered {response.status_code}")
                found = bytearray()
                async for chunk in response.aiter_raw():
                    found += chunk
                    if len(found) > self._most:
                        raise Refused(413, f"an image of at most {self._most} bytes", f"more at {url}", kind="bytes")
                return bytes(found)
        raise _failed(url, f"one that redirects more than {MOST_REDIRECTS} times")

    async def _pinned(self, url: str) -> tuple[str, str]:
        """The URL with the address of its host in place of the name, so that it cannot change meanwhile, and the host.

        Raises:
            Refused: The address is private, and the list does not name it.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        found = await asyncio.get_running_loop().getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        named = host == "localhost" or _address(host) is not None
        if not named and any(not address.is_global for address in addresses):
            raise Refused(403, "a URL of a public host", f"{host}, which has a private address", kind="url")
        first = addresses[0]
        port = f":{parts.port}" if parts.port else ""
        at = f"[{first}]{port}" if first.version == 6 else f"{first}{port}"
        return parts._replace(netloc=at).geturl(), parts.netloc


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        return None
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _failed(url: str, got: str) -> Refused:
    return Refused(422, f"an image at {url[:MOST_URL]}", got, kind="url")
