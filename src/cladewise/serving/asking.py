"""Parsing of requests into images and options."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, cast

from cladewise.serving.multipart import parts_of
from cladewise.serving.refusals import Refused
from cladewise.serving.settings import Limits

OPTIONS = ("decision", "inference", "allowed", "names", "top", "ladder")
"""Options of a prediction, as query parameters, fields of a form or of JSON."""
IMAGE_FIELDS = ("images", "image", "images[]")
"""Names of a form's fields that are images."""
MOST_TOP = 100
"""Largest number of leaves that are listed per image."""
MOST_ALLOWED = 20_000
"""Largest number of labels that a request may allow."""
MOST_RULE = 2_000
"""Largest length of a rule's text."""
MOST_NAME = 1_000
"""Largest length of an image's name in an answer."""
OTHER_FIELDS = 64
"""Fields of a form besides images, apart from allowed labels."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """The rules of a request; those that it does not name are the run's own."""

    decision: str | None = None
    inference: str | None = None
    allowed: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Shown:
    """The parts of each answer that a request asks for."""

    names: str = ""
    top: int = 5
    ladder: bool = False


@dataclasses.dataclass(frozen=True)
class Given:
    """One image of a request: its bytes, or the URL to fetch them from."""

    name: str
    content: bytes = dataclasses.field(default=b"", repr=False)
    url: str = ""

    @cached_property
    def id(self) -> str:
        """SHA-256 of the bytes, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request: its images, the rules, and the parts of the answer to send."""

    images: tuple[Given, ...]
    rules: Rules
    shown: Shown


def read_request(body: bytes, content_type: str, query: Iterable[tuple[str, str]], limits: Limits) -> Asked:
    """Read the body and the query of a prediction.

    Args:
        body: The whole body: a form, JSON, or the bytes of one image.
        content_type: Its type.
        query: Names and values of the query.
        limits: Limits on requests.

    Raises:
        Refused: The type is not accepted, the body is malformed, an option is unknown or has a wrong value, or there
            are no images or too many.

    Example:
        >>> read_request(b"...", "image/jpeg", [("top", "3")], Limits()).shown
        Shown(names='', top=3, ladder=False)
    """
    kind = content_type.partition(";")[0].strip().lower()
    options: dict[str, Any] = {}
    for name, value in query:
        _add(options, name, value)
    if kind == "multipart/form-data":
        images = _of_form(body, content_type, options, limits)
    elif kind == "application/json":
        images = _of_json(body, options, limits)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        images = [Given("", body)]
    else:
        raise Refused(
            415,
            "a body of type multipart/form-data, application/json or image/*",
            kind or "none",
            kind="type",
        )
    if not images:
        raise Refused(422, "at least one image", "none", advice="Send files as images=.", kind="count")
    if len(images) > limits.images:
        raise Refused(413, f"at most {limits.images} images", f"{len(images)}", kind="count")
    return Asked(tuple(images), _rules(options), _shown(options))


def _of_form(body: bytes, content_type: str, options: dict[str, Any], limits: Limits) -> list[Given]:
    images: list[Given] = []
    for part in parts_of(body, content_type, most=limits.images + OTHER_FIELDS + MOST_ALLOWED):
        if part.name in IMAGE_FIELDS:
            if len(images) == limits.images:
                raise Refused(413, f"at most {limits.images} images", "more", kind="count")
            images.append(Given((part.filename or "")[:MOST_NAME], part.content))
        else:
            _add(options, part.name, text_of(part.content, part.name))
    return images


def _of_json(body: bytes, options: dict[str, Any], limits: Limits) -> list[Given]:
    read = json_object(body)
    listed = read.pop("images", None)
    if not isinstance(listed, list):
        raise Refused(422, 'a list of "images"', "none" if listed is None else type(listed).__name__)
    entries = cast("list[Any]", listed)
    if len(entries) > limits.images:
        raise Refused(413, f"at most {limits.images} images", f"{len(entries)}", kind="count")
    for name, value in read.items():
        if name not in OPTIONS:
            raise _unknown(name)
        if value is not None:
            _set(options, name, value)
    return [_of_entry(entry, place) for place, entry in enumerate(entries)]


