"""Badges: a name and a state as a small picture, for the README of a repository."""

from html import escape

from services.status.reading import Health, PublicJob, PublicStatus
from services.text import visible_name

COLOURS = {Health.WELL: "#217a3c", Health.PROBLEM: "#b42318", Health.UNKNOWN: "#5a6270"}
MAX_CHARACTERS = 40
CHARACTER_WIDTH = 7
PADDING = 8


def status_badge(status: PublicStatus) -> str:
    """Return the badge of all jobs of a page."""
    return badge(status.title, status.sentence, status.health)


def job_badge(job: PublicJob) -> str:
    """Return the badge of one job."""
    return badge(job.name, job.state.label, job.health)


def badge(name: str, state: str, health: Health) -> str:
    """Return a badge as SVG; long names are cut, and no font decides how wide they are."""
    name = visible_name(name)
    short = name if len(name) <= MAX_CHARACTERS else f"{name[: MAX_CHARACTERS - 1]}…"
    state = state.lower()
    left, right = (len(each) * CHARACTER_WIDTH + 2 * PADDING for each in (short, state))
    said = escape(f"{name}: {state}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{said}">'
        f'<title>{said}</title><rect width="{left}" height="20" fill="#33373e"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLOURS[health]}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f"{_words(short, left, left / 2)}{_words(state, right, left + right / 2)}</g></svg>"
    )


def _words(words: str, width: float, middle: float) -> str:
    length = width - 2 * PADDING
    return f'<text x="{middle:g}" y="14" textLength="{length:g}" lengthAdjust="spacingAndGlyphs">{escape(words)}</text>'
