"""Settings of the single sign-on by an OpenID Connect provider."""

import re

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

ROLES = ("viewer", "operator", "admin")
"""Roles from the lowest to the highest."""
PROVIDER = re.compile(r"[a-z0-9][a-z0-9:_-]{0,62}")
DOMAIN = re.compile(r"\*|[a-z0-9-]+(\.[a-z0-9-]+)*")
DEFAULT_PROVIDER = "oidc"
DEFAULT_LABEL = "Single sign-on"


class OidcSettings(BaseSettings):
    """The provider, who may sign in by it, and which of its groups have which role.

    A local Supabase needs issuer and client id; a hosted project, whose own settings have those, needs the name of the
    provider alone.
    """

    oidc_issuer: str = Field("", validation_alias="LIVEWATCH_OIDC_ISSUER")
    oidc_client_id: str = Field("", validation_alias="LIVEWATCH_OIDC_CLIENT_ID")
    oidc_client_secret: SecretStr = Field(SecretStr(""), validation_alias="LIVEWATCH_OIDC_CLIENT_SECRET")
    oidc_label: str = Field(DEFAULT_LABEL, max_length=60, validation_alias="LIVEWATCH_OIDC_LABEL")
    oidc_provider: str = Field("", validation_alias="LIVEWATCH_OIDC_PROVIDER")
    oidc_domains: str = Field("", validation_alias="LIVEWATCH_OIDC_DOMAINS")
    oidc_roles: str = Field("", validation_alias="LIVEWATCH_OIDC_ROLES")
    oidc_organization: str = Field("", max_length=120, validation_alias="LIVEWATCH_OIDC_ORGANIZATION")

    @field_validator("oidc_issuer")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        issuer = value.strip()
        if issuer and not re.fullmatch(r"https?://[^\s?#]+", issuer):
            raise ValueError(f"{value!r} is not an issuer like https://id.example.org/realms/work")
        return issuer

    @field_validator("oidc_provider")
    @classmethod
    def _is_a_provider(cls, value: str) -> str:
        name = value.strip().lower()
        if name and (not PROVIDER.fullmatch(name) or name in ("email", "phone")):
            raise ValueError(f"{value!r} is not the name of a provider, such as keycloak, azure or google")
        return name

    @field_validator("oidc_domains")
    @classmethod
    def _are_domains(cls, value: str) -> str:
        for each in _parts(value.lower(), ","):
            if not DOMAIN.fullmatch(each):
                raise ValueError(f"{each!r} is not a domain of e-mail addresses like example.org, or * for any")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _are_roles(cls, value: str) -> str:
        for pair in _pairs(value):
            group, separator, role = pair.rpartition("=")
            if not separator or not group.strip() or role.strip() not in ROLES:
                raise ValueError(f"{pair!r} is not a group and a role like engineers=operator ({', '.join(ROLES)})")
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> "OidcSettings":
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("LIVEWATCH_OIDC_CLIENT_ID must be set with LIVEWATCH_OIDC_ISSUER")
        if self.oidc_roles and not self.oidc_organization:
            raise ValueError(
                "LIVEWATCH_OIDC_ORGANIZATION must be set with LIVEWATCH_OIDC_ROLES: the id or name of the organisation "
                "that people with a mapped group join"
            )
        return self

    @property
    def oidc_provider_name(self) -> str:
        """Name of the provider at Auth; empty without single sign-on."""
        return self.oidc_provider or (DEFAULT_PROVIDER if self.oidc_issuer else "")

    @property
    def oidc_allowed_domains(self) -> frozenset[str]:
        """Domains of e-mail addresses that may sign in by the provider, in lower case; empty or `*` for any."""
        return frozenset(_parts(self.oidc_domains.lower(), ","))

    @property
    def oidc_role_of_group(self) -> dict[str, str]:
        """Role by group; of a group that is named twice, the higher."""
        roles: dict[str, str] = {}
        for pair in _pairs(self.oidc_roles):
            group, _, role = (part.strip() for part in pair.rpartition("="))
            roles[group] = max(role, roles.get(group, role), key=ROLES.index)
        return roles


def _pairs(text: str) -> list[str]:
    """Split at semicolons and line ends if there are any, since names of groups may contain commas, else at commas."""
    return _parts(text, r"[;\n]" if re.search(r"[;\n]", text) else ",")


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in re.split(separator, text) if part.strip()]
