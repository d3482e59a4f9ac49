"""Jobs: their latest runs, and how long they usually take."""

from pathlib import Path

RUN_STRIP_JS = Path(__file__).with_name("run_strip.js")
"""The browser module that draws the latest runs of a job."""
