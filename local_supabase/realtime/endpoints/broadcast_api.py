"""Broadcast over HTTP: `POST /realtime/v1/api/broadcast`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.gateway import bearer_token
from local_supabase.auth.keys import Claims
from local_supabase.errors import ApiError, TokenError
from local_supabase.realtime.channels.authorization import AuthorizationError
from local_supabase.realtime.channels.channel import TOPIC_PREFIX
from local_supabase.realtime.channels.services import RealtimeServices
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing
from local_supabase.web.bodies import read_json_object
from local_supabase.web.json_text import compact


class BroadcastApi:
    """Publishes messages to topics; those that the policies deny are dropped silently, as in hosted Realtime."""

    def __init__(self, services: RealtimeServices) -> None:
        self._services = services

    async def broadcast(self, request: Request) -> Response:
        """Answer 202 once all messages are published, 422 with the reasons if one is invalid, 429 over the limit."""
        claims = self._claims(request)
        messages = (await read_json_object(request)).get("messages")
        if not isinstance(messages, list) or not messages:
            return JSONResponse({"errors": {"messages": ["can't be blank"]}}, status_code=422)
        problems = [_problems(message, self._services.limits.payload) for message in messages]
        if any(problems):
            return JSONResponse({"errors": {"messages": problems}}, status_code=422)
        if not all([self._services.message_rate.acquire() for _message in messages]):
            return JSONResponse({"message": "You have exceeded your rate limit"}, status_code=429)
        for message in messages:
            await self._publish(message, claims)
        return Response(status_code=202)

    async def _publish(self, message: JsonObject, claims: Claims) -> None:
        name, private = message["topic"].removeprefix(TOPIC_PREFIX), message.get("private") is True
        if private:
            try:
                allowed = await self._services.authorization.write(claims, name)
            except AuthorizationError:
                return
            if not allowed.broadcast:
                return
        payload = {"event": message["event"], "payload": message["payload"], "type": "broadcast"}
        outgoing = Outgoing(f"{TOPIC_PREFIX}{name}", "broadcast", compact(payload))
        self._services.topics.publish(name, private, outgoing)

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
        problems["payload"] = ["Payload size exceeds tenant limit"]
    return problems
