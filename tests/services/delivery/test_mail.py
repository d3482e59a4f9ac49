"""Channels of mails over a real SMTP server: what arrives, what is tried again, and what is refused for good."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from pydantic import SecretStr

from local_supabase.tests.mail.test_delivery import certificate
from local_supabase.tests.mail_server import MailServer, mail_server, text_of
from services.delivery.channel_kind import ChannelKind
from services.delivery.channels import ChannelDraft, PastDelivery, deliveries, put_channel
from services.delivery.couriers import mail as module
from services.delivery.couriers.mail import send_mails
from services.delivery.deliverer import Couriers, Deliverer
from services.delivery.message import Answer, Message
from services.mail.mailer import MailService, open_mail
from tests.services.delivery.desk import SEALER, Desk, draft
from tests.services.delivery.receiver import receiver
from tests.world import until

ANN, BOB, CID = "ann@example.org", "bob@example.org", "cid@example.org"
THREE = f"{ANN}, {BOB}, {CID}"
SECRET = "s3cr3t-of-the-mail"
FAILED = Message(title="Nightly failed", text="It ended with code 1.", url="https://watch.example.org/x", rule="Ops")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def service(port: int, *, user: str = "") -> AsyncIterator[MailService]:
    url = SecretStr(f"smtp://{user}127.0.0.1:{port}?from=Watch%20<watch@example.org>")
    async with open_mail(url) as mail:
        assert mail
        yield mail


async def sent(
    server: MailServer, message: Message = FAILED, to: str = ANN, settled: Mapping[str, str] | None = None
) -> Answer:
    async with service(server.port) as mail:
        return await send_mails(mail, to, message, settled=settled or {})


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    """Yield the port of a server that does to each connection what `talk` does."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_each_address_gets_a_mail_of_its_own_with_the_link_and_the_rule() -> None:
    async with mail_server() as server:
        answer = await sent(server, to=THREE)
    assert (answer.is_delivered, answer.text) == (True, "Accepted for 3 of 3.")
    assert sorted(each.rcpt_tos[0] for each in server.envelopes) == [ANN, BOB, CID]
    for mail in server.mails:
        assert mail["Subject"] == "Nightly failed"
        assert text_of(mail) == (
            "It ended with code 1.\n\nOpen:\nhttps://watch.example.org/x\n\nSent by the rule “Ops”.\n"
        )


@pytest.mark.parametrize(
    ("reply", "is_final"),
    [
        ("450 4.2.0 Greylisted, come back in five minutes", False),
        ("451 4.7.1 Greylisted", False),
        ("452 4.2.2 Mailbox full", False),
        ("421 Closing", False),
        ("550 5.1.1 No such user", True),
        ("552 5.2.2 Mailbox full", True),
        ("553 Not allowed", True),
        ("530 5.7.0 Authentication required", False),
    ],
)
async def test_an_address_that_is_refused_for_good_is_final_and_the_rest_is_tried_again(
    reply: str, is_final: bool
) -> None:
    async with mail_server() as server:
        server.refusals = [reply]
        answer = await sent(server)
    assert (answer.is_delivered, answer.is_final) == (False, is_final)
    assert answer.text == f"The mail server 127.0.0.1:{server.port} refused the recipient: {reply}"
    assert server.envelopes == []


@pytest.mark.parametrize(("reply", "is_final"), [("552 Too large", True), ("554 Spam", True), ("452 Full", False)])
async def test_a_mail_that_is_refused_after_its_content_is_treated_alike(reply: str, is_final: bool) -> None:
    async with mail_server() as server:
        server.answers = [reply]
        answer = await sent(server)
    assert (answer.is_delivered, answer.is_final) == (False, is_final)
    assert reply in answer.text


async def test_of_several_addresses_one_that_is_refused_for_good_is_told_and_asked_no_more() -> None:
    async with mail_server() as server:
        server.refusals_by_address = {BOB: ["550 No such user"] * 2, CID: ["451 Greylisted"]}
        first = await sent(server, to=THREE)
        assert (first.is_delivered, first.is_final) == (False, False)
        where = f"The mail server 127.0.0.1:{server.port} refused the recipient"
        assert first.text == f"Accepted for 1 of 3. {CID}: {where}: 451 Greylisted; {BOB}: {where}: 550 No such user"
        assert set(first.settled) == {ANN, BOB}
        second = await sent(server, to=THREE, settled=first.settled)
    assert (second.is_delivered, second.is_final) == (True, False)
    assert second.text.startswith("Accepted for 2 of 3. ")
    assert second.text.endswith(f"{BOB}: {where}: 550 No such user")
    assert [each.rcpt_tos for each in server.envelopes] == [[ANN], [CID]], "nobody has it twice"
    assert server.refusals_by_address[BOB] == ["550 No such user"]


