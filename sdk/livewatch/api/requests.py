"""Requests of the reading client: query parameters, retries, and pages that are read as they are used."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, urlencode

from livewatch.api.errors import ServerUnreachableError, rejection_of
from livewatch.delivery.client import Client as HttpClient
from livewatch.delivery.client import UnreachableError

ATTEMPTS = 4
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 10.0
PAGE_ITEMS = 200

Value = str | int | bool | date | datetime | Iterable[str] | None
"""A filter's value; of several texts a row has one, and None is no filter."""


class Requests:
    """Sends requests, and again where the server asks for patience. Not thread-safe."""

    def __init__(self, http: HttpClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self.http = http
        self._sleep = sleep

    def get(self, path: str, parameters: Mapping[str, Value] | None = None) -> Any:
        """Return the JSON of an answer.

        Raises:
            RejectedError: The server refused the request.
            ServerUnreachableError: No answer came after several attempts.
        """
        query = urlencode({name: _text(value) for name, value in (parameters or {}).items() if value is not None})
        return self._send("GET", f"{path}?{query}" if query else path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON of an answer to a request that may be sent twice; raises like `get`."""
        return self._send("POST", path, json.dumps(body))

    def _send(self, method: str, target: str, body: str | None = None) -> Any:
        reason = ""
        for attempt in range(1, ATTEMPTS + 1):
            wait = RETRY_SECONDS * 2 ** (attempt - 1)
            try:
                response = self.http.request(method, target, body)
            except UnreachableError as error:
                reason = str(error)
            else:
                if response.status == 200 and isinstance(response.body, dict):
                    return response.body
                if response.status != 429 and response.status < 500:
                    raise rejection_of(self.http.url, response)
                reason = response.error
                wait = response.retry_after or wait
            if attempt < ATTEMPTS:
                self._sleep(min(wait, MAX_RETRY_SECONDS))
        raise ServerUnreachableError(f"{reason.rstrip('.')}. Try again in a moment.")

    def items(self, path: str, parameters: Mapping[str, Value], limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages, at most `limit`; a page is requested once an item of it is."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = PAGE_ITEMS if left is None else min(left, PAGE_ITEMS)
            page = self.get(path, {**parameters, "limit": size, "cursor": cursor})
            items = page.get("items")
            for item in items if isinstance(items, list) else []:
                if not isinstance(item, dict) or left == 0:
                    continue
                yield item
                if left is not None:
                    left -= 1
            following = page.get("next")
            if not isinstance(following, str) or following == cursor:
                return
            cursor = following


def path_of(*parts: str) -> str:
    """Return a path of parts, each of which may have any character."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        # A time without a zone is one of this machine.
        return value.astimezone().isoformat()
    if isinstance(value, str | int | date):
        return str(value)
    return ",".join(map(str, value or ()))
