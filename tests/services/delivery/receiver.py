"""Receiver: an HTTP server that takes what channels send, and answers in turn as a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Request:
    """What was received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with `answers` in turn, and with 200 once they are used up; None holds a request for ever.

    After an answer the connection is closed, unless it `is_kept_open`.
    """

    port: int = 0
    answers: list[str | None] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    is_kept_open: bool = False
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(Request(path=head[0].split()[1], headers=headers, body=body))
            answer = self.answers.pop(0) if self.answers else OK
            if answer is None:
                await reader.read()
            else:
                writer.write(answer.encode())
                await writer.drain()
                if self.is_kept_open:
                    await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    def let_go(self) -> None:
        """Close what is kept open."""
        for each in self.open:
            each.close()


def status(code: int, *headers: str, body: str = "") -> str:
    """Return an answer."""
    return "\r\n".join(
        [f"HTTP/1.1 {code} Said", *headers, f"content-length: {len(body)}", "connection: close", "", body]
    )


@asynccontextmanager
async def receiver(*answers: str | None) -> AsyncIterator[Receiver]:
    """Yield a receiver on a free port of loopback."""
    made = Receiver(answers=list(answers))
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
