"""Addresses: where messages may go, and what an address of each kind looks like."""

import pytest

from services.delivery.addresses import is_public, public_addresses
from services.delivery.channel_kind import ChannelKind, hint_of
from services.delivery.couriers.providers import check_address
from services.errors import AddressRefused

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
TEAMS = (
    "https://prod-12.westus.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/"
    "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abc"
)
ADDRESSES = [
    (ChannelKind.SLACK, SLACK, "hooks.slack.com"),
    (ChannelKind.TEAMS, TEAMS, "prod-12.westus.logic.azure.com"),
    (ChannelKind.DISCORD, "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord.com"),
    (ChannelKind.TELEGRAM, "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12315544/", "Telegram"),
    (ChannelKind.NTFY, "https://ntfy.sh/topic", "ntfy.sh"),
    (ChannelKind.NTFY, "ntfys://push.example.org/topic", "push.example.org"),
    (ChannelKind.GOTIFY, "gotifys://push.example.org/AbCdEfGhIjKlMn", "push.example.org"),
    (ChannelKind.PUSHOVER, f"pover://{'u' * 30}@{'a' * 30}", "Pushover"),
]


@pytest.mark.parametrize(("kind", "address", "hint"), ADDRESSES)
def test_an_address_is_recognised_and_its_hint_tells_no_secret(kind: ChannelKind, address: str, hint: str) -> None:
    assert hint_of(kind, address) == hint
    check_address(kind, address)


def test_a_webhook_and_mail_addresses_are_recognised() -> None:
    assert hint_of(ChannelKind.WEBHOOK, "https://example.org:8443/in?token=secret") == "example.org"
    assert hint_of(ChannelKind.EMAIL, "ada@example.org; bob@example.org\n") == "ada@example.org, bob@example.org"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (ChannelKind.WEBHOOK, ""),
        (ChannelKind.WEBHOOK, "file:///etc/passwd"),
        (ChannelKind.WEBHOOK, "https://"),
        (ChannelKind.WEBHOOK, "https://user:password@example.org/"),
        (ChannelKind.WEBHOOK, "https://example.org:99999/"),
        (ChannelKind.WEBHOOK, "https://example.org/\u202e"),
        (ChannelKind.WEBHOOK, "https://exa mple.org/"),
        (ChannelKind.WEBHOOK, f"https://example.org/{'x' * 3000}"),
        (ChannelKind.WEBHOOK, "gopher://example.org/"),
        (
            ChannelKind.SLACK,
            "https://hooks.slack.com.example.org/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        ),
        (ChannelKind.SLACK, f"{SLACK}?template=/etc/passwd"),
        (ChannelKind.SLACK, "https://hooks.slack.com/"),
        (ChannelKind.SLACK, "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"),
        (ChannelKind.TEAMS, f"{TEAMS}&template=/etc/passwd"),
        (ChannelKind.DISCORD, SLACK),
        (ChannelKind.TELEGRAM, "tgram://bad"),
        (ChannelKind.NTFY, "https://ntfy.sh/topic?attach=file:///etc/passwd"),
        (ChannelKind.NTFY, "ntfys://ntfy.sh/topic?verify=no"),
        (ChannelKind.NTFY, "https://ntfy.sh/"),
        (ChannelKind.NTFY, "https://ntfy.sh/one/two"),
        (ChannelKind.GOTIFY, "json://example.org/"),
        (ChannelKind.GOTIFY, "gotifys://push.example.org/"),
        (ChannelKind.PUSHOVER, "pover://short@token"),
        (ChannelKind.DISCORD, "https://discord.com/api/webhooks/1/token/../../users/@me"),
        (ChannelKind.TEAMS, TEAMS.partition("?")[0]),
        (ChannelKind.EMAIL, "nobody"),
        (ChannelKind.EMAIL, ", ".join(f"a{number}@example.org" for number in range(21))),
    ],
)
def test_any_other_address_is_refused_with_a_sentence(kind: ChannelKind, address: str) -> None:
    def check() -> None:
        hint_of(kind, address)
        check_address(kind, address)

    with pytest.raises(AddressRefused) as refused:
        check()
    assert str(refused.value).endswith((".", "…"))
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "ff02::1",
    ],
)
def test_addresses_of_this_machine_and_of_private_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::6810:84e5", "64:ff9b::5db8:d70e"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.1", "2130706433", "[::1]".strip("[]")])
async def test_no_way_of_writing_an_address_hides_it(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_addresses(host, 80)


async def test_an_operator_may_allow_private_addresses() -> None:
    assert await public_addresses("127.0.0.1", 80, allow_private=True) == ["127.0.0.1"]


async def test_a_name_that_does_not_exist_may_exist_later() -> None:
    with pytest.raises(AddressRefused, match="was not found") as refused:
        await public_addresses("livewatch.invalid", 443)
    assert refused.value.is_final is False
