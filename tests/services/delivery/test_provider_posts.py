"""What providers are sent: the fields that they document, within their limits, and names as they are."""

import html
import json
from importlib import import_module
from typing import Any
from unittest import mock

import pytest

from services.delivery.channel_kind import ChannelKind, hint_of
from services.delivery.couriers import fixed_hosts
from services.delivery.couriers.plugins import plugin_of, settings_of, wording_of
from services.delivery.couriers.provider_posts import post_of
from services.delivery.couriers.providers import check_address
from services.delivery.couriers.wording import discord_escaped, fitted, utf8_bytes, utf16_units
from services.delivery.message import Message
from services.errors import AddressRefused
from tests.services.delivery.addresses import ADDRESSES, NTFY, TELEGRAM

URL = "https://watch.example.org/streams/1?a=1&b=2"
RUDE = "<!channel> <@U123> @everyone @here <at>all</at> *bold* _it_ ~no~ `x` [a](https://evil.example) & <b>"
LARGEST = [
    "x" * 200,
    "<" * 200,
    "*" * 200,
    "&" * 200,
    '"' * 200,
    "\U0001f525" * 200,
    "\u05e9\u05dc\u05d5\u05dd " * 40,
]


def sent(kind: ChannelKind, message: Message, address: str = "") -> Any:
    address = address or ADDRESSES[kind]
    if kind not in fixed_hosts.KINDS:
        return json.loads(post_of(kind, address, message).content)
    settings = settings_of(kind, address)
    wording = wording_of(kind, message, settings)
    plugin = plugin_of(kind, {**settings, **wording.settings})
    there = mock.Mock(wraps=import_module("requests"))
    there.post = there.request = mock.Mock(return_value=mock.Mock(status_code=200, content=b"ok", headers={}))
    there.RequestException, there.codes = OSError, import_module("requests").codes
    with mock.patch.object(import_module(type(plugin).__module__), "requests", there):
        assert plugin.notify(body=wording.body, title=wording.title, body_format=wording.format)
    [call] = there.post.call_args_list
    data = call.kwargs["data"]
    return json.loads(data) if isinstance(data, str) else data


def test_slack_shows_a_text_as_it_is_and_calls_nobody() -> None:
    body = sent(ChannelKind.SLACK, Message(title=RUDE, text=RUDE, url=URL))
    [attachment] = body["attachments"]
    escaped = RUDE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert (body["mrkdwn"], "mrkdwn_in" in attachment, "link_names" in body) == (False, False, False)
    assert (attachment["title"], attachment["text"]) == (escaped, f"{escaped}\n{URL.replace('&', '&amp;')}")
    address = "https://hooks.slack.com/triggers/T1JJ3T3L2/1234567890/TIiajkdnlazkcOXrIdevi7FQ"
    assert sent(ChannelKind.SLACK, Message(title="<!channel>", text="b"), address) == {"text": "&lt;!channel&gt;\nb"}


def test_teams_gets_a_card_with_its_markdown_escaped_and_no_mention() -> None:
    body = sent(ChannelKind.TEAMS, Message(title=RUDE, text=f"{RUDE}\n\nsecond", url=URL))
    card = body["attachments"][0]["content"]
    assert card["msteams"] == {"width": "full"}
    title, text = (block["text"] for block in card["body"])
    for each in (title, text):
        assert r"\<at\>all\</at\> \*bold\* \_it\_ \~no\~ \`x\` \[a\](https://evil.example)" in each
    assert text.endswith(f"\n\nsecond\n\n[Open]({URL})")


def test_discord_gets_an_embed_with_its_markdown_escaped_and_calls_nobody() -> None:
    body = sent(ChannelKind.DISCORD, Message(title=RUDE, text=RUDE, url=URL))
    assert "content" not in body
    assert "allow_mentions" not in body
    [embed] = body["embeds"]
    for text in (embed["title"], embed["description"]):
        assert "\\<@\u2060U123> @\u2060everyone @\u2060here" in text
        assert r"\*bold\* \_it\_ \~no\~ \`x\` \[a\](https://evil.example)" in text
    assert embed["url"] == URL


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("run-1 #2 > 3", "run-1 #2 > 3"),
        ("# head\n - item\n> said\n12. twelve", "\\# head\n \\- item\n\\> said\n12\\. twelve"),
        ("a\\b || c", r"a\\b \|\| c"),
    ],
)
def test_discords_marks_of_lines_are_escaped_where_they_are_marks(text: str, escaped: str) -> None:
    assert discord_escaped(text) == escaped


