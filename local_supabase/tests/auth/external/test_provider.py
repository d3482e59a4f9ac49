"""The client of a provider on its own: discovery, keys under forged ids, addresses, and options of a child."""

import pytest

from local_supabase.auth.external.addresses import is_safe
from local_supabase.auth.external.keys import MAX_REFETCHES, REFETCH_WINDOW_SECONDS, ProviderKeys
from local_supabase.auth.external.provider import OidcProvider, ProviderSettings
from local_supabase.auth.keys import SigningKey
from local_supabase.child import OidcOptions, Options, environment
from local_supabase.errors import LocalSupabaseError, ProviderError
from local_supabase.server import _check
from local_supabase.tests.oidc_provider import CLIENT_ID, oidc_provider


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_forged_key_ids_do_not_flood_the_provider() -> None:
    clock, fetches, key = Clock(), 0, SigningKey.generate()

    async def fetch() -> object:
        nonlocal fetches
        fetches += 1
        return key.jwks()

    keys = ProviderKeys(fetch, clock=clock)
    assert len(await keys.candidates(key.kid, "ES256")) == 1
    for number in range(50):
        with pytest.raises(ProviderError, match="does not publish"):
            await keys.candidates(f"forged {number}", "ES256")
    assert fetches == 1 + MAX_REFETCHES
    assert await keys.candidates(key.kid, "ES256")
    clock.now += REFETCH_WINDOW_SECONDS + 1
    key = SigningKey.generate()
    assert await keys.candidates(key.kid, "ES256")


async def test_a_key_serves_its_own_algorithm_only() -> None:
    key = SigningKey.generate()

    async def fetch() -> object:
        return {"keys": [*key.jwks()["keys"], {"kty": "RSA", "kid": "broken"}, "text", {"kty": "oct", "k": "AAAA"}]}

    keys = ProviderKeys(fetch)
    assert len(await keys.candidates(None, "ES256")) == 1
    for kid, algorithm in ((key.kid, "RS256"), ("broken", "RS256"), (None, "EdDSA")):
        with pytest.raises(ProviderError):
            await keys.candidates(kid, algorithm)


@pytest.mark.parametrize("answer", [None, [], {"keys": "x"}, {}])
async def test_keys_that_cannot_be_read_are_said_so(answer: object) -> None:
    async def fetch() -> object:
        return answer

    with pytest.raises(ProviderError, match="keys cannot be read"):
        await ProviderKeys(fetch).candidates("x", "RS256")


async def test_the_discovery_document_must_name_the_issuer() -> None:
    async with oidc_provider(issuer="https://another.example") as server:
        settings = ProviderSettings(name="x", issuer=server.url, client_id=CLIENT_ID)
        provider = OidcProvider(settings, "http://localhost/callback")
        try:
            with pytest.raises(ProviderError, match="names another issuer"):
                await provider.authorization_url(state="s", verifier="v")
        finally:
            await provider.aclose()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example.org/realms/x", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost", True),
        ("http://id.example.org", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("", False),
        ("http://[::1", False),
    ],
)
def test_tokens_travel_by_tls_or_within_this_machine(url: str, safe: bool) -> None:
    assert is_safe(url) is safe


def test_the_options_travel_in_the_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    oidc = OidcOptions(
        name="entra",
        issuer="https://x",
        client_id="i",
        client_secret="sécret",
        scopes=("a", "b"),
        sign_up_domains=("*",),
    )
    options = Options(data=tmp_path_factory.mktemp("data"), oidc=oidc, external_url="https://watch.example/auth/v1")
    variables = environment(options)
    assert OidcOptions.from_environment(variables) == oidc
    assert "sécret" not in repr(options) + " ".join(options.command())
    assert OidcOptions.from_environment(environment(Options(data=options.data))) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"issuer": "http://id.example.org"}, "http is for this machine only"),
        ({"name": "email"}, "needs a client id, and a name"),
        ({"name": "a b"}, "needs a client id, and a name"),
        ({"client_id": ""}, "needs a client id, and a name"),
    ],
)
def test_wrong_options_end_the_start_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, str], message: str
) -> None:
    values = {"name": "x", "issuer": "https://id.example.org", "client_id": "i", "client_secret": "secret", **changes}
    oidc = OidcOptions(
        name=values["name"],
        issuer=values["issuer"],
        client_id=values["client_id"],
        client_secret=values["client_secret"],
    )
    with pytest.raises(LocalSupabaseError, match=message) as failure:
        _check(Options(data=tmp_path_factory.mktemp("data"), oidc=oidc))
    assert "secret" not in str(failure.value)
