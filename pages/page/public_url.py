"""Public URL of this app, and the prefix of its paths."""

from starlette.requests import Request


def root_of(request: Request) -> str:
    """Return the prefix below which a request reached the app; empty without one."""
    return str(request.scope.get("root_path", ""))


def public_url(request: Request) -> str:
    """Return the base URL that the request used, without a trailing slash."""
    root = request.scope.get("app_root_path", root_of(request))
    return f"{request.url.scheme}://{request.url.netloc}{root}"