def test_telegram_gets_escaped_text_in_which_no_name_is_a_mention() -> None:
    body = sent(ChannelKind.TELEGRAM, Message(title="@ada <b>x</b> *y* ada@example.org", text="@everyone", url=URL))
    title = "<b>@\u2060ada &lt;b&gt;x&lt;/b&gt; *y* ada@example.org</b>"
    assert body["text"].split() == f"{title} @\u2060everyone {URL.replace('&', '&amp;')}".split()
    assert (body["chat_id"], body["parse_mode"]) == (-10012315544, "HTML")
    assert sent(ChannelKind.TELEGRAM, Message(title="x"), f"{TELEGRAM}:77")["message_thread_id"] == 77


def test_ntfy_gotify_and_pushover_get_text_and_link_apart() -> None:
    message = Message(title=RUDE, text="first\nsecond", url=URL)
    ntfy, gotify, pushover = (sent(k, message) for k in (ChannelKind.NTFY, ChannelKind.GOTIFY, ChannelKind.PUSHOVER))
    assert ntfy == {"topic": "topic", "title": RUDE, "message": "first\nsecond", "click": URL}
    assert gotify["extras"] == {"client::notification": {"click": {"url": URL}}}
    assert (gotify["title"], gotify["message"]) == (RUDE, "first\nsecond")
    assert pushover["url"] == URL
    assert (pushover["user"], pushover["token"]) == ("u" * 30, "a" * 30)
    assert "html" not in pushover


@pytest.mark.parametrize(
    ("address", "header"),
    [
        (NTFY, "Basic YWRhOndvbmRlcmxhbmQ="),
        ("ntfys://tk_abc@push.example.org/topic", "Bearer tk_abc"),
        ("https://ntfy.sh/topic", None),
    ],
)
def test_credentials_of_ntfy_go_into_a_header(address: str, header: str | None) -> None:
    post = post_of(ChannelKind.NTFY, address, Message(title="x"))
    assert post.headers.get("authorization") == header
    assert "@" not in post.url


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_message_is_within_the_limits_of_every_provider(kind: ChannelKind, name: str) -> None:
    given = Message(title=name * 100, text=name * 100, url=URL).as_json
    body = sent(kind, Message.of_record(given))
    if kind is ChannelKind.SLACK:
        assert len(body["attachments"][0]["title"]) + len(body["attachments"][0]["text"]) <= 4000
    elif kind is ChannelKind.TEAMS:
        assert len(json.dumps(body)) <= 28_000
    elif kind is ChannelKind.DISCORD:
        [embed] = body["embeds"]
        assert utf16_units(embed["title"]) <= 256
        assert utf16_units(embed["description"]) <= 4096
    elif kind is ChannelKind.TELEGRAM:
        assert utf16_units(html.unescape(body["text"]).replace("<b>", "").replace("</b>", "")) <= 4096
        assert html.unescape(body["text"]).endswith(URL), "the link is never what is cut"
    elif kind is ChannelKind.NTFY:
        assert utf8_bytes(body["message"]) <= 4096
        assert len(json.dumps(body, ensure_ascii=False).encode()) <= 8192
    elif kind is ChannelKind.PUSHOVER:
        assert (len(body["title"]) <= 250, len(body["message"]) <= 1024) == (True, True)


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("text", ["", "\u202e\u0000", "\ud83d", "\x1b[31m", " \n "])
def test_nothing_hidden_is_sent_and_no_message_is_empty(kind: ChannelKind, text: str) -> None:
    body = sent(kind, Message.of_record(Message(title="Run", text=text).as_json))
    assert not set(json.dumps(body, ensure_ascii=False)) & set("\u202e\0\x1b")
    assert "Run" in json.dumps(body)
    for name in ("message", "text"):
        assert body.get(name, "x")


def test_a_text_is_cut_only_between_characters_that_belong_together() -> None:
    assert fitted("abc", 3) == "abc"
    assert fitted("abcd", 3) == "ab…"
    assert fitted("a&b", 6, escape=lambda text: text.replace("&", "&amp;")) == "a…"
    assert fitted("\U0001f525" * 3, 5, size=utf16_units) == "\U0001f525\U0001f525…"
    assert fitted("x", 0) in ("", "…")


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_address_of_another_kind_makes_no_post(kind: ChannelKind) -> None:
    def check(address: str) -> None:
        hint_of(kind, address)
        check_address(kind, address)

    for other, address in ADDRESSES.items():
        if other is not kind:
            with pytest.raises(AddressRefused):
                check(address)
