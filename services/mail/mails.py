"""Texts of the app's mails."""

from datetime import timedelta

from services.mail.mailer import Mail
from services.people.models import Role
from services.text import visible_name


def invitation_mail(
    email: str, *, org_name: str, invited_by: str, role: Role, link: str, lifetime: timedelta | None = None
) -> Mail:
    """Return the mail that invites somebody to an organisation."""
    organization, person = visible_name(org_name), visible_name(invited_by)
    expiry = f"The link works once, and for {_days(lifetime)}." if lifetime else "The link works once."
    return Mail(
        to=email,
        subject=f"Join {organization} on Livewatch",
        paragraphs=[f"{person} invites you to {organization} on Livewatch, to watch its work live, as {role.value}."],
        action=("Open the invitation", link),
        closing=[f"{expiry} It is for {email} only.", "If you did not expect this, ignore this mail."],
    )


def confirm_address_mail(email: str, *, link: str) -> Mail:
    """Return the mail that confirms the address of somebody who joins by an invitation."""
    return Mail(
        to=email,
        subject="Confirm your address",
        paragraphs=["Confirm that this address is yours, to open your Livewatch account and join."],
        action=("Confirm your address", link),
        closing=["The link works once, and for an hour.", "If you did not ask for this, ignore this mail."],
    )


def account_exists_mail(email: str, *, address: str) -> Mail:
    """Return the mail to somebody who signs up, and has an account already."""
    return Mail(
        to=email,
        subject="You already have a Livewatch account",
        paragraphs=[
            "Somebody, hopefully you, signed up to Livewatch with this address. It has an account already: sign in "
            "with it, or set a new password if you have forgotten yours.",
        ],
        action=("Sign in", f"{address}/sign-in"),
        closing=["If you did not ask for this, ignore this mail: nothing changes."],
    )


def _days(lifetime: timedelta) -> str:
    return "1 day" if lifetime.days == 1 else f"{lifetime.days} days"
