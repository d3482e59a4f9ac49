"""Template of the links in mails, with variables as in the mail templates of a hosted project, and `Type`."""

import re
from collections.abc import Mapping

DEFAULT_MAIL_LINK = "{{ .ConfirmationURL }}"
VARIABLES = frozenset({"ConfirmationURL", "Email", "RedirectTo", "SiteURL", "Token", "TokenHash", "Type"})

_VARIABLE = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


def unknown_variables(template: str) -> list[str]:
    """Return the variables of a template that have no value."""
    return [name for name in _VARIABLE.findall(template) if name not in VARIABLES]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the link of a template; each value is inserted once and as it is."""
    return _VARIABLE.sub(lambda match: values.get(match[1], ""), template)
