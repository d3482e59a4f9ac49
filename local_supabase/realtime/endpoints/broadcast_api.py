"""Broadcast over HTTP: many messages in a batch, or one whose topic and event are in the path."""

from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.gateway import bearer_token
from local_supabase.auth.keys import Claims
from local_supabase.errors import ApiError, TokenError
from local_supabase.realtime.channels.authorization import AuthorizationError
from local_supabase.realtime.channels.channel import PERSIST_NOT_SUPPORTED, TOPIC_PREFIX
from local_supabase.realtime.channels.services import RealtimeServices
from local_supabase.realtime.protocol.frames import BinaryBroadcast, JsonObject, Outgoing
from local_supabase.web.bodies import parse_json, read_body, read_json_object
from local_supabase.web.json_text import compact

MAX_BODY_BYTES = 8_000_000
"""What hosted Realtime reads; a batch may hold several messages, each up to the limit of a payload."""
BINARY = "application/octet-stream"
JSON = "application/json"
RATE_EXCEEDED = "You have exceeded your rate limit"
PAYLOAD_EXCEEDED = "Payload size exceeds tenant limit"


class BroadcastApi:
    """Publishes messages to topics, as the policies allow."""

    def __init__(self, services: RealtimeServices) -> None:
        self._services = services

    async def batch(self, request: Request) -> Response:
        """Publish the messages of a batch; answer 202, or 422 with the reasons if one is invalid, or 429.

        Messages that the policies deny are dropped silently, as in hosted Realtime.
        """
        claims = self._claims(request)
        messages = (await read_json_object(request, max_bytes=MAX_BODY_BYTES)).get("messages")
        if not isinstance(messages, list) or not messages:
            return JSONResponse({"errors": {"messages": ["can't be blank"]}}, status_code=422)
        problems = [_problems(message, self._services.limits.payload) for message in messages]
        if any(problems):
            return JSONResponse({"errors": {"messages": problems}}, status_code=422)
        if not all([self._services.message_rate.acquire() for _message in messages]):
            raise ApiError(429, "over_request_rate_limit", RATE_EXCEEDED)
        for message in messages:
            name, private = message["topic"].removeprefix(TOPIC_PREFIX), message.get("private") is True
            if private:
                try:
                    await self._authorize(claims, name)
                except ApiError:
                    continue
            self._publish(name, private, message["event"], message["payload"])
        return Response(status_code=202)

    async def single(self, request: Request) -> Response:
        """Publish the body to `/broadcast/{topic}/events/{event}`; answer 202.

        Raises:
            ApiError: the policies deny it (403), an option or the body is not supported (400, 413, 415, 422), or the
                rate limit is reached (429).
        """
        claims = self._claims(request)
        # The framework decodes the path, and then a topic with an escaped slash cannot be told from two segments.
        name, _, event = (unquote(part) for part in request.scope["raw_path"].decode("latin-1").split("/")[-3:])
        if any(option.partition("[")[0] == "persist" for option in request.query_params):
            raise ApiError(422, "feature_disabled", PERSIST_NOT_SUPPORTED)
        payload, binary = await self._body(request, event)
        if not self._services.message_rate.acquire():
            raise ApiError(429, "over_request_rate_limit", RATE_EXCEEDED)
        private = request.query_params.get("private") == "true"
        if private:
            await self._authorize(claims, name)
        self._publish(name, private, event, payload, binary)
        return Response(status_code=202)

    async def _body(self, request: Request, event: str) -> tuple[JsonObject, BinaryBroadcast]:
        content_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if content_type not in (JSON, BINARY):
            message = f"Unsupported content type {content_type}: send {JSON} or {BINARY}"
            raise ApiError(415, "unsupported_media_type", message)
        body = await read_body(request, max_bytes=MAX_BODY_BYTES)
        payload: JsonObject = {}
        if content_type == JSON:
            value = parse_json(body) if body else {}
            payload = value if isinstance(value, dict) else {"_json": value}
            body = compact(payload).encode()
        if len(body) > self._services.limits.payload:
            raise ApiError(422, "validation_failed", PAYLOAD_EXCEEDED, errors={"payload": [PAYLOAD_EXCEEDED]})
        return payload, BinaryBroadcast(event=event, body=body, is_json=content_type == JSON)

    async def _authorize(self, claims: Claims, name: str) -> None:
        try:
            allowed = await self._services.authorization.write(claims, name)
        except AuthorizationError as error:
            raise ApiError(422, "unexpected_failure", str(error)) from error
        if not allowed.broadcast:
            raise ApiError(403, "not_allowed", "Unauthorized")

    def _publish(
        self, name: str, private: bool, event: str, payload: JsonObject, binary: BinaryBroadcast | None = None
    ) -> None:
        text = compact({"event": event, "payload": payload, "type": "broadcast"})
        message = Outgoing(f"{TOPIC_PREFIX}{name}", "broadcast", text, binary=binary)
        self._services.topics.publish(name, private, message)

    def _claims(self, request: Request) -> Claims:
        token = bearer_token(request) or request.headers.get("apikey", "")
        try:
            return self._services.verifier.verify(token)
        except TokenError as error:
            raise ApiError(401, "bad_jwt", str(error)) from error


def _problems(message: Any, max_payload: int) -> dict[str, list[str]]:
    if not isinstance(message, dict):
        return {"message": ["is invalid"]}
    problems = {
        name: ["can't be blank"]
        for name in ("topic", "event")
        if not isinstance(message.get(name), str) or not message[name]
    }
    payload = message.get("payload")
    if not isinstance(payload, dict):
        problems["payload"] = ["can't be blank"]
    elif len(compact(payload)) > max_payload:
        problems["payload"] = [PAYLOAD_EXCEEDED]
    return problems
