"""Settings of single sign-on: what belongs together, and what is said when it does not."""

import pytest

from services.errors import ConfigurationError
from services.settings import Settings, read_settings

LOCAL = {"LIVEWATCH_OIDC_ISSUER": "https://id.example.org", "LIVEWATCH_OIDC_CLIENT_ID": "livewatch"}
PROJECT = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_ANON_KEY": "k", "DATABASE_URL": "postgresql://x"}


def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object, **variables: str) -> Settings:
    monkeypatch.chdir(str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def test_without_them_there_is_no_single_sign_on(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    assert settings(monkeypatch, tmp_path).oidc_provider_name == ""


def test_a_local_supabase_needs_issuer_and_client(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    read = settings(monkeypatch, tmp_path, **LOCAL, LIVEWATCH_OIDC_CLIENT_SECRET="s3cret")
    assert read.oidc_provider_name == "oidc"
    assert "s3cret" not in repr(read)


def test_a_project_needs_the_name_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    assert settings(monkeypatch, tmp_path, **PROJECT, LIVEWATCH_OIDC_PROVIDER="Azure").oidc_provider_name == "azure"


def test_mappings_and_domains_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    read = settings(
        monkeypatch,
        tmp_path,
        **LOCAL,
        LIVEWATCH_OIDC_DOMAINS=" Example.org, works.example ,",
        LIVEWATCH_OIDC_ROLES="CN=Ops,OU=Works=operator; /a = viewer ;/a=admin",
        LIVEWATCH_OIDC_ORGANIZATION="Works",
    )
    assert read.oidc_allowed_domains == {"example.org", "works.example"}
    assert read.oidc_role_of_group == {"CN=Ops,OU=Works": "operator", "/a": "admin"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LIVEWATCH_OIDC_PROVIDER": "keycloak"}, "LIVEWATCH_OIDC_ISSUER and LIVEWATCH_OIDC_CLIENT_ID must be set"),
        ({"LIVEWATCH_OIDC_ISSUER": "https://x"}, "LIVEWATCH_OIDC_CLIENT_ID must be set"),
        ({**PROJECT, **LOCAL}, "LIVEWATCH_OIDC_PROVIDER must be set in place of"),
        ({**LOCAL, "LIVEWATCH_OIDC_ISSUER": "id.example.org"}, "is not an issuer like"),
        ({**LOCAL, "LIVEWATCH_OIDC_PROVIDER": "email"}, "is not the name of a provider"),
        ({**LOCAL, "LIVEWATCH_OIDC_DOMAINS": "@example.org"}, "is not a domain"),
        ({**LOCAL, "LIVEWATCH_OIDC_ROLES": "ops=boss", "LIVEWATCH_OIDC_ORGANIZATION": "x"}, "a group and a role"),
        ({**LOCAL, "LIVEWATCH_OIDC_ROLES": "ops", "LIVEWATCH_OIDC_ORGANIZATION": "x"}, "a group and a role"),
        ({**LOCAL, "LIVEWATCH_OIDC_ROLES": "ops=viewer"}, "LIVEWATCH_OIDC_ORGANIZATION must be set"),
    ],
)
def test_what_does_not_belong_together_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        settings(monkeypatch, tmp_path, **variables)
