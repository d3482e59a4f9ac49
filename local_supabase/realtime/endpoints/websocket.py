"""The WebSocket endpoint: authenticates clients by API key, serves their sockets and closes unresponsive ones."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from local_supabase.auth.keys import Claims
from local_supabase.errors import TokenError
from local_supabase.realtime.channels.services import RealtimeServices
from local_supabase.realtime.channels.socket import Receive, Socket
from local_supabase.realtime.protocol.frames import Version
from local_supabase.realtime.protocol.wire import WireProtocol

WATCH_INTERVAL_SECONDS = 2.0
NORMAL_CLOSURE = 1000


class RealtimeEndpoint:
    """ASGI application for the scope `websocket`."""

    def __init__(self, services: RealtimeServices) -> None:
        self._services = services
        self._sockets: set[Socket] = set()

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        await receive()
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        key = headers.get(b"x-api-key") or headers.get(b"apikey") or query.get("apikey")
        try:
            claims = self._verify(key)
            version = Version(query.get("vsn", Version.V1))
        except TokenError as error:
            await _reject(send, 401, "Token has expired" if "expired" in str(error) else str(error))
            return
        except ValueError:
            await _reject(send, 403, "The requested protocol version is not supported: use vsn=1.0.0 or 2.0.0")
            return
        await send({"type": "websocket.accept"})
        wire: WireProtocol = scope["state"]["wire"]
        socket = Socket(wire, version, claims, self._services)
        self._sockets.add(socket)
        self._services.send_buffers.add(wire)
        try:
            await socket.run(receive)
        finally:
            self._sockets.discard(socket)
            self._services.send_buffers.discard(wire)

    async def watch(self) -> None:
        """Until cancelled, close sockets that send nothing and disconnect those that read nothing."""
        loop = asyncio.get_running_loop()
        limits = self._services.limits
        while True:
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            now = loop.time()
            for socket in list(self._sockets):
                wire = socket.wire
                if wire.seconds_without_reading() > limits.send_timeout:
                    wire.abort()
                elif now - wire.last_received > limits.idle_timeout:
                    wire.close_idle(NORMAL_CLOSURE)

    def _verify(self, key: str | None) -> Claims:
        if not key:
            raise TokenError("MissingAPIKey", "API key is missing")
        return self._services.verifier.verify(key)


async def _reject(send: Any, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
