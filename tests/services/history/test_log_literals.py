"""What a line must contain to match a regular expression, read from the expression alone."""

import pytest

from services.history.log_filter import LogFilter
from services.history.log_literals import required_literals

NOTHING: list[list[str]] = []


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("connection refused", [["connection refused"]]),
        ("error.*timed out", [["error", "timed out"]]),
        (r"^request \d+ failed$", [["request ", " failed"]]),
        ("colou?r", [["colo", "r"]]),
        ("ab+c", [["ab", "c"]]),
        ("ab*?c", [["a", "c"]]),
        ("ab{0,3}c", [["a", "c"]]),
        ("timeout|refused", [["timeout"], ["refused"]]),
        (r"a\.b\(c", [["a.b(c"]]),
        ("one (two|three) four", [["one ", " four"]]),
        (r"x[[:alpha:]\]|]y(?:z|\)[)])w", [["x", "y", "w"]]),
        ("[]|]done", [["done"]]),
        ("(?=sure)thing", [["thing"]]),
        ("timeout|", NOTHING),
        ("timeout|.", NOTHING),
        (r"\d+", NOTHING),
        ("(timeout)", NOTHING),
        ("(?c)Timeout", NOTHING),
        ("(?x)time out", NOTHING),
        ("***=a|b", NOTHING),
        ("***:abc", NOTHING),
        (r"\x41bc", NOTHING),
        (r"(a)\1bc", NOTHING),
        ("(unfinished", NOTHING),
        ("[unfinished", NOTHING),
        ("unfinished\\", NOTHING),
        ("*abc", NOTHING),
        ("ab(?#c)d", NOTHING),
        ("|".join("abcdefghijk"), NOTHING),
        ("", NOTHING),
    ],
)
def test_an_expression_requires_what_stands_outside_of_its_groups(expression: str, wanted: list[list[str]]) -> None:
    assert required_literals(LogFilter(query=expression, is_regex=True)) == wanted


def test_words_are_required_all_together() -> None:
    assert required_literals(LogFilter(query='one "two three" 4')) == [["one", "two three", "4"]]
    assert required_literals(LogFilter()) == NOTHING
