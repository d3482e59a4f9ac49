"""The browser's own code of logs: escape sequences, colours that can be read, progress and what was found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, Route, sync_playwright

from services.text import ESCAPE_SEQUENCES
from tests.browser import ADVICE, FLAGS, find

pytestmark = pytest.mark.e2e
LOGS = Path(__file__).parents[3] / "components/elements/logs"
HOME = """<!doctype html><script type="importmap">{"imports": {"ansi": "/ansi.js", "log_rows": "/log_rows.js"}}</script>
<script type="module">
  import * as ansi from "ansi";
  import * as rows from "log_rows";
  const line = (message, id, level = "info") => ({ id, at: id, level, message });
  const shown = (log) => log.rows.map((row) => [row.line.parsed.text, row.isHead ? row.fold.lines.length : 0]);
  window.act = {
    texts: (messages) => messages.map((message) => ansi.parse(message).text),
    parts: (message) => ansi.parse(message).parts.map((part) => [part.text, part.style]),
    paint: (styles) => styles.map(ansi.paint),
    rows(batches, open) {
      const log = rows.logRows();
      let id = 0;
      for (const batch of batches) log.append(batch.map((message) => line(message, ++id)), false);
      const before = shown(log);
      if (open) log.open(open);
      return [before, shown(log), log.lines.length];
    },
    both() {
      const log = rows.logRows();
      log.reset([5, 6].map((id) => line(`${id} %`, id)));
      log.prepend([3, 4].map((id) => line(`${id} %`, id)));
      const dropped = log.append(Array.from({ length: 30000 }, (_, id) => line(`line ${id}`, 100 + id)), true);
      return [shown(log).slice(0, 2), dropped, log.lines.length, log.find(4), log.find(99)];
    },
    found(message, hit, texts) {
      const given = { ...line(message, 1), hit };
      rows.logRows().reset([given]);
      return rows.marked(given, texts).filter((part) => part.isFound).map((part) => part.text);
    },
    time(messages) {
      const began = performance.now();
      rows.logRows().append(messages.map((message, id) => line(message, id)), false);
      return performance.now() - began;
    },
  };
