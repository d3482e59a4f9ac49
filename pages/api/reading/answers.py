"""Answers of the endpoints that read: JSON with an ETag, 304 to those who have it, and links to the next page."""

import hashlib
from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, TypeAdapter, ValidationError

from pages.api.errors import PREFIX
from pages.page.public_url import public_url
from services.reading import Page

logger = structlog.get_logger(__name__)

# A cache of the program's own may keep the answer; each use asks whether it is still valid.
CACHING = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def answer_page(request: Request, model: type[BaseModel], page: Page, path: str) -> Response:
    """Answer with a page; rows that the database holds and no model takes are left out, as in the lists."""
    items = [item for record in page.items if (item := _valid(model, record)) is not None]
    headers = {}
    if page.next is not None:
        query = request.query_params.multi_items()
        headers["Link"] = f'<{_url(request, path, query, page.next)}>; rel="next"'
    return _answer(request, {"items": items, "next": page.next}, headers)


def answer_row(request: Request, row: BaseModel) -> Response:
    """Answer with one row."""
    return _answer(request, row, {})


def _answer(request: Request, content: Any, headers: dict[str, str]) -> Response:
    body = _ANY.dump_json(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**CACHING, **headers, "ETag": tag}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(len(body))}, media_type="application/json")
    return Response(body, headers=headers, media_type="application/json")


def _has(condition: str, tag: str) -> bool:
    """Whether a header If-None-Match names a tag (RFC 9110, section 13.1.2)."""
    tags = {each.strip().removeprefix("W/") for each in condition.split(",")}
    return "*" in tags or tag in tags


def _valid(model: type[BaseModel], record: dict[str, Any]) -> BaseModel | None:
    try:
        return model.model_validate(record)
    except ValidationError as error:
        logger.warning("row left out", model=model.__name__, id=str(record.get("id")), cause=error.errors()[0]["type"])
        return None


def _url(request: Request, path: str, query: list[tuple[str, str]], cursor: str) -> str:
    pairs = [pair for pair in query if pair[0] != "cursor"]
    return f"{public_url(request)}{PREFIX}{path}?{urlencode([*pairs, ('cursor', cursor)])}"


_ANY: TypeAdapter[Any] = TypeAdapter(Any)
