"""Formats in which programs print progress: tqdm, rsync, curl, wget, dd, pv, apt, git, docker, npm, ffmpeg, others."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER = r"(?P<percent>\d{1,3}(?:\.\d+)?)"
SIZES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
MAX_LABEL_CHARACTERS = 80
PERCENT = "%"
BYTES = "B"


@dataclass(frozen=True)
class Progress:
    """What one line tells of one bar.

    Attributes:
        done: Units done.
        total: Units to do; None if unknown.
        unit: Name of the units; `%` where the line tells per cent only.
        label: Name of the bar; empty if the line has none.
    """

    done: float
    total: float | None
    unit: str | None = None
    label: str = ""

    @property
    def is_percent(self) -> bool:
        """Whether it tells per cent only."""
        return self.unit == PERCENT

    @property
    def percent(self) -> float | None:
        """Per cent done; None if the total is unknown."""
        return 100 * self.done / self.total if self.total else None

    @property
    def is_full(self) -> bool:
        """Whether all is done."""
        return self.total is not None and self.done >= self.total


# Counts: tqdm, git, ninja and docker build, keras.
COUNTS = [
    re.compile(each)
    for each in (
        r"\d{1,3}%\|.*?\|\s*(?P<done>\d+)/(?P<total>\d+)\s*\[",
        r"\d{1,3}% \((?P<done>\d+)/(?P<total>\d+)\)",
        r"^\s*\[\s*(?P<done>\d+)\s*/\s*(?P<total>\d+)\s*\]",
        r"^\s*(?P<done>\d+)/(?P<total>\d+)\s*\[[=>.━ ]",
    )
]
BAR = re.compile(rf"{NUMBER}%\|")
# Of rsync, whose line has one percentage and numbers beside it; of curl, whose has three of them; of wget without a
# terminal.
METERS = [
    re.compile(each)
    for each in (
        rf"^\s*[\d.,]+[KMGTP]?\s+{NUMBER}%\s+[\d.,]+[kKMGT]?B/s\s+\d+:\d\d:\d\d",
        r"^\s*(?P<percent>\d{1,3})\s+[\d.]+[kMGTP]?\s+(?P=percent)\s+[\d.]+[kMGTP]?\s+\d+\s+[\d.]+[kMGTP]?\s+[\d.]+[kMGTP]?"
        r"\s+[\d.]+[kMGTP]?(?:\s+(?:-+:--:--|\d+:\d\d:\d\d)){3}\s+[\d.]+[kMGTP]?\s*$",
        rf"^\s*\d+[KM](?:\s[.,]+)+\s+{NUMBER}%\s",
    )
]
# Percentages that can only be progress: alone, next to a bar, in brackets at either end of a line, or named so.
PERCENTAGES = [
    re.compile(each, re.IGNORECASE)
    for each in (
        rf"^\s*{NUMBER}\s?%\s*(?:$|[|(\[#=>█-▏━])",
        rf"^\s*\[\s*{NUMBER}\s?%\s*\]",
        rf"\[\s*{NUMBER}\s?%\s*\]\s*$",
        rf"[━╸╺█#=>]{{2,}}\S*\s+{NUMBER}\s?%",
        rf"{NUMBER}%\[[ =>+<-]*\]",
        rf"\[[=>#. -]{{5,}}\]\s*{NUMBER}\s?%",
        rf"\bprogress\b[:= ]*\[?\s*{NUMBER}\s?%",
        rf"(?<![\d.]){NUMBER}\s?%\s+(?:done|complete|completed|finished)\b",
    )
]
NPM = re.compile(r"⸨(?P<done>[#█=]*)(?P<rest>[⠂░ .-]*)⸩")
DD = re.compile(r"^(?P<done>\d+) bytes(?: \([^)]*\))* copied, ")
LAYER = re.compile(
    r"^(?P<label>[0-9a-f]{12}): (?:Downloading|Extracting)\s+\[[=> ]*\]\s+"
    r"(?P<done>[\d.]+)(?P<done_unit>[kMGT]?)B/(?P<total>[\d.]+)(?P<total_unit>[kMGT]?)B"
)
TIME = r"(\d+):(\d\d):(\d\d(?:\.\d+)?)"
DURATION = re.compile(rf"^\s*Duration: {TIME}, start:")
POSITION = re.compile(rf"^(?:frame|size)=.*\btime={TIME}")
LABEL_END = re.compile(r"[\s:|\[(]*(?:\d{1,3}(?:\.\d+)?%?)?[\s:|\[(]*$")


def progress_in(line: str) -> Progress | None:
    """Extract progress from a line; None if the line may mean anything else."""
    for form in (_count, _meter, _percentage, _npm, _copied, _layer):
        if (progress := form(line)) is not None:
            return progress
    return None


def duration_in(line: str) -> float | None:
    """Return the seconds of a medium that ffmpeg announces; None for any other line."""
    return _seconds(DURATION.match(line))


def position_in(line: str) -> float | None:
    """Return the seconds of a medium that ffmpeg has converted; None for any other line."""
    return _seconds(POSITION.match(line))


def _count(line: str) -> Progress | None:
    if "/" not in line:
        return None
    for form in COUNTS:
        if (match := form.search(line)) and 0 < int(match["total"]) >= int(match["done"]):
            return Progress(int(match["done"]), int(match["total"]), label=_label(line, match))
    return None


def _meter(line: str) -> Progress | None:
    return next((_percent(line, match) for form in METERS if (match := form.search(line))), None)


def _percentage(line: str) -> Progress | None:
    if match := BAR.search(line):
        return _percent(line, match)
    if line.count("%") != 1:
        return None
    return next((_percent(line, match) for form in PERCENTAGES if (match := form.search(line))), None)


def _npm(line: str) -> Progress | None:
    match = NPM.search(line)
    width = len(match["done"]) + len(match["rest"]) if match else 0
    return Progress(round(100 * len(match["done"]) / width, 1), 100, PERCENT) if match and width else None


def _copied(line: str) -> Progress | None:
    match = DD.match(line)
    return Progress(int(match["done"]), None, BYTES) if match else None


def _layer(line: str) -> Progress | None:
    match = LAYER.match(line)
    if match is None:
        return None
    done, total = (round(float(match[name]) * SIZES[match[f"{name}_unit"]]) for name in ("done", "total"))
    return Progress(done, total, BYTES, match["label"])


def _percent(line: str, match: re.Match[str]) -> Progress | None:
    percent = float(match["percent"])
    return Progress(percent, 100, PERCENT, _label(line, match)) if percent <= 100 else None


def _label(line: str, match: re.Match[str]) -> str:
    """Return the text before a bar, without the percentage that leads to it."""
    before = line[: match.start()]
    # Sizes, rates and times before it are other numbers of the same bar.
    if re.search(r"[━╸╺█#=>\[\]]{2,}|/s\b|\d:\d\d", before):
        return ""
    return LABEL_END.sub("", before).strip()[-MAX_LABEL_CHARACTERS:]


def _seconds(match: re.Match[str] | None) -> float | None:
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else None
