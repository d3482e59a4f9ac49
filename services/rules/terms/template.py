"""Templates: the title and the text of a rule's messages as its organisation words them, with named placeholders."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from types import MappingProxyType
from typing import Any

from services.delivery.message import MAX_TEXT_CHARACTERS, MAX_TITLE_CHARACTERS, shortened
from services.errors import NotAccepted
from services.text import is_blank, one_line, storable, visible

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "run": "name of the run, the job or the alert; of several the first three",
        "job": "slug of the job; of several the first three",
        "event": "what happened, such as “run failed”",
        "error": "the first error; empty for none",
        "count": "number of events",
        "url": "address of the page that shows it",
        "organization": "name of the organisation",
        "rule": "name of the rule",
        "title": "the title that the message has without a template",
        "text": "the text that it has without one",
    }
)
"""What a template may name, and what stands in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTemplate:
    """Templates of a title and of a text; an empty one leaves the message its own."""

    title: str = ""
    text: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "MessageTemplate":
        """Read `title` and `text`.

        Raises:
            NotAccepted: One is too long, names what there is not, or has a `$` that names nothing.
        """
        return cls(
            title=_valid(given.get("title"), "title", MAX_TITLE_CHARACTERS),
            text=_valid(given.get("text"), "text", MAX_TEXT_CHARACTERS),
        )

    @property
    def definition(self) -> dict[str, str]:
        """The templates as the database stores them and `parse` reads them."""
        return {"title": self.title, "text": self.text}

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return title and text with the values of all placeholders in place; nothing within a value is replaced.

        What shows nothing is left as the message has it without a template.
        """
        title = one_line(Template(self.title).safe_substitute(values)) if self.title else ""
        text = visible(Template(self.text).safe_substitute(values)) if self.text else ""
        return (
            shortened(title if not is_blank(title) else values["title"], MAX_TITLE_CHARACTERS),
            shortened(text if not is_blank(text) else values["text"], MAX_TEXT_CHARACTERS),
        )


def _valid(given: object, what: str, limit: int) -> str:
    written = storable(str(given or "")).strip()
    if len(written) > limit:
        raise NotAccepted(f"The template of the {what} has {len(written):,} characters. It has at most {limit:,}.")
    for found in Template.pattern.finditer(written):
        name = found["named"] or found["braced"]
        if name and name not in PLACEHOLDERS:
            raise NotAccepted(f"“${name[:40]}” in the template of the {what} is no placeholder. There are {_NAMES}.")
        if found["invalid"] is not None:
            near = written[found.start() : found.start() + 12]
            raise NotAccepted(
                f"The $ at “{near}” in the template of the {what} names nothing. Write $$ for a dollar sign, or one of "
                f"{_NAMES}."
            )
    return written


_NAMES = ", ".join(f"${name}" for name in PLACEHOLDERS)
