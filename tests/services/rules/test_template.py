"""Messages in words of one's own: what a template may name, and that nothing within a value is interpreted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_supabase.mail.message import Mail, compose
from local_supabase.mail.smtp_url import SmtpServer
from services.delivery.message import MAX_TEXT_CHARACTERS, MAX_TITLE_CHARACTERS
from services.errors import NotAccepted
from services.rules.rule import Rule
from services.rules.terms.template import PLACEHOLDERS, MessageTemplate
from services.rules.wording import message_of

EVERYTHING = "|".join(f"${{{name}}}" for name in PLACEHOLDERS)


def message(title: str = "", text: str = "", *, count: int = 1, organization: str = "Acme", **more: Any) -> Any:
    rule = Rule.parse({"name": "Disk", "events": ["failed"], "roles": ["viewer"], "title": title, "text": text})
    line = {
        "event": "failed", "title": "Nightly #7 failed", "text": "No disk", "type": "error", "path": "/streams/1",
        "at": "2026-11-28T00:00:00+00:00", "run": "Nightly", "job": "nightly", "error": "No disk",
    } | more  # fmt: skip
    lines = [line | {"run": f"{line['run']}{number or ''}"} for number in range(min(count, 50))]
    return message_of(rule, lines, count, address="https://live.example.org", organization=organization)[0]


def test_placeholders_are_replaced() -> None:
    said = message("[$organization] $run: $event", "$error, see $url. $$5 ${count} $job $rule / $title / $text")
    assert said.title == "[Acme] Nightly: run failed"
    assert said.text == (
        "No disk, see https://live.example.org/streams/1. $5 1 nightly Disk / Nightly #7 failed / No disk"
    )


def test_of_several_it_names_the_first_three_and_how_many() -> None:
    said = message("$count: $run ($job)", count=2)
    assert said.title == "2: Nightly, Nightly1 (nightly)"
    assert message("$run", count=50).title == "Nightly, Nightly1, Nightly2 and others"
    assert message("$event", "$text", count=3000).title == "50 runs failed"
    assert message("", "$text", count=3000).text.endswith("and 2,980 more")


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("$nme", "“$nme”"), ("${nme}", "“$nme”"), ("$Run", "“$Run”"), ("5 $", "The $ at “$”"),
        ("$ run", "The $ at “$ run”"), ("${run", "The $ at “${run”"), ("${}", "The $ at “${}”"),
        ("$1", "The $ at “$1”"), ("${run.__class__}", "The $ at"), ("$run $$$", "The $ at"), ("${run!r}", "The $ at"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["title", "text"])
def test_what_names_nothing_is_refused_with_what_there_is(template: str, named: str, field: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        MessageTemplate.parse({field: template})
    assert named in str(refused.value)
    assert field in str(refused.value)
    assert all(f"${name}" in str(refused.value) for name in PLACEHOLDERS)


def test_a_template_that_is_too_long_is_refused() -> None:
    for field, limit in (("title", MAX_TITLE_CHARACTERS), ("text", MAX_TEXT_CHARACTERS)):
        assert MessageTemplate.parse({field: "x" * limit}).definition[field]
        with pytest.raises(NotAccepted, match=f"{limit + 1:,} characters"):
            MessageTemplate.parse({field: "x" * (limit + 1)})


@pytest.mark.parametrize("name", ["$error", "${url}", "$$", "<b>x</b>", "{0.__class__}", "%s", "\\1", "@everyone"])
def test_nothing_within_a_value_is_interpreted(name: str) -> None:
    said = message("$run", "$run and $organization", run=name, organization=name)
    assert said.title == name
    assert said.text == f"{name} and {name}"


def test_a_title_is_one_line_also_in_a_mail() -> None:
    name = "Nightly\r\nBcc: mallory@example.org\n\u2028x\u202e"
    said = message("A\nB $run\r\nX-Header: 1", run=name)
    assert said.title == "A B Nightly Bcc: mallory@example.org x X-Header: 1"
    server = SmtpServer.parse("smtp://localhost:25?from=app@example.org")
    mail = compose(Mail(to="ada@example.org", subject=said.title, paragraphs=[said.text]), server)
    assert mail["Bcc"] is None
    assert mail["X-Header"] is None
    assert "\n" not in str(mail["Subject"])


@pytest.mark.parametrize("empty", ["", "$error", "\u200b$error"])
def test_what_shows_nothing_is_said_as_without_a_template(empty: str) -> None:
    said = message(empty, empty, error="")
    assert (said.title, said.text) == ("Nightly #7 failed", "No disk")


@given(title=st.text(max_size=50), run=st.text(max_size=300), error=st.text(max_size=4000))
def test_any_text_makes_a_message_within_its_limits(title: str, run: str, error: str) -> None:
    template = title.replace("$", "$$")
    said = message(template + EVERYTHING, EVERYTHING, run=run, error=error, organization=run)
    assert 0 < len(said.title) <= MAX_TITLE_CHARACTERS
    assert len(said.text) <= MAX_TEXT_CHARACTERS
    assert len(said.title.splitlines()) == 1


def test_lines_of_an_earlier_version_are_told() -> None:
    said = message("$run $job", "$error.", run="", job=None, error=None)
    assert (said.title, said.text) == ("Nightly #7 failed", ".")