async def test_where_all_are_refused_for_good_there_is_no_other_try() -> None:
    async with mail_server() as server:
        server.refusals = ["550 No such user"] * 3
        answer = await sent(server, to=THREE)
    assert (answer.is_delivered, answer.is_final) == (False, True)
    assert answer.text.startswith(f"Accepted for 0 of 3. {ANN} and 2 more: The mail server ")


async def _cut_in_the_content(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 here\r\n")
    while line := await reader.readline():
        if line.startswith(b"DATA"):
            writer.write(b"354 go\r\n")
            await reader.readline()
            return
        writer.write(b"250 ok\r\n")


async def _cut_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 he")


async def _garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\x1b[31m\xe2\x80\xae\xff\r\n\r\n")
    await writer.drain()


async def _endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220-" + b"x" * 2_000_000)
    await writer.drain()


async def _no_service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"554 Your network is blocked\r\n")
    await reader.read(1)


async def _silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass


async def _dribbling(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"220-still here\r\n")
        await asyncio.sleep(0.02)
        await writer.drain()


@pytest.mark.parametrize("talk", [_cut_in_the_content, _cut_at_once, _garbage, _endless, _no_service])
async def test_a_server_that_breaks_off_or_speaks_something_else_is_tried_again(talk: Talk) -> None:
    async with talking(talk) as port, service(port) as mail:
        answer = await send_mails(mail, ANN, FAILED, settled={})
    assert (answer.is_delivered, answer.is_final, dict(answer.settled)) == (False, False, {})
    assert f"127.0.0.1:{port}" in answer.text
    assert answer.text.isprintable()
    assert len(answer.text) < 400


async def test_nobody_at_the_port_is_tried_again() -> None:
    async with talking(_silent) as port:
        pass
    async with service(port) as mail:
        answer = await send_mails(mail, ANN, FAILED, settled={})
    assert (answer.is_delivered, answer.is_final) == (False, False)
    assert "does not respond" in answer.text


@pytest.mark.parametrize("talk", [_silent, _dribbling])
async def test_a_server_that_never_answers_is_left_and_who_has_the_mail_is_known(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALL_SECONDS", 0.3)
    async with talking(talk) as port, service(port) as mail:
        answer = await send_mails(mail, THREE, FAILED, settled={ANN: ""})
    assert (answer.is_delivered, answer.is_final, dict(answer.settled)) == (False, False, {ANN: ""})
    assert answer.text.startswith(f"Accepted for 1 of 3. {BOB} and 1 more: No answer within")


async def test_a_wrong_password_is_told_without_it_and_a_right_one_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def authenticate(_server: object, _session: object, _envelope: object, _way: object, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        said = data.password.decode()
        is_right = said == "right"
        # A server that repeats what it was sent.
        return AuthResult(success=is_right, handled=False, message=None if is_right else f"535 not {said}")

    answers = []
    async with mail_server(tls=certificate(tmp_path), authenticator=authenticate) as server:
        async with service(server.port, user="watch:right@") as mail:
            answers.append(await send_mails(mail, ANN, FAILED, settled={}))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        for password in (SECRET, "right"):
            async with service(server.port, user=f"watch:{password}@") as mail:
                answers.append(await send_mails(mail, ANN, FAILED, settled={}))
                assert SECRET not in repr(mail) + repr(vars(mail))
    assert [(each.is_delivered, each.is_final) for each in answers] == [(False, False), (False, False), (True, False)]
    assert "certificate" in answers[0].text
    assert "refused user name or password (535)" in answers[1].text
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err + repr(answers)


async def test_a_password_never_leaves_without_encryption() -> None:
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            seen.append(line)
            writer.write(b"250-here\r\n250 AUTH PLAIN LOGIN\r\n" if line.startswith(b"EHLO") else b"221 bye\r\n")

    async with talking(talk) as port, service(port, user=f"watch:{SECRET}@") as mail:
        answer = await send_mails(mail, ANN, FAILED, settled={})
    assert (answer.is_delivered, answer.is_final) == (False, False)
    assert "offers no STARTTLS" in answer.text
    assert not any(each.startswith(b"AUTH") for each in seen)


async def test_a_starttls_that_breaks_is_tried_again() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            writer.write(
                b"250-here\r\n250 STARTTLS\r\n" if line.startswith(b"EHLO") else b"220 go\r\nnot TLS at all\r\n"
            )

    async with talking(talk) as port, service(port) as mail:
        answer = await send_mails(mail, ANN, FAILED, settled={})
    assert (answer.is_delivered, answer.is_final) == (False, False)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Run\r\nBcc: eve@example.org\r\n\r\nhello", "Run Bcc: eve@example.org hello"),
        ("a\u2028b\u0085c\0d\x1b[31m", "a bcd"),
        ("\u202egpj.exe\u2066", "gpj.exe"),
        (
            "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
            "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
        ),
        (
            "\U0001f525 \U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\U0001f525 \U0001f468\u200d\U0001f469\u200d\U0001f467",
        ),
        ("", "A message from Livewatch"),
        ("\u202e\0", "A message from Livewatch"),
        ("=?utf-8?q?a=0D=0ABcc:_eve?=", "= ?utf-8?q?a=0D=0ABcc:_eve?="),
        ("=?utf-8?B?4oCuZ3Bq?= x=?y", "= ?utf-8?B?4oCuZ3Bq?= x=?y"),
        ("x" * 10_000, "x" * 159 + "…"),
        ("\ud83d half", "\ufffd half"),
    ],
)
async def test_no_name_breaks_out_of_the_subject(name: str, subject: str) -> None:
    async with mail_server() as server:
        answer = await sent(server, Message.of_record(Message(title=name, text=name, rule=name).as_json))
    assert answer.is_delivered, answer.text
    [mail], [envelope] = server.mails, server.envelopes
    assert mail["Subject"] == subject
    assert (mail["Bcc"], envelope.rcpt_tos, mail["To"]) == (None, [ANN], ANN)
    assert [each.get_content_type() for each in mail.iter_parts()] == ["text/plain", "text/html"]
    assert all(each.isprintable() or each in "\r\n\u200d" for each in text_of(mail))
    assert isinstance(envelope.content, bytes)
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998


async def test_a_server_that_takes_small_mails_only_refuses_a_large_one_for_good() -> None:
    async with mail_server(data_size_limit=5000) as server:
        answer = await sent(server, Message(title="Large", text="x" * 3000))
    assert (answer.is_delivered, answer.is_final) == (False, True)
    assert "552" in answer.text


@pytest.mark.integration
async def test_last_messages_say_who_has_a_mail_and_it_is_tried_again_for_the_rest(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(mail_server())
        mail = await stack.enter_async_context(service(server.port))
        couriers = Couriers(SEALER, mail, allow_private=True)
        given = ChannelDraft(name="Mail", kind=ChannelKind.EMAIL, address=SecretStr(THREE))
        id, _ = await put_channel(database, ada, desk.org, given, SEALER)
        server.refusals_by_address = {BOB: ["451 Greylisted"]}
        await desk.enqueue("partly", channel=id)

        async def tried(attempts: int) -> PastDelivery:
            found: list[PastDelivery] = []

            async def is_noted() -> bool:
                found[:] = await deliveries(database, ada, desk.org, id)
                return found[0].attempts == attempts and found[0].answer != before

            await until(is_noted, what=f"try {attempts}")
            return found[0]

        async with Deliverer(database, couriers, interval=0.05):
            before = None
            waiting = await tried(1)
            assert (waiting.delivered_at, waiting.gave_up_at) == (None, None)
            assert "451 Greylisted" in str(waiting.answer)
            before = waiting.answer
            await desk.world.sql("update deliveries set next_at = now() where channel_id = %s", id)
            done = await tried(2)
        assert (done.delivered_at is not None, done.answer) == (True, "Accepted for 3 of 3.")
        assert sorted(each.rcpt_tos[0] for each in server.envelopes) == [ANN, BOB, CID]


@pytest.mark.integration
async def test_a_silent_mail_server_holds_up_no_webhook(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(talking(_silent))
        there = await stack.enter_async_context(receiver())
        mail = await stack.enter_async_context(service(port))
        couriers = Couriers(SEALER, mail, allow_private=True)
        given = ChannelDraft(name="Mail", kind=ChannelKind.EMAIL, address=SecretStr(THREE))
        silent, _ = await put_channel(database, ada, desk.org, given, SEALER)
        hook, _ = await put_channel(database, ada, desk.org, draft(there.url, name="Hook"), SEALER)
        await desk.enqueue(*(f"silent {number}" for number in range(20)), channel=silent)
        await desk.enqueue("first", "second", channel=hook)
        async with Deliverer(database, couriers, interval=0.05):
            await until(lambda: len(there.requests) == 2, what="both webhooks")
