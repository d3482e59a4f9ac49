"""Change sets in Python: what is accepted, applied, and how two changes of the same text meet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import NotAccepted
from services.notes.changes import MAX_LENGTH, MAX_SECTIONS, ChangeSet, DocumentText, parse_changes
from tests.services.notes.texts import changes, replacement, texts


def applied(raw: list[Any], text: str) -> str:
    return str(parse_changes(raw).apply(DocumentText(text)))


def test_positions_count_utf16_units() -> None:
    rocket = "a\U0001f680b"
    assert len(DocumentText(rocket)) == 4
    assert applied([3, [0, "!"], 1], rocket) == "a\U0001f680!b"
    assert applied([1, [2, "\U0001f469", ""], 1], rocket) == "a\U0001f469\nb"
    assert parse_changes([1, [2, "\U0001f469", ""], 1]).new_length == 5


@given(st.data())
def test_a_change_is_the_same_after_json_and_fits_its_lengths(data: st.DataObject) -> None:
    text = data.draw(texts)
    change = data.draw(changes(text))
    again = parse_changes(change.to_json())
    assert again.to_json() == change.to_json()
    assert change.length == len(DocumentText(text))
    assert change.new_length == len(again.apply(DocumentText(text)))


@given(st.data())
def test_two_changes_give_the_same_text_in_both_orders(data: st.DataObject) -> None:
    text = data.draw(texts)
    first, second = data.draw(changes(text)), data.draw(changes(text))
    document = DocumentText(text)
    one = second.map(first).apply(first.apply(document))
    other = first.map(second, before=True).apply(second.apply(document))
    assert str(one) == str(other)


@given(st.data())
def test_what_two_people_insert_is_all_there(data: st.DataObject) -> None:
    text = data.draw(texts)
    spots = [data.draw(st.integers(0, len(text))) for _ in range(2)]
    first, second = (parse_changes(replacement(text, at, at, word)) for at, word in zip(spots, "XY", strict=True))
    merged = str(second.map(first).apply(first.apply(DocumentText(text))))
    assert sorted(merged) == sorted(text + "XY")


def test_what_comes_first_stands_first() -> None:
    first, second = parse_changes([[0, "one"]]), parse_changes([[0, "two"]])
    assert str(second.map(first).apply(first.apply(DocumentText()))) == "onetwo"


def test_a_change_of_which_others_left_nothing_is_a_change_still() -> None:
    deletion = parse_changes([1, [2], 1])
    nothing = parse_changes(deletion.map(deletion).to_json())
    assert nothing.is_empty
    assert str(nothing.apply(DocumentText("ad"))) == "ad"
    assert parse_changes([]).length == 0


def test_text_within_what_another_deletes_is_kept() -> None:
    deletion, insertion = parse_changes([[6]]), parse_changes([3, [0, "kept"], 3])
    assert str(insertion.map(deletion).apply(deletion.apply(DocumentText("abcdef")))) == "kept"
    assert str(deletion.map(insertion).apply(insertion.apply(DocumentText("abcdef")))) == "kept"


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        "x",
        7,
        [0],
        [[0]],
        [3, []],
        [3, [True, "x"]],
        [True, [0, "x"]],
        [-1, [0, "x"]],
        [[-1, "x"]],
        [3.0, [0, "x"]],
        [None, [0, "x"]],
        [["0", "x"]],
        [[0, 7]],
        [[0, ["x"]]],
        [[0, "a\nb"]],
        [[0, "a\rb"]],
        [[0, "a\0b"]],
        [[0, "\ud83d"]],
        [[0, "x\ude80"]],
        [2**31, [0, "x"]],
        [[0, "x" * (MAX_LENGTH + 1)]],
        [[0, *["x" * MAX_LENGTH] * 5]],
        [[0, "x" * 50_000_000]],
        [1, [0, "x"]] * MAX_SECTIONS,
        [[MAX_LENGTH]] * 3,
    ],
    ids=lambda raw: repr(raw)[:30],
)
def test_what_is_no_change_is_refused_with_a_sentence(raw: object) -> None:
    with pytest.raises(NotAccepted, match=r"\.$"):
        parse_changes(raw)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_garbage_is_a_change_or_refused(raw: Any) -> None:
    try:
        change = parse_changes(raw)
    except NotAccepted:
        return
    assert parse_changes(change.to_json()).to_json() == change.to_json()


@pytest.mark.parametrize("raw", [[2, [0, "x"], 2], [2, [1], 1], [1, [1, "x"], 2]])
def test_a_change_that_splits_a_character_is_refused(raw: list[Any]) -> None:
    with pytest.raises(NotAccepted, match="splits a character"):
        applied(raw, "a\U0001f680b")


@pytest.mark.parametrize("raw", [[4, [0, "x"]], [[0, "x"]], [2, [0, "x"]]])
def test_a_change_of_another_text_is_refused(raw: list[Any]) -> None:
    with pytest.raises(NotAccepted, match="units"):
        applied(raw, "abc")
    with pytest.raises(NotAccepted, match="another length"):
        parse_changes(raw).map(ChangeSet(((3, 5),), ("abcde",)))
