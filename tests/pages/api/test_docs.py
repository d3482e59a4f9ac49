"""The documentation of the ingest API: correct, complete and without external resources."""

from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI

from pages.api.errors import PREFIX
from pages.api.models import Empty
from pages.api.operations import OPERATIONS

pytestmark = pytest.mark.integration


async def test_the_openapi_document_is_valid_whole_and_names_every_request(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"{PREFIX}/openapi.json")
    document = answer.json()
    OpenAPI.model_validate(document)
    asked = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert asked == {
        *((each.method, each.path) for each in OPERATIONS),
        ("POST", "/batch"),
        ("GET", "/me"),
        ("GET", "/feed"),
    }
    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    for endpoint in OPERATIONS:
        if endpoint.body is Empty:
            assert "requestBody" not in document["paths"][endpoint.path][endpoint.method.lower()]
            continue
        schema = document["components"]["schemas"][endpoint.body.__name__]
        for name, field in schema["properties"].items():
            assert field.get("description") or "$ref" in field or "anyOf" in field, f"{endpoint.path}: {name}"
        for example in schema["examples"]:
            endpoint.body.model_validate(example)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for child in value.values() for each in references(child)]
    return [each for child in value for each in references(child)] if isinstance(value, list) else []


async def test_the_documentation_needs_nothing_from_elsewhere(api: httpx.AsyncClient) -> None:
    page = (await api.get(f"{PREFIX}/docs")).text
    for endpoint in OPERATIONS:
        assert f"{endpoint.method} {endpoint.path}" in page
    assert "http://app.test/api/v1" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "//cdn" not in page
