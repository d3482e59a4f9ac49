"""Custom elements: each a Python class with its JavaScript and styles next to it."""

from pathlib import Path

KEPT_JS = Path(__file__).with_name("kept.js")
"""The browser module by which elements keep what a person has typed."""
COPYING_JS = Path(__file__).with_name("copying.js")
"""Copies text to the clipboard."""