</script>"""
RED, BOLD = {"ink": 1}, {"bold": True}


def serve(route: Route) -> None:
    path = route.request.url.removeprefix("http://code.test/")
    if path:
        route.fulfill(path=LOGS / path, content_type="text/javascript")
    else:
        route.fulfill(body=HOME, content_type="text/html")


@pytest.fixture(scope="module")
def code() -> Iterator[Page]:
    path = find()
    assert path, ADVICE
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        page.route("http://code.test/**", serve)
        page.goto("http://code.test/")
        page.wait_for_function("window.act")
        yield page
        browser.close()


def act(code: Page, name: str, *arguments: Any) -> Any:
    return code.evaluate(f"(given) => act.{name}(...given)", list(arguments))


CASES: list[tuple[str, list[Any]]] = [
    ("plain", [["plain", None]]),
    ("\x1b[31mred\x1b[0m end", [["red", RED], [" end", None]]),
    ("\x1b[1;31mx\x1b[22my", [["x", BOLD | RED], ["y", RED]]),
    ("\x1b[mx\x1b[99mx", [["x", None], ["x", None]]),
    ("\x1b[38;5;208mx\x1b[38;2;1;2;3my", [["x", {"ink": 208}], ["y", {"ink": [1, 2, 3]}]]),
    ("\x1b[38:2::4:5:6mx\x1b[48:5:7my", [["x", {"ink": [4, 5, 6]}], ["y", {"ink": [4, 5, 6], "paper": 7}]]),
    ("\x1b[38;5;999mx\x1b[38;2;1mx\x1b[38mx", [["x", None], ["x", None], ["x", None]]),
    ("\x1b[4:3;97;104mx\x1b[4:0;39;49mx", [["x", {"underline": True, "ink": 15, "paper": 12}], ["x", None]]),
    ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", [["link", None]]),
    ("a\x1b[2J\x1b[10;20H\x1b[5A\x1b[?25lb", [["a", None], ["b", None]]),
    ("\x1b]0;a title that never ends", []),
    ("never ends\x1b[38;5", [["never ends", None]]),
    ("a\x00\x07b\x9b31mc\u202ed", [["a", None], ["b", None], ["c", None], ["d", None]]),
    ("10 %\r50 %\r100 %", [["100 %", None]]),
    ("loading...\rdone", [["doneing...", None]]),
    ("loading...\r\x1b[Kdone", [["done", None]]),
    ("loading\x1b[2K\rdone", [["done", None]]),
    ("50 %\r", [["50 %", None]]),
    ("aXX\b\b\x1b[31mbc", [["a", None], ["bc", RED]]),
    ("one\r\ntwo\rT", [["one\nTwo", None]]),
    ("שלמ \x1b[31mעלמ", [["שלמ ", None], ["עלמ", RED]]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "parts"), CASES)
def test_colours_are_shown_and_every_other_sequence_is_removed(code: Page, message: str, parts: list[Any]) -> None:
    assert act(code, "parts", message) == parts


@settings(
    max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(st.lists(st.text(alphabet="\x1b[]()0;?1mKJ\x07\x9b\\ Pab%é", max_size=40), max_size=20))
def test_the_browser_removes_what_the_server_removes(code: Page, messages: list[str]) -> None:
    """So that what is found by a regular expression is where the page shows it."""
    expected = [ESCAPE_SEQUENCES.sub("", text).replace("\x07", "") for text in messages]
    assert act(code, "texts", messages) == expected


def test_long_lines_take_no_time(code: Page) -> None:
    endless = ["\x1b]8;;" + "x" * 65_536, "\x1b[" + "1;" * 32_768, "x\r" * 32_768, "9" * 65_536 + " % of "]
    assert act(code, "time", endless * 3) < 500
    assert act(code, "time", ["[" + "#" * (n % 40) + f"] {n} of 10,000, 12.3 MB/s" for n in range(10_000)]) < 500


def test_every_colour_is_readable_in_both_themes(code: Page) -> None:
    def contrast(one: str, other: str) -> float:
        def luminance(colour: str) -> float:
            parts = [int(each) / 255 for each in colour.removeprefix("rgb(").removesuffix(")").split()]
            linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    sheets = {"light": "rgb(244 244 245)", "dark": "rgb(27 29 33)"}
    styles: list[dict[str, Any]] = [{"ink": n, "dim": dim} for n in range(256) for dim in (True, False)]
    styles += [{"ink": ink, "paper": paper} for ink in range(16) for paper in range(16)]
    styles += [{"inverse": True}, {"inverse": True, "ink": 11}, {"paper": [127, 127, 127]}, {"dim": True}]
    for style, painted in zip(styles, act(code, "paint", styles), strict=True):
        colours = painted["style"]
        for theme, sheet in sheets.items():
            paper = colours.get(f"--paper-{theme}", sheet)
            assert contrast(colours[f"--ink-{theme}"], paper) >= 4.5, (style, theme)


def test_updates_of_a_bar_are_one_row_which_opens(code: Page) -> None:
    drawn = [f"fetch: {n}%|{'#' * (n // 10):<10}| {n}/100 [00:{n:02}<00:10, {n * 1.5:.1f}kB/s]" for n in (0, 50, 99)]
    bars = [f"\x1b[32m{each}" for each in drawn]
    batches = [["begin", *bars[:2]], [bars[2], "between", "Page 1 of 3", "Page 2 of 3", "Page 3 of 3"], ["end"]]
    before, after, count = act(code, "rows", batches, 6)
    assert before == [["begin", 0], [drawn[2], 3], ["between", 0], ["Page 3 of 3", 3], ["end", 0]]
    assert after[3:] == [["Page 1 of 3", 3], ["Page 2 of 3", 0], ["Page 3 of 3", 0], ["end", 0]]
    assert count == 9
    apart = [
        "GET /api/v2/1 5 ms",
        "GET /api/v2/1 5 ms",
        "11/26 done",
        "11/26 done",
        "CPU 60%",
        "CPU 40%",
        "a 1/2",
        "b 2/2",
    ]
    assert act(code, "rows", [apart], 0)[0] == [[text, 0] for text in apart]
    assert act(code, "both") == [[["6 %", 4], ["line 0", 0]], 10_004, 20_000, 0, -1]


def test_what_was_found_is_marked_across_colours_and_in_characters(code: Page) -> None:
    assert act(code, "found", "a \x1b[31mda\x1b[0mta base", True, ["DATA"]) == ["da", "ta"]
    assert act(code, "found", "🚀🚀 (x) x", True, ["(x)"]) == ["(x)"]
    assert act(code, "found", "🚀🚀 fail", [3, 7], []) == ["fail"]
    assert act(code, "found", "short", [3, 99, -5, 2], []) == []
    assert act(code, "found", "none", None, ["none"]) == []
