"""Broadcast over HTTP: `POST /realtime/v1/api/broadcast`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.gateway import json_body
from local_supabase.auth.keys import Claims
from local_supabase.errors import ApiError, TokenError
from local_supabase.http.json_text import compact
from local_supabase.realtime.channels.authorization import AuthorizationError
from local_supabase.realtime.channels.channel import Services
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing


class RealtimeApi:
    """Accepts messages for topics; those that the policies refuse are left out, as hosted."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def broadcast(self, request: Request) -> Response:
        """Answer 202 once the messages are handed out, 422 with the reasons when one is not valid."""
        claims = self._claims(request)
        body = await json_body(request)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return JSONResponse({"errors": {"messages": ["can't be blank"]}}, status_code=422)
        problems = [_problems(message, self._services.limits.payload) for message in messages]
        if any(problems):
            return JSONResponse({"errors": {"messages": problems}}, status_code=422)
        if not all([self._services.message_rate.count() for _message in messages]):
            return JSONResponse({"message": "You have exceeded your rate limit"}, status_code=429)
        for message in messages:
            await self._publish(message, claims)
        return Response(status_code=202)

    async def _publish(self, message: JsonObject, claims: Claims) -> None:
        topic, private = message["topic"].removeprefix("realtime:"), message.get("private") is True
        if private:
            try:
                allowed = await self._services.authorization.write(claims, topic)
            except AuthorizationError:
                return
            if not allowed.broadcast:
                return
        payload = {"event": message["event"], "payload": message["payload"], "type": "broadcast"}
        self._services.topics.publish(topic, private, Outgoing(f"realtime:{topic}", "broadcast", compact(payload)))

    def _claims(self, request: Request) -> Claims:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        token = bearer if scheme.lower() == "bearer" and bearer else request.headers.get("apikey", "")
        try:
            return self._services.verifier.verify(token)
        except TokenError as error:
            raise ApiError(401, "bad_jwt", str(error)) from error


def _problems(message: Any, largest: int) -> dict[str, list[str]]:
    if not isinstance(message, dict):
        return {"message": ["is invalid"]}
    problems = {
        name: ["can't be blank"] for name in ("topic", "event") if not isinstance(message.get(name), str)
        or not message[name]
    }  # fmt: skip
    payload = message.get("payload")
    if not isinstance(payload, dict):
        problems["payload"] = ["can't be blank"]
    elif len(compact(payload)) > largest:
        problems["payload"] = ["Payload size exceeds tenant limit"]
    return problems
