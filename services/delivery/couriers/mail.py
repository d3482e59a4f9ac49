"""E-mail: one mail to each address of a channel, through the SMTP server of the app."""

import asyncio
from collections.abc import Mapping

from services.delivery.channel_kind import mail_addresses
from services.delivery.message import Answer, Message, shortened
from services.errors import MailNotSent
from services.mail.mailer import Mail, MailService
from services.text import one_line, visible

MAX_REASONS = 2
MAX_SHOWN_ADDRESS = 40
MAX_REASON_CHARACTERS = 130
"""With the addresses two reasons fit into what is kept of an answer."""
ALL_SECONDS = 40.0
"""For all addresses; less than a try of the deliverer, so that those that were accepted are noted."""


async def send_mails(
    mail: MailService | None, addresses: str, message: Message, *, settled: Mapping[str, str]
) -> Answer:
    """Send a message to the addresses that no earlier try has settled.

    It is delivered once every address has accepted it or refused it for good, and at least one has accepted it; until
    then another try is due for the others. A refusal of all is final.
    """
    if mail is None:
        return Answer(
            is_delivered=False,
            text="There is no SMTP server: set LIVEWATCH_SMTP_URL and restart the app.",
            is_final=True,
        )
    recipients = mail_addresses(addresses)
    known = {each: settled[each] for each in recipients if each in settled}
    failures: dict[str, str] = {each: f"No answer within {ALL_SECONDS:.0f} s." for each in recipients}

    async def send(address: str) -> None:
        try:
            await mail.send_once(_mail(address, message))
            known[address] = ""
        except MailNotSent as error:
            (known if error.is_refused else failures)[address] = visible(str(error))

    try:
        async with asyncio.timeout(ALL_SECONDS), asyncio.TaskGroup() as tasks:
            for each in recipients:
                if each not in known:
                    tasks.create_task(send(each), name="mail of a channel")
    except TimeoutError:
        pass  # Those who have not answered are tried again.
    accepted = sum(not known.get(each, "refused") for each in recipients)
    waiting = {each: failures[each] for each in recipients if each not in known}
    return Answer(
        is_delivered=bool(accepted and not waiting),
        is_final=not accepted and not waiting,
        # What is tried again first: the rest will not change.
        text=_said(accepted, len(recipients), waiting | {each: known[each] for each in recipients if known.get(each)}),
        settled=known,
    )


def _said(accepted: int, count: int, reasons: Mapping[str, str]) -> str:
    """Return how many accepted, and for each of the first reasons whom it is about; of one address the reason alone."""
    if count == 1:
        return next(iter(reasons.values()), "Accepted for 1 of 1.")
    said = []
    for reason in list(dict.fromkeys(reasons.values()))[:MAX_REASONS]:
        about = [each for each, why in reasons.items() if why == reason]
        others = f" and {len(about) - 1} more" if len(about) > 1 else ""
        said.append(f"{shortened(about[0], MAX_SHOWN_ADDRESS)}{others}: {shortened(reason, MAX_REASON_CHARACTERS)}")
    return f"Accepted for {accepted} of {count}. {'; '.join(said)}".rstrip()


def _mail(address: str, message: Message) -> Mail:
    title = one_line(message.title) or "A message from Livewatch"
    return Mail(
        to=address,
        subject=title,
        paragraphs=visible(message.text).splitlines() or [title],
        action=("Open", message.url) if message.url else None,
        closing=[f"Sent by the rule “{one_line(message.rule)}”."] if message.rule else [],
    )
