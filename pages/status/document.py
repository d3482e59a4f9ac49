"""The public status page as a document: HTML and its own style, without a script."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from html import escape

from services.status.reading import Day, Health, PublicIncident, PublicJob, PublicNote, PublicStatus
from services.text import visible, visible_name

STYLE = """
:root{color-scheme:light dark;--back:#f6f7f9;--panel:#fff;--line:#d9dde3;--text:#1a1d23;--muted:#5a6270;
--well:#217a3c;--problem:#c92a2a;--unknown:#6b7280;--none:#d3d8df;--some:#b35900}
@media (prefers-color-scheme:dark){:root{--back:#14161a;--panel:#1d2026;--line:#343943;--text:#eceef2;
--muted:#a4acb9;--well:#51cf66;--problem:#ff8787;--unknown:#a4acb9;--none:#3a404b;--some:#ffa94d}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main,footer{max-width:56rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;margin:1rem 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:0}
h1,h2,h3,p,li{overflow-wrap:anywhere}
p{margin:.25rem 0}.text{white-space:pre-line}.muted{color:var(--muted)}
.overall{font-size:1.2rem;font-weight:600;border-left:.4rem solid;padding:.75rem 1rem;margin:1rem 0}
.panel,.overall{background:var(--panel);border-radius:.5rem}
.panel{border:1px solid var(--line);padding:.75rem 1rem;margin:.5rem 0}
.head{display:flex;flex-wrap:wrap;gap:.25rem 1rem;justify-content:space-between}
.well{color:var(--well)}.problem{color:var(--problem)}.unknown{color:var(--unknown)}
.state{font-weight:600}
svg{display:block;width:100%;height:2rem;margin:.5rem 0 .25rem}
.good{fill:var(--well)}.some{fill:var(--some)}.bad{fill:var(--problem)}.none{fill:var(--none)}
ul{list-style:none;margin:0;padding:0}
a{color:inherit}
"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KINDS = {
    "unreachable": "Unreachable",
    "stalled": "No progress",
    "slow": "Slower than usual",
    "overdue": "Takes too long",
    "late": "Late",
}


def status_document(status: PublicStatus) -> str:
    """Return the page of a status."""
    title = visible_name(status.title)
    about = f'<p class="text muted">{_text(status.about)}</p>' if status.about.strip() else ""
    jobs = "".join(_job(each) for each in status.jobs) or '<p class="muted">No job is shown here.</p>'
    notes = "".join(_note(each) for each in status.notes)
    incidents = "".join(_incident(each) for each in status.incidents)
    none = '<p class="muted">There was none in the last 14 days.</p>'
    body = (
        f"<main><h1>{escape(title)}</h1>{about}"
        f'<p class="overall {status.health}" role="status">{escape(status.sentence)}</p>'
        + (f"<h2>Notes</h2>{notes}" if notes else "")
        + f"<h2>Jobs</h2>{jobs}<h2>Incidents</h2>"
        + (f"<ul>{incidents}</ul>" if incidents else none)
        + f'</main><footer class="muted">As of {_time(status.at)}. <a href="">Look again</a></footer>'
    )
    return _document(f"{status.sentence} · {title}", body)


def message_document(headline: str, sentence: str) -> str:
    """Return a page that says why there is no status."""
    return _document(headline, f"<main><h1>{escape(headline)}</h1><p>{escape(sentence)}</p></main>")


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en-GB"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _job(job: PublicJob) -> str:
    ended = f'<p class="muted">The latest run ended {_time(job.ended_at)}.</p>' if job.ended_at else ""
    return (
        f'<section class="panel"><div class="head"><h3 dir="auto">{_name(job.name)}</h3>'
        f'<span class="state {job.health}">{escape(job.state.label)}</span></div>{_strip(job.days)}'
        f'<div class="head muted"><span>{len(job.days)} days ago</span><span>today</span></div>{ended}</section>'
    )


def _strip(days: tuple[Day, ...]) -> str:
    good = sum(each.succeeded > 0 and not each.failed for each in days)
    failed = sum(each.failed > 0 for each in days)
    about = (
        f"Of the last {len(days)} days, {good} had runs that succeeded and none that failed, {failed} had failed runs, "
        f"and {len(days) - good - failed} had neither."
    )
    bars = "".join(
        f'<rect class="{_class(each)}" x="{at * 10}" width="8" height="30" rx="1.5"><title>{_day(each)}</title></rect>'
        for at, each in enumerate(days)
    )
    return (
        f'<svg role="img" aria-label="{escape(about)}" viewBox="0 0 {len(days) * 10 - 2} 30" '
        f'preserveAspectRatio="none">{bars}</svg>'
    )


def _class(day: Day) -> str:
    if day.failed:
        return "some" if day.succeeded else "bad"
    return "good" if day.succeeded else "none"


def _day(day: Day) -> str:
    parts: Iterable[str] = (
        f"{count:,} {word}"
        for count, word in ((day.succeeded, "succeeded"), (day.failed, "failed"), (day.stopped, "stopped"))
        if count
    )
    return f"{day.on:%d %b %Y}: {', '.join(parts) or 'none ran'}"


def _note(note: PublicNote) -> str:
    over = f" Over since {_time(note.resolved_at)}." if note.resolved_at else " Not over yet."
    body = f'<p class="text" dir="auto">{_text(note.body)}</p>' if note.body.strip() else ""
    return (
        f'<article class="panel"><h3 dir="auto">{_name(note.title)}</h3>{body}'
        f'<p class="muted">{_time(note.at)}.{over}</p></article>'
    )


def _incident(incident: PublicIncident) -> str:
    kind = KINDS.get(incident.kind, "Problem")
    until = f"until {_time(incident.recovered_at)}" if incident.recovered_at else "not over yet"
    state = Health.UNKNOWN if incident.recovered_at else Health.PROBLEM
    return (
        f'<li class="panel"><span class="state {state}">{kind}</span>: <bdi>{_name(incident.name)}</bdi> '
        f'<p class="muted">Since {_time(incident.began_at)}, {until}.</p></li>'
    )


def _time(at: datetime) -> str:
    return f'<time datetime="{at.isoformat()}">{at:%d %b %Y %H:%M} UTC</time>'


def _name(text: str) -> str:
    return escape(visible_name(text))


def _text(text: str) -> str:
    return escape(visible(text))
