"""Line plots with logarithmic axes as SVG, with light and dark colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 44
COLOURS = ("#3b5bdb", "#e8590c", "#2b8a3e")
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #495057 } .title { font-weight: 600; font-size: 14px; fill: #212529 }
    .grid { stroke: #dee2e6 } .line { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
        text { fill: #adb5bd } .title { fill: #f1f3f5 } .grid { stroke: #373a40 }
    }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Series of points with positive coordinates."""

    name: str
    points: Sequence[tuple[float, float]]


def plot(path: Path, *, title: str, x: str, y: str, lines: Sequence[Line]) -> None:
    """Write a plot to a file; `x` and `y` are the labels of the axes, with units."""
    across = _Axis([point[0] for line in lines for point in line.points], LEFT, WIDTH - RIGHT)
    upwards = _Axis([point[1] for line in lines for point in line.points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        _text(LEFT, 20, title, kind="title"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x, anchor="middle"),
        f'<g transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">{_text(0, 0, y, anchor="middle")}</g>',
    ]
    for tick in across.ticks:
        parts.append(f'<path class="grid" d="M{across.at(tick):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(_text(across.at(tick), HEIGHT - BOTTOM + 16, f"{tick:,g}", anchor="middle"))
    for tick in upwards.ticks:
        parts.append(f'<path class="grid" d="M{LEFT} {upwards.at(tick):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(_text(LEFT - 6, upwards.at(tick) + 4, f"{tick:,g}", anchor="end"))
    for line, colour in zip(lines, COLOURS, strict=False):
        places = [(across.at(a), upwards.at(b)) for a, b in line.points]
        drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{drawn}"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in places]
        parts.append(_text(places[-1][0] + 8, places[-1][1] + 4, line.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")


class _Axis:
    """Logarithmic axis from pixel `start` to `end`, with a tick at each power of ten."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self._low, self._high = lowest, max(highest, lowest + 1)
        self._start, self._end = start, end
        self.ticks = [10.0**power for power in range(self._low, self._high + 1)]

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
