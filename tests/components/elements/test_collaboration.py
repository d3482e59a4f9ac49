"""The merge in the browser's own code against the server's: random edits, partitions, orders and restarts."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from services.notes.changes import DocumentText, parse_changes
from tests.services.notes.authority import Authority
from tests.services.notes.texts import ALPHABET, changes, raw_changes, texts

pytestmark = pytest.mark.e2e
random_cases = settings(
    max_examples=60,
    deadline=None,
    # A failing case has few steps, and each costs a message to the browser: shrinking it takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
MAPPED = """([first, second, before]) => {
    const [a, b] = [first, second].map((each) => ChangeSet.fromJSON(each));
    return a.map(b, before).toJSON();
}"""


@random_cases
@given(st.data())
def test_python_maps_like_codemirror_to_the_last_section(code: Page, data: st.DataObject) -> None:
    text = data.draw(texts)
    first, second, before = data.draw(changes(text)), data.draw(changes(text)), data.draw(st.booleans())
    theirs = code.evaluate(MAPPED, [first.to_json(), second.to_json(), before])
    assert first.map(second, before=before).to_json() == theirs


@random_cases
@given(st.text(alphabet=ALPHABET, max_size=9), st.text(alphabet=ALPHABET, max_size=9))
def test_the_difference_of_two_texts_turns_one_into_the_other_and_splits_no_character(
    code: Page, before: str, after: str
) -> None:
    raw = code.evaluate("([a, b]) => ChangeSet.of(difference(a, b), a.length, '\\n').toJSON()", [before, after])
    change = parse_changes(raw)
    assert change.is_empty == (before == after)
    assert str(change.apply(DocumentText(before))) == after


class Scene:
    """Some windows and an authority; messages are lost, late, or repeated, and windows restart."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.authority = Authority()
        self.opened = 0
        self.windows: list[str] = []
        self.in_flight: list[dict[str, Any]] = []
        page.evaluate("window.windows = {}")
        for _ in range(3):
            self.open()

    def act(self, name: str, *arguments: Any) -> Any:
        return self.page.evaluate(f"(given) => act.{name}(...given)", list(arguments))

    def open(self) -> str:
        self.opened += 1
        id = f"w{self.opened}"
        self.page.evaluate("(given) => open(...given)", [id, str(self.authority.text), len(self.authority.log)])
        self.windows.append(id)
        return id

    def edit(self, id: str, data: st.DataObject) -> None:
        if raw := data.draw(raw_changes(self.act("text", id))):
            self.act("edit", id, raw)

    def send(self, id: str, _: st.DataObject) -> None:
        if (kept := self.act("take", id))["sent"]:
            self.in_flight.append(kept)

    def arrive(self, _: str, data: st.DataObject) -> None:
        """One message that is on its way arrives, in any order, and may arrive again."""
        if self.in_flight:
            at = data.draw(st.integers(0, len(self.in_flight) - 1))
            kept = self.in_flight[at]
            if data.draw(st.booleans()):
                self.in_flight.pop(at)
            self.authority.push(kept["client"], kept["number"], kept["version"], kept["sent"])

    def receive(self, id: str, data: st.DataObject) -> None:
        self.deliver(id, data.draw(st.integers(0, 3)))

    def deliver(self, id: str, count: int) -> None:
        assert self.act("receive", id, self.authority.since(self.act("kept", id)["version"], count)), "rebased the same"

    def restart(self, id: str, _: st.DataObject) -> None:
        """The window is closed, and another one goes on with what it kept."""
        kept = self.act("kept", id)
        self.windows.remove(id)
        another = self.open()
        self.act("takeOver", another, kept, self.authority.since(kept["version"], 1000))

    def settle(self) -> None:
        self.in_flight.clear()
        for _ in range(3):
            for id in self.windows:
                kept = self.act("take", id)
                if kept["sent"]:
                    self.authority.push(kept["client"], kept["number"], kept["version"], kept["sent"])
                self.deliver(id, 1000)
        for id in self.windows:
            self.deliver(id, 1000)


@random_cases
@given(st.data())
def test_all_windows_and_the_server_end_with_the_same_text(code: Page, data: st.DataObject) -> None:
    scene = Scene(code)
    acts: list[Callable[[str, st.DataObject], None]] = [
        *(scene.edit, scene.edit, scene.edit, scene.send, scene.send),
        *(scene.arrive, scene.arrive, scene.receive, scene.receive, scene.restart),
    ]
    for _ in range(data.draw(st.integers(5, 40))):
        data.draw(st.sampled_from(acts))(data.draw(st.sampled_from(scene.windows)), data)
    scene.settle()
    assert {scene.act("text", id) for id in scene.windows} == {str(scene.authority.text)}


@random_cases
@given(st.data())
def test_no_character_is_lost_or_doubled_when_people_only_type(code: Page, data: st.DataObject) -> None:
    scene = Scene(code)
    typed = ""
    for letter in data.draw(st.text(alphabet="abcdefgh\U0001f680", max_size=30)):
        id = data.draw(st.sampled_from(scene.windows))
        text = self_text = scene.act("text", id)
        at = len(DocumentText(self_text[: data.draw(st.integers(0, len(text)))]))
        rest = len(DocumentText(text)) - at
        scene.act("edit", id, [*([at] if at else []), [0, letter], *([rest] if rest else [])])
        typed += letter
        for act in data.draw(
            st.lists(st.sampled_from([scene.send, scene.arrive, scene.receive, scene.restart]), max_size=3)
        ):
            act(data.draw(st.sampled_from(scene.windows)), data)
    scene.settle()
    assert sorted(str(scene.authority.text)) == sorted(typed)
    assert {scene.act("text", id) for id in scene.windows} == {str(scene.authority.text)}
