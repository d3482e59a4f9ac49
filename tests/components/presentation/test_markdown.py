"""Markdown of people: a few elements, and never anything that a browser would run."""

from collections.abc import Iterable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.presentation.markdown import MAX_DEPTH, TAGS, Node, markdown_tree, runs_in

ID = UUID(int=7)
ORIGIN = "https://watch.example"


def elements(nodes: Iterable[Node]) -> list[list[object]]:
    found: list[list[object]] = []
    for node in nodes:
        if isinstance(node, list):
            found += [node, *elements(node[2:])]
    return found


def words(nodes: Iterable[Node]) -> str:
    return "".join(node if isinstance(node, str) else words(node[2:]) for node in nodes)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("**bold** *soft* ~~no~~", [["p", {}, ["strong", {}, "bold"], " ", ["em", {}, "soft"], " ", ["s", {}, "no"]]]),
        ("`a<b>`", [["p", {}, ["code", {}, "a<b>"]]]),
        ("```py\nx = 1\n```", [["pre", {}, "x = 1"]]),
        ("one\ntwo", [["p", {}, "one", ["br", {}], "two"]]),
        ("# Big", [["h4", {}, "Big"]]),
        ("> said", [["blockquote", {}, ["p", {}, "said"]]]),
        ("[docs](https://x.example/a)", [["p", {}, ["a", {"href": "https://x.example/a"}, "docs"]]]),
        (
            "see https://x.example/a.",
            [["p", {}, "see ", ["a", {"href": "https://x.example/a"}, "https://x.example/a"], "."]],
        ),
    ],
)
def test_what_people_write_becomes_elements(text: str, tree: list[Node]) -> None:
    assert markdown_tree(text) == tree


def test_lists_have_items() -> None:
    assert next(node[0] for node in elements(markdown_tree("- a\n- b\n\n1. c"))) == "ul"
    assert words(markdown_tree("- a\n- b")) == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>)",
        "[x](//evil.example)",
        "[x](/\\evil.example)",
        "[x](vbscript:x)",
        "![x](https://evil.example/pixel.png)",
        '<https://evil.example/"onmouseover=alert(1)>',
        "[x](http://[bad)",
    ],
)
def test_nothing_that_runs_or_leads_astray_becomes_an_element(text: str) -> None:
    for tag, attributes, *_ in elements(markdown_tree(text)):
        assert tag in TAGS | {""}
        assert set(attributes) <= {"href"}  # type: ignore[call-overload]
        href = attributes.get("href", "https://")  # type: ignore[attr-defined]
        assert href.startswith(("https://", "http://")) or (href.startswith("/") and href[1:2] not in ("/", "\\"))


def test_links_to_runs_become_chips() -> None:
    text = f"{ORIGIN}/streams/{ID} and [it]({ORIGIN}/monitoring/agents?selected={ID}), not https://other.example/streams/{ID}"
    tree = markdown_tree(text, origin=ORIGIN)
    assert runs_in(tree) == {("streams", str(ID)), ("agent_executions", str(ID))}
    assert [node[1] for node in elements(tree) if node[0] == "a"] == [{"href": f"https://other.example/streams/{ID}"}]


def test_names_after_an_at_are_mentions_the_longest_first() -> None:
    tree = markdown_tree("@Ana Maria and @Ana, @Anabel `@Ana`", names=["Ana", "Ana Maria", ""])
    assert [node[2] for node in elements(tree) if node[0] == "mention"] == ["@Ana Maria", "@Ana"]


def test_deep_nesting_ends() -> None:
    tree = markdown_tree("> " * 500 + "deep" + "\n\n" + "- " * 300)

    def depth(nodes: Iterable[Node]) -> int:
        return max((1 + depth(node[2:]) for node in nodes if isinstance(node, list)), default=0)

    assert depth(tree) <= 3 * MAX_DEPTH


@pytest.mark.parametrize("text", ["[" * 20_000, "*a" * 10_000, "- a\n" * 5_000, "[a](" * 5_000])
def test_a_text_of_marks_alone_is_shown_as_it_is(text: str) -> None:
    assert markdown_tree(text) == [["pre", {}, text]]


@given(st.text(max_size=300))
def test_any_text_gives_known_elements(text: str) -> None:
    for node in elements(markdown_tree(text, origin=ORIGIN, names=["Ana"])):
        assert node[0] in TAGS | {""}
