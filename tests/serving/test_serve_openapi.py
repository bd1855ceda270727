"""The description of the interface covers every route, and what is answered has the described form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute

from cladewise.serving import Settings, create_app, schemas

from .conftest import picture

if TYPE_CHECKING:
    import httpx

UNDESCRIBED = {"/", "/page/", "/page/{name}", "/openapi.json"}
"""The page, and the description itself."""


@pytest.fixture
def description(served_run: Path, tmp_path: Path) -> dict[str, Any]:
    return create_app(Settings({"colours": served_run}, keep=tmp_path)).openapi()


def test_every_route_is_described(served_run: Path, tmp_path: Path, description: dict[str, Any]) -> None:
    app = create_app(Settings({"colours": served_run}, keep=tmp_path))
    paths = {getattr(route, "path", "") for route in app.routes}
    assert paths - UNDESCRIBED == set(description["paths"])
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path not in UNDESCRIBED:
            for method in route.methods:
                assert method.lower() in description["paths"][route.path]


def test_every_operation_has_a_summary_a_response_and_its_errors(description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            at = f"{method} {path}"
            assert operation["summary"], at
            assert operation["tags"], at
            responses = operation["responses"]
            assert "200" in responses, at
            if path != "/metrics":
                assert "$ref" in responses["200"]["content"]["application/json"]["schema"], at
            assert "401" in responses, at
            for status in responses.keys() - {"200"}:
                content = responses[status]["content"]["application/json"]
                assert content["schema"]["$ref"].endswith("/ErrorBody"), (at, status)
            if method == "post" and not path.endswith("reload"):
                assert operation["requestBody"]["content"], at
            named = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert set(re.findall(r"{(\w+)}", path)) <= named, at


def test_references_resolve(description: dict[str, Any]) -> None:
    known = description["components"]["schemas"]
    used = set(re.findall(r"#/components/schemas/(\w+)", str(description)))
    assert used
    assert used <= set(known)


def test_answers_have_the_described_form(client: httpx.Client) -> None:
    for decision in ("leaf", "levels", "optimal:metric=hf,answer=set"):
        data = {"decision": decision, "ladder": "1"}
        body = client.post("/v1/predict", files={"images": picture()}, data=data).json()
        read = schemas.Prediction.model_validate(body)
        assert read.model_dump(exclude_unset=True) == body
    for path, form in (
        ("/v1/models", schemas.ModelList),
        ("/v1/models/colours/tree", schemas.Tree),
        ("/v1/models/colours/slider", schemas.SliderPositions),
        ("/readyz", schemas.Health),
    ):
        body = client.get(path).json()
        assert form.model_validate(body).model_dump() == body
    error = client.get("/nowhere").json()
    assert schemas.ErrorBody.model_validate(error).model_dump() == error
