"""The browser's own code of the notes in a page of its own, without an app."""

from collections.abc import Iterator
from pathlib import Path

import nicegui
import pytest
from playwright.sync_api import Page, Route, sync_playwright

from tests.browser import ADVICE, FLAGS, find

ELEMENTS = Path(__file__).parents[3] / "components/elements"
CODEMIRROR = Path(nicegui.__file__).parent / "elements/codemirror/dist"
HOME = """<!doctype html><script type="importmap">{"imports": {
  "nicegui-codemirror": "/cm/index.js", "collaboration": "/notes/collaboration.js", "carets": "/notes/carets.js",
  "caret_exchange": "/notes/caret_exchange.js", "kept": "/kept.js", "kept_changes": "/notes/kept_changes.js",
  "notes_session": "/notes/notes_session.js", "only_text": "/notes/only_text.js"
}}</script><script type="module">
  import { ChangeSet, EditorState } from "nicegui-codemirror";
  import * as collaboration from "collaboration";
  import { notesSession } from "notes_session";
  Object.assign(window, { ChangeSet, EditorState, notesSession, ...collaboration });
  window.windows = {};
  window.open = (id, text, version) => {
    const view = { dispatch(spec) { this.state = this.state.update(spec).state; } };
    view.state = EditorState.create({ doc: text, extensions: [window.collaboration] });
    collaboration.put(view, collaboration.start(id, version));
    windows[id] = view;
  };
  const read = (updates) => updates.map((each) => ({ ...each, changes: ChangeSet.fromJSON(each.changes) }));
  window.act = {
    text: (id) => windows[id].state.doc.toString(),
    value: (id) => windows[id].state.field(window.collaboration),
    edit: (id, changes) => windows[id].dispatch({ changes: ChangeSet.fromJSON(changes) }),
    take: (id) => {
      const view = windows[id];
      const value = collaboration.takeUnsent(act.value(id));
      if (value !== act.value(id)) collaboration.put(view, value);
      return collaboration.stored(value);
    },
    receive: (id, updates) => collaboration.receiveAll(windows[id], read(updates)),
    kept: (id) => collaboration.stored(act.value(id)),
    takeOver: (id, kept, updates) => {
      const value = collaboration.restored(kept);
      if (value) collaboration.takeOver(windows[id], value, read(updates));
      return Boolean(value);
    },
  };
  window.isReady = true;
</script>"""


def serve(route: Route) -> None:
    path = route.request.url.removeprefix("http://code.test/")
    if not path:
        route.fulfill(body=HOME, content_type="text/html")
    elif path.startswith("cm/"):
        route.fulfill(path=CODEMIRROR / path.removeprefix("cm/"), content_type="text/javascript")
    else:
        route.fulfill(path=ELEMENTS / path, content_type="text/javascript")


@pytest.fixture(scope="module")
def code() -> Iterator[Page]:
    """Yield a page with the modules of the notes as globals; its clock is the test's."""
    path = find()
    assert path, ADVICE
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        page.route("http://code.test/**", serve)
        page.goto("http://code.test/")
        page.wait_for_function("window.isReady")
        yield page
        browser.close()