def _of_entry(entry: Any, place: int) -> Given:
    at = f"images[{place}]"
    if not isinstance(entry, dict):
        raise Refused(422, f'an object with "bytes" or "url" as {at}', type(entry).__name__)
    fields = cast("dict[str, Any]", entry)
    unknown = next((field for field in fields if field not in ("bytes", "url", "name")), None)
    if unknown is not None:
        raise Refused(422, f"bytes, url or name in {at}", repr(unknown[:MOST_NAME]), kind="option")
    name, content, url = fields.get("name") or "", fields.get("bytes"), fields.get("url")
    if not isinstance(name, str):
        raise Refused(422, f"a text as the name of {at}", type(name).__name__)
    if isinstance(url, str) and content is None:
        return Given((name or url)[:MOST_NAME], url=url)
    if not isinstance(content, str) or url is not None:
        raise Refused(422, f'either "bytes" in base64 or a "url" in {at}', "neither" if url is None else "both")
    try:
        return Given(name[:MOST_NAME], base64.b64decode("".join(content.split()), validate=True))  # lines may be broken
    except (binascii.Error, ValueError) as error:
        got, advice = f"other text ({error})", "Send it without a prefix such as data:image/png;base64,"
        raise Refused(422, f"base64 as the bytes of {at}", got, advice=advice, kind="base64") from error


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Refused: The body is not a JSON object.
    """
    try:
        read = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "a body of JSON", f"one that cannot be parsed ({error})", kind="malformed") from error
    if not isinstance(read, dict):
        raise Refused(422, "a JSON object", type(read).__name__)
    return cast("dict[str, Any]", read)


def text_of(content: bytes, name: str) -> str:
    """A field of a form as text.

    Raises:
        Refused: The field is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Refused(422, f"UTF-8 text as {name}", "other bytes", kind="malformed") from None


def _add(options: dict[str, Any], name: str, value: str) -> None:
    """Add an option that is given as text; ``allowed`` may be repeated."""
    name = name.removesuffix("[]")
    if name not in OPTIONS:
        raise _unknown(name)
    if name == "allowed":
        options.setdefault(name, []).append(value)
    elif value != "":
        _set(options, name, value)


def _set(options: dict[str, Any], name: str, value: Any) -> None:
    """Set an option that may be given once.

    Raises:
        Refused: It has another value already, in the query or in the body.
    """
    if str(options.setdefault(name, value)) != str(value):
        raise Refused(422, f"one value of {name}", f"{options[name]!r} and {value!r}"[:MOST_NAME], kind="option")


def _unknown(name: str) -> Refused:
    return Refused(422, f"images or an option: {', '.join(OPTIONS)}", repr(name[:MOST_NAME]), kind="option")


def _rules(options: Mapping[str, Any]) -> Rules:
    allowed = options.get("allowed")
    if isinstance(allowed, str):
        allowed = [allowed]
    if allowed is not None:
        if not isinstance(allowed, list) or not all(isinstance(label, str) for label in cast("list[Any]", allowed)):
            raise Refused(422, "a list of labels as allowed", repr(allowed)[:MOST_NAME], kind="option")
        if len(cast("list[str]", allowed)) > MOST_ALLOWED:
            raise Refused(413, f"at most {MOST_ALLOWED:,} allowed labels", "more", kind="count")
        allowed = tuple(dict.fromkeys(cast("list[str]", allowed)))
    return Rules(_rule_text(options, "decision"), _rule_text(options, "inference"), allowed)


def _rule_text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MOST_RULE:
        raise Refused(422, f"the name of a rule as {name}", repr(value)[:100], kind="option")
    return value


def _shown(options: Mapping[str, Any]) -> Shown:
    names = options.get("names", "")
    if not isinstance(names, str) or len(names) > 100:
        raise Refused(422, "the code of a language as names", repr(names)[:100], kind="option")
    return Shown(names, _top(options.get("top", 5)), _flag(options.get("ladder", False)))


def _top(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refused(422, f"a whole number from 0 to {MOST_TOP} as top", repr(value)[:100], kind="option")
    if int(text) > MOST_TOP:
        raise Refused(422, f"a top of at most {MOST_TOP}", text, kind="option")
    return int(text)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise Refused(422, "true or false as ladder", repr(value)[:100], kind="option")
