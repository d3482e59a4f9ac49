"""Who is online, and who looks at what."""

from pathlib import Path

VIEWERS_JS = Path(__file__).with_name("viewers.js")
"""The browser module through which any component knows who looks at what."""
PEOPLE_LIST_JS = Path(__file__).with_name("people_list.js")
"""The browser module of a list of the people online."""
