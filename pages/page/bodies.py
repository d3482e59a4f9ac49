"""Request bodies with a size limit, independent of their Content-Length."""

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive


async def read_at_most(size: int, request: Request, too_large: Callable[[], Exception]) -> bytes:
    """Read a body of at most `size` bytes; raises what `too_large` returns for a larger one."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > size:
        raise too_large()
    parts, total = [], 0
    async for part in request.stream():
        total += len(part)
        if total > size:
            raise too_large()
        parts.append(part)
    return b"".join(parts)


def limit_body(size: int, receive: Receive) -> Receive:
    """Wrap an ASGI app's `receive`, which then rejects a body of more than `size` bytes with status 413."""
    total = 0

    async def receive_limited() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > size:
            raise HTTPException(413, f"The body is larger than {size} bytes.")
        return message

    return receive_limited
