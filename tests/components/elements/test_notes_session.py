"""What the editor of notes does when answers are late, refused, or about a text that it has not seen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
OPEN = """() => {
    localStorage.clear();
    window.sent = [];
    window.told = [];
    window.host = document.createElement("div");
    document.body.replaceChildren(host);
    window.session = notesSession({
        label: "Notes", writes: true, storage: "notes", isOnline: () => true,
        send: (event, given) => sent.push([event, given]),
        on: {
            state: () => {}, typists: () => {}, changed: () => {},
            refuse: (sentence) => told.push(["refused", sentence]),
            lost: (texts, sentence) => told.push(["lost", ...texts, sentence]),
        },
    });
    session.apply(host, { reset: { text: "base", version: 5 } });
}"""


@pytest.fixture
def editor(code: Page) -> Iterator["Editor"]:
    code.evaluate(OPEN)
    yield Editor(code)
    code.evaluate("session.close()")


class Editor:
    """One session, whose server is the test."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def call(self, method: str, *arguments: Any) -> None:
        self.page.evaluate(f"(given) => void session.{method}(...given)", list(arguments))

    def frame(self, **fields: Any) -> None:
        self.page.evaluate("(frame) => session.apply(host, frame)", fields)

    @property
    def text(self) -> str:
        return str(self.page.evaluate("session.text()"))

    @property
    def told(self) -> list[list[str]]:
        found: list[list[str]] = self.page.evaluate("told")
        return found

    def pushes(self) -> list[dict[str, Any]]:
        return [given for event, given in self.page.evaluate("sent") if event == "push"]

    def confirm(self, push: dict[str, Any], version: int) -> None:
        self.frame(**{"from": version}, updates=[[push["client"], push["number"], "me", push["changes"]]])


def test_one_update_is_on_its_way_and_the_rest_follows_as_one(editor: Editor) -> None:
    for word in ("one", "two", "three"):
        editor.call("append", word)
    (first,) = editor.pushes()
    assert (first["version"], first["number"], first["changes"]) == (5, 1, [4, [0, "", "one"]])
    editor.confirm(first, 5)
    _, second = editor.pushes()
    assert (second["version"], second["number"], second["changes"]) == (6, 2, [8, [0, "", "two", "three"]])


def test_a_whole_text_in_place_of_updates_keeps_what_was_typed(editor: Editor) -> None:
    editor.call("append", "mine")
    editor.frame(reset={"text": "another base", "version": 90})
    assert editor.text == "another base\nmine"
    *_, again = editor.pushes()
    assert (again["version"], again["number"], again["changes"]) == (90, 1, [12, [0, "", "mine"]])


def test_a_refusal_takes_the_text_back_and_hands_it_out(editor: Editor) -> None:
    editor.call("append", "mine")
    editor.call("append", "more")
    editor.call("settle", 1, "refused", "You may only read.")
    assert editor.text == "base"
    assert editor.told == [["lost", "\nmine\nmore", "You may only read."]]
    assert editor.page.evaluate("localStorage.length") == 0


def test_what_was_written_before_a_whole_text_was_read_is_not_doubled(editor: Editor) -> None:
    editor.page.clock.install()
    editor.call("append", "mine")
    editor.call("append", "more")
    editor.frame(reset={"text": "base\nmine", "version": 90})
    assert editor.text == "base\nmine\nmine\nmore"
    editor.call("settle", 1, "written", "")
    editor.page.clock.run_for(8000)
    assert editor.text == "base\nmine\nmore"
    *_, last = editor.pushes()
    assert (last["number"], last["changes"]) == (2, [9, [0, "", "more"]])


def test_an_answer_that_never_comes_has_the_update_sent_again(editor: Editor) -> None:
    editor.page.clock.install()
    editor.call("append", "mine")
    editor.frame(**{"from": 5}, updates=[["other", 1, "them", [[0, "A "], 4]]])
    editor.page.clock.run_for(11_000)
    first, again = editor.pushes()
    assert (again["client"], again["number"]) == (first["client"], first["number"])
    assert (again["version"], again["changes"]) == (6, [6, [0, "", "mine"]])


def test_a_gap_in_the_updates_is_read_again_and_known_ones_change_nothing(editor: Editor) -> None:
    editor.frame(**{"from": 7}, updates=[["other", 1, "them", [[0, "A "], 4]]])
    assert editor.text == "base"
    assert ["sync", 5] in editor.page.evaluate("sent")
    for _ in range(2):
        editor.frame(**{"from": 5}, updates=[["other", 1, "them", [[0, "A "], 4]]])
    assert editor.text == "A base"


def test_a_caret_is_where_its_version_says_and_not_where_it_was_before_its_owner_wrote(editor: Editor) -> None:
    caret = {"client": "other", "user": "them", "version": 6, "anchor": 6, "head": 6}
    editor.frame(carets=[caret])
    assert editor.page.locator(".lw-caret").count() == 0
    editor.frame(**{"from": 5}, updates=[["third", 1, "they", [[0, "A "], 4]]])
    place = """() => {
        const line = document.querySelector(".lw-caret[data-colour]").closest(".cm-line").cloneNode(true);
        for (const each of line.querySelectorAll(".lw-caret")) each.replaceWith("|");
        return line.textContent;
    }"""
    assert editor.page.evaluate(place) == "A |base|"
    editor.frame(**{"from": 6}, updates=[["other", 1, "them", [2, [0, "b"], 4]]])
    editor.frame(carets=[caret])
    assert editor.page.evaluate(place) == "A |b|base"
