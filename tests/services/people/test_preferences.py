"""Stored preferences, including unknown and invalid ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.people.preferences import Preferences
from services.people.profiles import own_profile, prefer, rename
from tests.world import World

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


@given(stored=JSON | st.dictionaries(st.sampled_from(list(Preferences.model_fields)), JSON))
def test_whatever_is_stored_there_are_preferences(stored: Any) -> None:
    read = Preferences.read(stored)
    assert read.theme in ("auto", "light", "dark")
    assert read.density in ("comfortable", "compact")
    assert {type(read.toasts), type(read.sound), type(read.shortcuts)} == {bool}


def test_a_bad_value_falls_back_alone() -> None:
    stored = {"theme": "pink", "density": "compact", "sound": [], "toasts": False, "of_tomorrow": 7}
    assert Preferences.read(stored) == Preferences(density="compact", toasts=False)


@pytest.mark.integration
async def test_a_change_keeps_the_others_and_what_another_version_stored(world: World) -> None:
    ada = await world.person()
    await world.sql("""update profiles set preferences = '{"of_tomorrow": 7}' where user_id = %s""", ada.id)
    await prefer(world.database, ada.identity, {"theme": "dark"})
    await prefer(world.database, ada.identity, {"sound": True})
    stored = await world.sql("select preferences from profiles where user_id = %s", ada.id)
    assert stored == [({"of_tomorrow": 7, "theme": "dark", "sound": True},)]
    assert (await own_profile(world.database, ada.identity)).preferences == Preferences(theme="dark", sound=True)


@pytest.mark.integration
async def test_nobody_changes_the_profile_of_a_fellow_member(world: World) -> None:
    org = await world.organization()
    ada, eve = await world.person(org), await world.person(org)
    await prefer(world.database, eve.identity, {"theme": "dark"})
    await rename(world.database, eve.identity, "Eve")
    profile = await own_profile(world.database, ada.identity)
    assert profile.preferences == Preferences()
    assert profile.name != "Eve"
