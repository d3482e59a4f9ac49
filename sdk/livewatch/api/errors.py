"""Errors of reading; each message says what failed and what to do, and never contains the key.

ApiError
├── NotConfiguredError      URL or key are missing or invalid
├── ServerUnreachableError  no answer came, or none that helps, after several attempts
└── RejectedError           the server refused the request: a bad key, a missing scope, an invalid value
    └── NotFoundError       there is no such row, or none that the key may see
"""

from __future__ import annotations

from livewatch.delivery.client import Response


class ApiError(Exception):
    """Base of the errors of reading."""


class NotConfiguredError(ApiError):
    """URL or key are missing or invalid."""


class ServerUnreachableError(ApiError):
    """No answer came, or none that helps, after several attempts."""


class RejectedError(ApiError):
    """The server refused the request.

    Attributes:
        status: HTTP status.
        code: The server's error code, such as `scope` or `invalid`; empty if it sent none.
        field: The invalid parameter; None if it is none of one.
    """

    def __init__(self, message: str, *, status: int, code: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


class NotFoundError(RejectedError):
    """There is no such row, or none that the key may see."""


def rejection_of(url: str, response: Response) -> RejectedError:
    """Return the error of an answer that is none of success."""
    error = response.body.get("error") if isinstance(response.body, dict) else None
    if not isinstance(error, dict):
        target = f"; it redirects to {response.location}: use that URL" if response.location else ""
        message = f"{url} is not a Livewatch API, or an older version: status {response.status}{target}"
        return RejectedError(message, status=response.status)
    kind = NotFoundError if response.status == 404 else RejectedError
    field = error.get("field")
    return kind(
        str(error.get("message")),
        status=response.status,
        code=str(error.get("code", "")),
        field=None if field is None else str(field),
    )
