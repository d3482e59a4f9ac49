"""The URL by which browsers and programs reach this app."""

from starlette.requests import Request


def public_url(request: Request) -> str:
    """The base URL that the request used, without a slash at its end."""
    root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return f"{request.url.scheme}://{request.url.netloc}{root}"
