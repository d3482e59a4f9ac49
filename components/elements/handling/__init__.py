"""Who takes care of which run or alert, for any component."""

from pathlib import Path

HANDLING_JS = Path(__file__).with_name("handling.js")
"""The browser module through which any component knows who takes care of a row."""
