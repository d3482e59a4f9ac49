"""The prefix of a proxy: what the app sees of a request, and whose header counts."""

from typing import Any

import pytest

from services.infra.root_path import RootPath, route_path
from services.settings import Settings


async def seen(
    path: str, *, root_path: str = "", client: str = "10.0.0.7", prefix: str | None = None
) -> dict[str, Any]:
    """Return the scope that the app gets."""
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    headers = [(b"host", b"watch.test"), *([(b"x-forwarded-prefix", prefix.encode())] if prefix else [])]
    scope = {"type": "http", "path": path, "raw_path": path.encode(), "headers": headers, "client": (client, 1)}
    await RootPath(app, root_path=root_path, proxies=["10.0.0.0/8"])(scope, None, None)  # type: ignore[arg-type]
    return dict(scopes[0])


@pytest.mark.parametrize("path", ["/monitoring", "/watch/monitoring"])
async def test_a_proxy_may_strip_the_prefix_or_pass_it_on(path: str) -> None:
    scope = await seen(path, root_path="/watch")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (
        "/watch",
        "/watch/monitoring",
        b"/watch/monitoring",
    )
    assert route_path(scope) == "/monitoring"


async def test_a_path_that_only_begins_like_the_prefix_is_another() -> None:
    scope = await seen("/watches", root_path="/watch")
    assert route_path(scope) == "/watches"
    assert route_path(await seen("/watch", root_path="/watch")) == "/"


async def test_the_header_of_a_trusted_proxy_counts_and_the_app_never_sees_it() -> None:
    scope = await seen("/alerts", prefix="/watch/")
    assert (scope["root_path"], route_path(scope)) == ("/watch", "/alerts")
    assert [name for name, _ in scope["headers"]] == [b"host"]


@pytest.mark.parametrize(
    ("client", "prefix"),
    [
        ("8.8.8.8", "/watch"),
        ("unix", "/watch"),
        ("10.0.0.7", "//evil.test"),
        ("10.0.0.7", '/"><script>'),
        ("10.0.0.7", "watch"),
        ("10.0.0.7", "/a/../b c"),
        ("10.0.0.7", "/api"),
    ],
)
async def test_no_other_header_counts(client: str, prefix: str) -> None:
    scope = await seen("/alerts", client=client, prefix=prefix)
    assert (scope.get("root_path", ""), scope["path"]) == ("", "/alerts")
    assert [name for name, _ in scope["headers"]] == [b"host"]


@pytest.mark.parametrize(
    ("given", "kept"), [("/watch/", "/watch"), ("", ""), ("/", ""), ("/tools/watch", "/tools/watch")]
)
def test_a_root_path_is_kept_without_its_slash(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    monkeypatch.setenv("LIVEWATCH_ROOT_PATH", given)
    assert Settings().root_path == kept


@pytest.mark.parametrize("given", ["watch", "/a b", "//evil", "/api", "/streams/x", "https://x.test/watch"])
def test_a_root_path_that_cannot_be_served_is_refused_with_its_value(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("LIVEWATCH_ROOT_PATH", given)
    with pytest.raises(ValueError, match=given):
        Settings()
