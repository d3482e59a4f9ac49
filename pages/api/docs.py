"""The API's documentation as one page, rendered from its OpenAPI document without external resources."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from pages.api.errors import MEANINGS, PREFIX
from services.entities import MAX_AMOUNT

ABOUT = """Report work over HTTP and people see it live; read what people see. Authenticate each request with a key of
an organisation, `Authorization: Bearer lw_<id>_<secret>`; an admin creates keys under Settings.

A slug names a run within its organisation; the first report of a slug creates the run. A finished run is never
rewritten. Of a run's report the good fields are applied also if others are invalid, which `ignored` then names. A
write with an `Idempotency-Key` is applied once within a day: repeating it returns the first answer and
writes nothing. A failure writes nothing and may be sent again.

A key with the scope `read` reads the rows of its organisation: runs, also those that people made, with their logs,
progress and comments, activities, and the alerts and notifications that programs sent, without their recipients.
Lists come in pages, the latest first. The `next` of a page is the `cursor` of the following one, with the same other
parameters, and the header `Link` has its address. Rows that change between two pages come twice in no list, and those
that do not change are in it. Answers have an `ETag`, and `304` answers an `If-None-Match` with it.

The header `Server-Timing` of a response tells the milliseconds that the request took: `auth` verified the key, `queue`
waited for a transaction, `db` was in PostgreSQL, `total` is all."""


def docs_page(document: Mapping[str, Any], *, address: str) -> str:
    """Render an OpenAPI document as HTML; every value is escaped."""
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
    parts += [f"<tr><td>{status}</td><td>{_prose(text)}</td></tr>" for status, text in MEANINGS.items()]
    parts.append("</table>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Livewatch API</title>'
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
    if "application/json" not in operation.get("requestBody", {}).get("content", {}):
        if "description" in operation:
            yield f"<p>{_prose(operation['description'])}</p>"
        yield from _parameters(operation)
        yield from _fields(operation, schemas)
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


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    """Describe the query parameters of a request."""
    parameters = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    if not parameters:
        return
    yield "<table><tr><th>Parameter</th><th>Type</th><th>Meaning</th></tr>"
    for each in parameters:
        schema = each["schema"].get("items", each["schema"])
        yield (
            f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(_kind(schema, {}))}</td>"
            f"<td>{_prose(each['description'])}</td></tr>"
        )
    yield "</table>"


def _fields(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """Describe the rows that a request reads, once for those that return one: lists have the same."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    schema = _resolved(content.get("schema", {}), schemas)
    if "304" not in operation["responses"] or "properties" not in schema:
        return
    if items := schema["properties"].get("items"):
        names = escape(_names(items["items"], schemas))
        yield f"<p>Answer: <code>items</code>, a list of {names}, and <code>next</code>.</p>"
        return
    yield "<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>"
    for name, field in schema["properties"].items():
        yield (
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(field, schemas))}</td>"
            f"<td>{_prose(field.get('description', ''))}</td></tr>"
        )
    yield "</table>"


def _names(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    return f"{{{', '.join(_resolved(schema, schemas)['properties'])}}}"


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[1]] if reference else schema


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """Describe the type of a field."""
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
    return f"{kind}, {bounds[0]} to {bounds[1]}" if len(bounds) == 2 and bounds[1] < MAX_AMOUNT else kind


def _prose(text: str) -> str:
    """Render a text, with `parts in backquotes` as code."""
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 else escape(part) for index, part in enumerate(text.split("`"))
    )
