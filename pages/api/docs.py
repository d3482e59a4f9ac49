"""The ingest API described: its OpenAPI document, and a page that renders it without anything from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pages.api import models
from pages.api.endpoints import ENDPOINTS, PREFIX, STATUSES, model_schemas

ABOUT = """Programs report their work here and people see it live. Each request carries a key of an organisation as
`Authorization: Bearer lw_<id>_<secret>`; an admin makes keys under Settings.

A slug names a run within its organisation; the first report of a slug creates the run. A run that has finished is never
rewritten. A write with an `Idempotency-Key` is done once within a day: the same again gives the first answer and writes
nothing. A failure writes nothing and may be sent again."""
_MEANINGS = {
    400: "`malformed`: the body is not JSON",
    401: "`bad_key`: the key is not known, or was revoked",
    403: "`scope`: the key may not report this",
    404: "`not_found`: there is no such run, or no such request",
    409: "`finished`: a finished run is not rewritten; or `idempotency_conflict`: the same key with another body",
    413: "`too_large`: the body is larger than 1 MiB",
    422: "`invalid`: `field` names what is wrong",
    429: "`rate`: too many requests; `Retry-After` says when",
    503: "`unavailable`: the database does not answer; `Retry-After` says when to try again",
}


def openapi_of(api: FastAPI) -> dict[str, Any]:
    """The document of every request with the schemas of its body, its answers and its failures."""
    document = get_openapi(title=api.title, version=api.version, description=ABOUT, routes=api.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas |= model_schemas()
    failure = models.Failure.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= failure.pop("$defs")
    schemas["Failure"] = failure
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}]
    document["servers"] = [{"url": PREFIX}]
    bodies = {(each.path, each.method.lower()): each.body.__name__ for each in ENDPOINTS}
    bodies["/batch", "post"] = models.Batch.__name__
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(operation, bodies.get((path, method)))
            if (path, method) in bodies and path != "/batch":
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    return document


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 200 characters; the request is done once within a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def _complete(operation: dict[str, Any], body: str | None) -> None:
    responses = operation["responses"]
    for status in sorted(set(STATUSES.values())):
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
        }
    if body is not None:
        schema = {"$ref": f"#/components/schemas/{body}"}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
        if body != models.Batch.__name__:
            responses["201"] = {**responses["200"], "description": "Written, and new."}
            responses["200"]["description"] = "Written."


def docs_page(document: Mapping[str, Any], *, address: str) -> str:
    """The document as a page for people; everything in it is text."""
    schemas = document["components"]["schemas"]
    style = Path(__file__).with_name("docs.css").read_text()
    parts = [
        f"<h1>{escape(document['info']['title'])}</h1>",
        *(f"<p>{_prose(each)}</p>" for each in document["info"]["description"].split("\n\n")),
        f"<p>Base address: <code>{escape(address + PREFIX)}</code>, "
        f'<a href="{escape(PREFIX)}/openapi.json">OpenAPI</a></p>',
        _example(address),
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _request(method, path, operation, schemas)
    parts.append("<h2>Failures</h2><table><tr><th>Status</th><th>Code and meaning</th></tr>")
    parts += [f"<tr><td>{status}</td><td>{_prose(text)}</td></tr>" for status, text in _MEANINGS.items()]
    parts.append("</table>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Livewatch ingest API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


def _example(address: str) -> str:
    lines = (
        f"curl -X PUT {address}{PREFIX}/streams/nightly-import \\\n"
        '  -H "Authorization: Bearer $LIVEWATCH_KEY" -H "Content-Type: application/json" \\\n'
        '  -d \'{"name": "Nightly import", "total": 1200, "advance": 25}\''
    )
    return f"<pre tabindex=0>{escape(lines)}</pre>"


def _request(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{escape(method.upper())} {escape(path)}</code> {escape(operation['summary'])}</h2>"
    if "requestBody" not in operation:
        return
    schema = _resolved(operation["requestBody"]["content"]["application/json"]["schema"], schemas)
    yield f"<p>{_prose(schema['description'])}</p>"
    yield "<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>"
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        mark = " (required)" if name in required else ""
        yield (
            f"<tr><td><code>{escape(name)}</code>{mark}</td><td>{escape(_kind(field, schemas))}</td>"
            f"<td>{_prose(field.get('description', ''))}</td></tr>"
        )
    yield "</table>"


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[1]] if reference else schema


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """The type of a field in words."""
    schema = _resolved(schema, schemas)
    if choices := [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]:
        return " or ".join(_kind(each, schemas) for each in choices)
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), schemas)}"
    if schema.get("type") == "object" and "properties" in schema:
        return f"{{{', '.join(schema['properties'])}}}"
    bounds = [schema[name] for name in ("minimum", "maximum") if name in schema]
    kind = {"integer": "whole number", "number": "number", "string": "text", "object": "object"}.get(
        schema.get("type", ""), "anything"
    )
    return f"{kind}, {bounds[0]} to {bounds[1]}" if len(bounds) == 2 and bounds[1] < models.MOST else kind


def _prose(text: str) -> str:
    """A text whose `parts in backquotes` are code."""
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 else escape(part) for index, part in enumerate(text.split("`"))
    )
