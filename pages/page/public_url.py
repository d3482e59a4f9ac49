"""Public URL of this app."""

from starlette.requests import Request


def public_url(request: Request) -> str:
    """Return the base URL that the request used, without a trailing slash."""
    root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return f"{request.url.scheme}://{request.url.netloc}{root}"
