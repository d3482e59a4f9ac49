"""Markup: one element instead of many, without a way for texts to become tags."""

from nicegui import Client, json, ui

from components.presentation.markup import Markup, icon_button_node, node, slot

HOSTILE = "</span><script>alert('1')</script>\" onload=\"x"


async def test_texts_and_attributes_are_never_tags() -> None:
    with Client(ui.page("/markup")) as client:
        markup = Markup(node("span", HOSTILE, title=HOSTILE, class_="a", aria_label="b"))
    html = markup.html(str, str)
    client.delete()
    assert "<script" not in html
    assert html.count('"') == 6
    assert html.startswith('<span title="&lt;/span&gt;')
    assert 'class="a" aria-label="b"' in html


async def test_links_have_the_prefix_and_those_to_the_current_page_are_marked() -> None:
    with Client(ui.page("/markup")) as client:
        markup = Markup(node("nav", node("a", "A", href="/a"), node("a", "B", href="#b")), current="/a")
        html = markup.html(lambda path: f"/below{path}" if path.startswith("/") else path, str)
        markup.set_current("/b")
        later = markup.html(str, str)
    client.delete()
    assert html == '<nav><a href="/below/a" aria-current="page">A</a><a href="#b">B</a></nav>'
    assert "aria-current" not in later


async def test_slots_are_filled_and_a_change_of_the_page_does_not_send_the_tree_again() -> None:
    with Client(ui.page("/markup")) as client:
        markup = Markup(node("div", slot("a"), slot()))
        assert markup.html(str, lambda name: f"[{name}]") == "<div>[a][default]</div>"
        client.outbox.updates.clear()
        markup.set_current("/b")
        assert markup.id not in client.outbox.updates
        assert json.loads(json.dumps(markup._to_dict()))["props"]["current"] == "/b"
    client.delete()


async def test_a_button_with_an_icon_has_a_name() -> None:
    with Client(ui.page("/markup")) as client:
        html = Markup(icon_button_node("close", "Close", class_="more")).html(str, str)
    client.delete()
    assert html.startswith('<button type="button" class="lw-icon-button more" aria-label="Close" title="Close">')
    assert html.endswith(' aria-hidden="true">close</i></button>')
