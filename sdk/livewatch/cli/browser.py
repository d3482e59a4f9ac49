"""Opens pages in the user's browser."""

from __future__ import annotations

import os
import webbrowser
from contextlib import suppress


def open_page(address: str) -> None:
    """Open a page in a window of its own; do nothing where there is no browser but one for the terminal."""
    with suppress(Exception):  # The address is printed, too.
        browser = webbrowser.get()
        # One for the terminal would take it over.
        if type(browser) is not webbrowser.GenericBrowser or os.environ.get("BROWSER"):
            browser.open(address)
