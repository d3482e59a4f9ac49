"""Tables for terminals: columns that line up whatever the names are."""

import os
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from livewatch.cli.reading.table import cut, printable, table, width_of

NAMES = (
    "Nightly import",
    "夜間インポート",
    "استيراد ليلي",
    "e\u0301te\u0301",
    "🚀 launch",
    "",
    "x" * 200,
    "ночь",
    "\uff46\uff55",
)


def test_a_width_is_what_a_terminal_takes() -> None:
    assert [width_of(text) for text in ("abc", "夜", "e\u0301", "🚀", "ليل", "")] == [3, 2, 1, 2, 3, 0]


@pytest.mark.parametrize("width", [None, 200, 80, 40])
def test_columns_line_up_and_fit(width: int | None) -> None:
    rows = [["in_progress", name, f"slug-{n}"] for n, name in enumerate(NAMES)]
    lines = table(["STATUS", "NAME", "SLUG"], rows, width=width, flexible=1)
    plain = [line.translate({0x2068: None, 0x2069: None}) for line in lines]
    starts = {width_of(line[: line.index("slug-")]) for line in plain[1:]}
    assert len(starts) == 1
    if width is not None:
        assert max(map(width_of, plain)) <= width
    else:
        assert "x" * 200 in lines[7], "nothing is cut in a file"
        assert all("\u2068" not in line for line in lines)


def test_a_cut_text_is_never_wider_and_says_that_it_is_cut() -> None:
    randomness = random.Random(3)
    letters = "aé夜🚀ل\u0301\u200d"
    for _ in range(500):
        text = "".join(randomness.choices(letters, k=randomness.randrange(30)))
        width = randomness.randrange(1, 20)
        shown = cut(text, width)
        assert width_of(shown) <= width
        assert shown == text or shown.endswith("…")


def test_a_name_neither_moves_the_cursor_nor_turns_the_line() -> None:
    shown = printable("a\x1b[2J\x9b1A\r\n\u202eb\u2066c")
    assert all(unicodedata.category(each) != "Cc" for each in shown)
    assert "\u202e" not in shown


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_who_reads_no_further_ends_it_quietly(tmp_path: Path) -> None:
    code = (
        "import sys, argparse\n"
        "from livewatch.cli.reading import reading\n"
        "def many(arguments, client, out):\n"
        "    for n in range(100_000):\n"
        "        out.write('line\\n')\n"
        "reading._list = many\n"
        "sys.exit(reading.read(argparse.Namespace(command='ls')))\n"
    )
    environment = {**os.environ, "LIVEWATCH_URL": "http://127.0.0.1:9", "LIVEWATCH_KEY": "lw_12345678"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2] / "sdk")
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    process.stderr.close()
