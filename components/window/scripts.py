"""The browser modules that several elements import."""

from pathlib import Path

SHARED_JS = Path(__file__).with_name("shared.js")
