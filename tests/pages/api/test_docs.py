"""The documentation of the ingest API: correct, complete and without external resources."""

from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI

from pages.api.errors import PREFIX
from pages.api.models import Empty
from pages.api.operations import OPERATIONS
from services.entities import GoalStatus
from services.reading import RESOURCES

pytestmark = pytest.mark.integration
SCHEDULE = "/jobs/{kind}/{slug}/schedule"
READING = {
    *(("GET", f"/{name}") for name in RESOURCES),
    *(("GET", f"/{name}/{{slug}}") for name in ("streams", "scans", "agents")),
    *(("GET", f"/{name}/{{id}}") for name in ("alerts", "notifications", "activities")),
    *(
        ("GET", f"/{name}/{{slug}}/{part}")
        for name in ("streams", "scans", "agents")
        for part in ("logs", "comments", "metrics", "points", "artefacts")
    ),
    *(("GET", f"/{name}/{{slug}}/history") for name in ("streams", "scans")),
}
LOOKING = {
    ("GET", "/logs"),
    *(("POST", f"/{name}/{{slug}}/handling") for name in ("streams", "scans", "agents")),
}


async def test_the_openapi_document_is_valid_whole_and_names_every_request(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"{PREFIX}/openapi.json")
    document = answer.json()
    OpenAPI.model_validate(document)
    asked = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert asked == {
        *((each.method, each.path) for each in OPERATIONS),
        ("POST", "/artefacts"),
        ("POST", "/batch"),
        ("GET", "/me"),
        ("GET", "/feed"),
        *((method, SCHEDULE) for method in ("GET", "PUT", "DELETE")),
        *(("POST", f"{SCHEDULE}/{verb}") for verb in ("pause", "resume")),
        ("POST", "/ping/{slug}"),
        ("POST", "/ping/{slug}/{signal}"),
        *READING,
        *LOOKING,
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


async def test_the_document_describes_what_is_read(api: httpx.AsyncClient) -> None:
    document = (await api.get(f"{PREFIX}/openapi.json")).json()
    for _, path in READING:
        operation = document["paths"][path]["get"]
        names = [each["name"] for each in operation["parameters"]]
        assert len(names) == len(set(names))
        assert all(each.get("description") for each in operation["parameters"])
        is_list = path[1:] in RESOURCES or path.count("/") == 3
        assert ("cursor" in names) == is_list
        assert {"304", "401", "403", "404", "422", "429", "503"} <= set(operation["responses"])
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        fields = document["components"]["schemas"][answer]["properties"]
        assert set(fields) == {"items", "next"} if is_list else "id" in fields
    statuses = next(each for each in document["paths"]["/streams"]["get"]["parameters"] if each["name"] == "status")
    assert statuses["schema"]["items"]["enum"] == [*GoalStatus, "stalled", "unreachable", "overdue", "slow"]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for child in value.values() for each in references(child)]
    return [each for child in value for each in references(child)] if isinstance(value, list) else []


async def test_the_documentation_needs_nothing_from_elsewhere(api: httpx.AsyncClient) -> None:
    page = (await api.get(f"{PREFIX}/docs")).text
    for endpoint in OPERATIONS:
        assert f"{endpoint.method} {endpoint.path}" in page
    for method, path in READING:
        assert f"{method} {path}" in page
    assert "Words that the row contains" in page
    assert "http://app.test/api/v1" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "//cdn" not in page
