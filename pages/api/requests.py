"""API requests: authentication before the body is read, and a size-limited, strictly parsed body."""

import base64
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel
from pydantic_core import from_json
from starlette.types import Receive, Scope

from pages.api import fields
from pages.api.operations import OPERATIONS, ApiOperation, accepted_body, answer_of, operation_of
from pages.page.bodies import read_at_most
from pages.page.browser import client_address
from services.errors import IngestRefused
from services.infra.rate_limiter import checked_address
from services.ingest import Code, Ingest, IngestKey, Timing

MAX_BODY_BYTES = 2**20
MAX_IDEMPOTENCY_KEY_CHARACTERS = 200
JSON_TYPE = (b"content-type", b"application/json")


class ApiRequest(Request):
    """A request whose body was already read and parsed."""

    def __init__(self, scope: Scope, receive: Receive, raw: bytes, parsed: Any) -> None:
        # The body is JSON regardless of its content type: `curl -d` sends a form's content type.
        headers = [*(pair for pair in scope["headers"] if pair[0] != b"content-type"), JSON_TYPE]
        super().__init__({**scope, "headers": headers}, receive)
        self._raw = raw
        self._parsed = parsed

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._parsed


class ApiRoute(APIRoute):
    """Route that authenticates a request before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        operation = next(
            (each for each in OPERATIONS if each.path == self.path and each.method in (self.methods or ())), None
        )

        async def authenticated(request: Request) -> Response:
            ingest: Ingest = request.app.state.ingest
            timing = Timing()
            address = checked_address(client_address(request)) or ""
            request.state.key = await ingest.authenticate(bearer_token(request), timing, address=address)
            # Only a key's own programs learn it.
            request.state.timing = timing
            response = await answered(request)
            response.headers["Server-Timing"] = timing.as_header()
            return response

        async def answered(request: Request) -> Response:
            request.state.ignored = []
            if self.body_field is None:
                return await handle(request)
            raw = await read_at_most(MAX_BODY_BYTES, request, _too_large)
            raw = decoded(raw, request.headers.get("content-encoding", ""))
            parsed = parse_json(raw)
            if parsed is None:
                raw, parsed = b"{}", {}
            if operation is not None:
                parsed, request.state.ignored = accepted_body(operation, parsed)
            return await handle(ApiRequest(request.scope, request.receive, raw, parsed))

        return authenticated


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_IDEMPOTENCY_KEY_CHARACTERS,
        description="1 to 200 characters; the request is applied once within a day.",
    ),
]
Slug = Annotated[
    str,
    Path(
        pattern=fields.SLUG,
        max_length=fields.MAX_SLUG_CHARACTERS,
        description="Slug of a job, for its current run, or `job@key` for the run that `key` names: a key of the "
        "program's own, or the run's number or id.",
        examples=["nightly-import", "nightly-import@2026-11-26"],
    ),
    AfterValidator(fields.check_job_slug),
]
_scheme = HTTPBearer(auto_error=False, scheme_name="key", description="A key of an organisation: `lw_<id>_<secret>`")
Documented = Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
"""Declares the security scheme in OpenAPI; `ApiRoute` has already authenticated the request."""


class ApiCall:
    """One authenticated request, with its key."""

    def __init__(self, request: Request, idempotency_key: str | None) -> None:
        self.ingest: Ingest = request.app.state.ingest
        self.key: IngestKey = request.state.key
        self.idempotency_key = idempotency_key
        self._ignored: list[IngestRefused] = request.state.ignored
        self._timing: Timing = request.state.timing

    async def write(self, operation: ApiOperation, body: BaseModel, slug: str | None = None) -> Response:
        """Apply one operation and return the response; raises IngestRefused if it was rejected."""
        asked = replace(operation_of(operation, slug, body, self.idempotency_key), ignored=tuple(self._ignored))
        (outcome,) = await self.ingest.apply(self.key, [asked], self._timing)
        if isinstance(outcome, IngestRefused):
            raise outcome
        status, answer = answer_of(operation, asked, outcome)
        return JSONResponse(answer, status)


# Coroutines: FastAPI runs every other dependency in a thread.
async def api_call(request: Request, _credentials: Documented, idempotency_key: IdempotencyKey = None) -> ApiCall:
    """Return the call of a request that `ApiRoute` authenticated."""
    return ApiCall(request, idempotency_key)


async def authenticated_key(request: Request, _credentials: Documented) -> IngestKey:
    """Return the key that `ApiRoute` authenticated."""
    key: IngestKey = request.state.key
    return key


Call = Annotated[ApiCall, Depends(api_call)]
Key = Annotated[IngestKey, Depends(authenticated_key)]


def bearer_token(request: Request) -> str:
    """Return the token of the header `Authorization`, or an empty string without one.

    It is a bearer token, or the user's name of Basic authentication, as `curl -u KEY:` sends it, or its password.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        name, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except ValueError:
        return ""
    return password or name


def decoded(raw: bytes, encoding: str) -> bytes:
    """Decompress a body; raises IngestRefused for an unknown encoding, a damaged body, or one above the limit."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise IngestRefused(
            Code.MALFORMED, f"The Content-Encoding {encoding[:40]!r} is not supported: use gzip, deflate or none."
        )
    # 32: the header tells gzip from zlib.
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        content = decompressor.decompress(raw, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise IngestRefused(Code.MALFORMED, f"The body is not {encoding}: {error}.") from error
    if len(content) > MAX_BODY_BYTES:
        raise _too_large()
    if not decompressor.eof:
        raise IngestRefused(Code.MALFORMED, f"The body is not {encoding}: its end is missing.")
    return content


def parse_json(raw: bytes) -> Any:
    """Parse a body, None if it is empty; raises IngestRefused for invalid JSON and for values that cannot be stored."""
    if not raw.strip():
        return None
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise IngestRefused(Code.MALFORMED, f"The body is not JSON: {error}.") from error
    if b"\\u0000" in raw and _has_nul(value):
        raise IngestRefused(Code.INVALID, "The body contains a NUL character, which cannot be stored. Remove it.")
    return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(_has_nul, value))


def _too_large() -> IngestRefused:
    return IngestRefused(Code.TOO_LARGE, "The body is larger than 1 MiB. Split it into several requests.")
