"""The description of the interface in OpenAPI: bodies, options, examples and errors."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import FastAPI

from cladewise.serving.asking import MOST_TOP
from cladewise.serving.schemas import ErrorBody

Responses = dict[int | str, dict[str, Any]]

_REASONS = {
    400: "The body is malformed.",
    401: "The key is missing or wrong.",
    403: "A URL is not on the list of this server.",
    404: "There is no such model, image or address.",
    408: "The body took too long to arrive.",
    409: "The run folder cannot be loaded; the old model stays.",
    413: "The body, an image or their number is too large.",
    415: "The body has a type that is not accepted.",
    422: "An option has a wrong value, or no image can be decoded.",
    503: "The server has too much to do, is loading or stopping; see Retry-After.",
    504: "The request took too long.",
}
_EXAMPLE = {
    "error": {
        "expected": "images that can be decoded",
        "got": "an empty file",
        "advice": "",
        "message": "Expected images that can be decoded, but got an empty file.",
    }
}


def responses(*statuses: int) -> Responses:
    """The errors that a route may answer.

    Example:
        >>> responses(404)[404]["description"]
        'There is no such model, image or address.'
    """
    content = {"application/json": {"example": _EXAMPLE}}
    return {status: {"model": ErrorBody, "description": _REASONS[status], "content": content} for status in statuses}


def _parameter(name: str, description: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, **more}


_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "decision": (
        "Decision, as name or name:key=value,...; the run's own by default.",
        {"type": "string", "examples": ["hedging:guarantee=0.95", "majority", "levels"]},
    ),
    "inference": ("Inference rule, likewise; none for none.", {"type": "string", "examples": ["bottom-up"]}),
    "allowed": (
        "Labels that are possible; all others get probability 0. May be repeated.",
        {"type": "array", "items": {"type": "string"}},
    ),
    "names": ("Language of the names, as in fr.", {"type": "string"}),
    "top": ("Number of most probable leaves to list.", {"type": "integer", "minimum": 0, "maximum": MOST_TOP}),
    "ladder": ("List the answers of hedging by caution.", {"type": "boolean"}),
}


@dataclasses.dataclass(frozen=True)
class _Described:
    """Additions to the description of a route."""

    alone: dict[str, Any]
    model: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])

    @property
    def with_model(self) -> dict[str, Any]:
        """The additions for a route that names a model."""
        return self.alone

    def with_query(self, **queries: str) -> dict[str, Any]:
        """The additions with query parameters."""
        added = [_parameter(name, text, {"type": "string"}) for name, text in queries.items()]
        return {**self.alone, "parameters": [*self.alone.get("parameters", []), *added]}


def _form(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": properties, "required": required}}


_FILE = {"type": "string", "format": "binary"}
_FIELDS = {name: {**schema, "description": text} for name, (text, schema) in _OPTIONS.items()}
_IMAGE = {
    "type": "object",
    "properties": {
        "bytes": {"type": "string", "format": "byte", "description": "The image in base64."},
        "url": {"type": "string", "format": "uri", "description": "Its URL, under one that the server allows."},
        "name": {"type": "string"},
    },
}

MODEL = _Described({})
RELOAD: dict[str, Any] = {}
PREDICTION = _Described(
    {
        "parameters": [_parameter(name, text, schema) for name, (text, schema) in _OPTIONS.items()],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": _form(
                    {"images": {"type": "array", "items": _FILE}, **_FIELDS}, required=["images"]
                ),
                "image/*": {"schema": _FILE},
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"images": {"type": "array", "items": _IMAGE}, **_FIELDS},
                        "required": ["images"],
                    },
                    "example": {"images": [{"url": "https://example.org/photos/1.jpg"}], "top": 3},
                },
            },
        },
    }
)
CORRECTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _form(
                {
                    "image": _FILE,
                    "id": {"type": "string", "description": "Instead of the image: the id of one sent before."},
                    "node": {"type": "integer", "description": "The right node."},
                    "label_path": {"type": "string", "description": "Or its path."},
                    "predicted": {"type": "string", "description": "Node or path that was answered."},
                },
                required=[],
            )
        },
    }
}


def described(app: FastAPI, *, with_keys: bool) -> None:
    """Complete the description of an application.

    Args:
        app: The application.
        with_keys: Whether requests need a key.
    """
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = made()
            _without_other_errors(found)
            if with_keys:
                schemes = found.setdefault("components", {}).setdefault("securitySchemes", {})
                schemes["key"] = {"type": "http", "scheme": "bearer"}
                found["security"] = [{"key": []}]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _without_other_errors(found: dict[str, Any]) -> None:
    """Describe wrong values like all other errors, since the responses have the same form."""
    own = {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}
    for operations in found["paths"].values():
        for operation in operations.values():
            content = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if content.get("schema", own) != own:
                described_as = {"description": _REASONS[422], "content": {"application/json": {"schema": own}}}
                operation["responses"]["422"] = described_as
    for name in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(name, None)
