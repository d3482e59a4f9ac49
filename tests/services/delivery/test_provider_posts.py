"""What providers are sent: the fields that they document, within their limits, and names as they are."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from services.delivery.channel_kind import ChannelKind, hint_of
from services.delivery.couriers.provider_posts import post_of
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
    post = post_of(kind, address or ADDRESSES[kind], message)
    if kind is ChannelKind.PUSHOVER:
        return {name: value for name, [value] in parse_qs(post.content.decode()).items()}
    return json.loads(post.content)


def test_slack_shows_a_text_as_it_is_and_calls_nobody() -> None:
    body = sent(ChannelKind.SLACK, Message(title=RUDE, text=RUDE, url=URL, type="error"))
    [attachment] = body["attachments"]
    escaped = RUDE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert body["text"] == escaped
    assert attachment["text"] == f"{escaped}\n{URL.replace('&', '&amp;')}"
    assert (body["mrkdwn"], attachment["mrkdwn_in"]) == (False, []), "neither * nor _ is a format"
    assert "link_names" not in body
    assert attachment["color"] == "#a30200"


def test_a_workflow_of_slack_gets_the_one_variable_that_it_can_have() -> None:
    address = "https://hooks.slack.com/triggers/T1JJ3T3L2/1234567890/TIiajkdnlazkcOXrIdevi7FQ"
    assert sent(ChannelKind.SLACK, Message(title="a", text="b", url=URL), address) == {
        "text": f"a\nb\n{URL.replace('&', '&amp;')}"
    }


def test_teams_gets_a_card_whose_texts_have_no_format_and_no_mention() -> None:
    body = sent(ChannelKind.TEAMS, Message(title=RUDE, text=f"{RUDE}\n\nsecond", url=URL))
    [attachment] = body["attachments"]
    card = attachment["content"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["msteams"]) == ("AdaptiveCard", {"width": "full"})
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert [run["text"] for run in runs] == [RUDE, RUDE, "second"]
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": URL}]


def test_discord_gets_an_embed_with_its_markdown_escaped_and_allows_no_mention() -> None:
    body = sent(ChannelKind.DISCORD, Message(title=RUDE, text=RUDE, url=URL))
    assert body["allowed_mentions"] == {"parse": []}
    assert "content" not in body
    [embed] = body["embeds"]
    for text in (embed["title"], embed["description"]):
        assert r"\<@U123>" in text
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


def test_telegram_gets_plain_text_in_which_no_name_is_a_mention() -> None:
    body = sent(ChannelKind.TELEGRAM, Message(title="@ada <b>x</b> *y* ada@example.org", text="@everyone", url=URL))
    assert body["text"] == f"@\u2060ada <b>x</b> *y* ada@example.org\n@\u2060everyone\n{URL}"
    assert "parse_mode" not in body
    assert body["chat_id"] == "-10012315544"
    post = post_of(ChannelKind.TELEGRAM, f"{TELEGRAM}:77", Message(title="x"))
    assert post.url == "https://api.telegram.org/bot123456789:abcdefghijklmnopqrstuvwxyz123456789/sendMessage"
    assert json.loads(post.content)["message_thread_id"] == 77


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
    post = post_of(kind, ADDRESSES[kind], Message.of_record(given))
    body = sent(kind, Message.of_record(given))
    if kind is ChannelKind.SLACK:
        assert len(body["text"]) + len(body["attachments"][0]["text"]) <= 4000
    elif kind is ChannelKind.TEAMS:
        assert len(post.content) <= 28_000
    elif kind is ChannelKind.DISCORD:
        [embed] = body["embeds"]
        assert utf16_units(embed["title"]) <= 256
        assert utf16_units(embed["description"]) <= 4096
    elif kind is ChannelKind.TELEGRAM:
        assert utf16_units(body["text"]) <= 4096
        assert body["text"].endswith(URL), "the link is never what is cut"
    elif kind is ChannelKind.NTFY:
        assert utf8_bytes(body["message"]) <= 4096
        assert len(post.content) <= 8192
    elif kind is ChannelKind.PUSHOVER:
        assert (len(body["title"]) <= 250, len(body["message"]) <= 1024) == (True, True)


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("text", ["", "\u202e\u0000", "\ud83d", "\x1b[31m", " \n "])
def test_nothing_hidden_is_sent_and_no_message_is_empty(kind: ChannelKind, text: str) -> None:
    post = post_of(kind, ADDRESSES[kind], Message.of_record(Message(title="Run", text=text).as_json))
    assert not set(post.content.decode()) & set("\u202e\0\x1b")
    body = sent(kind, Message(title="Run", text=text))
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
        post_of(kind, address, Message(title="x"))

    for other, address in ADDRESSES.items():
        if other is not kind:
            with pytest.raises(AddressRefused):
                check(address)
