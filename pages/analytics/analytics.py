"""/analytics: a board of charts of runs; the URL is the board."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from nicegui import ui
from nicegui.element import Element

from components.elements.analytics.board import AnalyticsBoard
from components.elements.lists.list_controls import ListControls
from components.presentation.markup import Markup, Node, button_node, icon_node, node
from components.shell.shell import page_head
from pages.analytics.board_export import EXPORT_PATH
from pages.analytics.board_reader import BoardReader
from pages.analytics.links import RunsLink, links_of
from pages.lists.views_menu import ViewsMenu
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.analytics.board import BOARDS, Board, spec_of
from services.analytics.figures import count_of_ended, figures_of
from services.analytics.reading import Reading
from services.entities import RUNS
from services.lists.query import ListQuery
from services.text import visible_name

ALL_KINDS = "all"
KINDS = {"": "All runs", **{kind: entity.label for kind, entity in RUNS.items()}}


def analytics_page(page: PageContext) -> None:
    """Build the page: which runs, filters and a range, and the charts."""
    BoardPage(page)


class BoardPage:
    """The controls and the board of one window."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._board = Board.parse(page.url.params)
        self._reading: Reading | None = None
        with ui.element("div").classes("lw-page lw-board-page"):
            with page_head("Analytics"):
                arrange = Markup(_button("dashboard_customize", "Arrange"))
                wall = Markup(_button("fullscreen", "Wall view"))
            self._kinds = Markup(_kinds(self._board.kind))
            self._kinds.on_press(self._choose_kind)
            self._around = ui.element("div").classes("lw-board-page__controls")
            self._element = AnalyticsBoard(export_path=f"{EXPORT_PATH}?{ORG_PARAMETER}={page.membership.org_id}")
        # In the browser: the full screen is granted to a click alone.
        arrange.on("click", js_handler=f"() => getElement({self._element.id}).edit()")
        wall.on("click", js_handler=f"() => getElement({self._element.id}).enlarge()")
        self._reader = BoardReader(page, self._element, self._board, show=self._show, fail=self._element.fail)
        self._element.on("live", self._arrange)
        self._element.on_arrange(self._choose_charts)
        self._element.on_open(self._open)
        self._views: ViewsMenu | None = None
        self._controls = self._build_controls()
        self._element.on_delete(self._close)
        self._stop_waiting = page.views.listen(self._take_default)
        self._take_default()
        page.url.listen(self._follow)

    def _close(self) -> None:
        self._stop_waiting()
        if self._views:
            self._views.close()

    def _build_controls(self) -> ListControls:
        """Build the search, the filters and the range of the board's kind of run."""
        if self._views:
            self._views.close()
        self._around.clear()
        with self._around:
            controls = ListControls(spec_of(self._board.kind), noun="runs")
            with controls.tools:
                self._views = ViewsMenu(self._page, BOARDS, lambda: self._board.params, self._choose_view)
        controls.on("live", self._tell_controls)
        controls.on_query(self._choose_query)
        return controls

    def _tell_controls(self) -> None:
        query = self._board.query
        chosen = {facet.name: sorted(query.chosen.get(facet.name, ())) for facet in query.spec.facets}
        state = {"q": query.search, "chosen": chosen, "period": query.period.params, "problem": "", "query": ""}
        count = None if self._reading is None else count_of_ended(self._reading)
        self._controls.apply({"set": {"state": state, "summary": {"shown": count, "total": None, "bound": ""}}})

    def _take_default(self) -> None:
        """Show the default board, if the address has none, as soon as the views are known."""
        if self._board.params or not self._page.views.is_loaded:
            return
        self._stop_waiting()
        if view := self._page.views.default_of(BOARDS):
            self._take(Board.parse(view.query), is_new=False)

    def _choose_kind(self, pressed: str) -> None:
        kind = "" if pressed == ALL_KINDS else pressed
        if kind != self._board.kind:
            params = {name: value for name, value in self._board.params.items() if name not in self._facets()}
            self._take(Board.parse({**params, "kind": kind}), is_new=True)

    def _facets(self) -> set[str]:
        return {facet.name for facet in spec_of(self._board.kind).facets if facet.name != "tag"}

    def _choose_query(self, query: ListQuery[Any]) -> None:
        is_typing = bool(self._board.query.search) and query.search != self._board.query.search
        if query.period.problem:
            self._element.fail(query.period.problem)
            return
        zone = query.period.zone or self._board.zone
        self._take(replace(self._board, query=query, zone=zone, problem=""), is_new=not is_typing)

    def _choose_charts(self, charts: str) -> None:
        arranged = Board.parse({**self._board.params, "charts": charts})
        self._take(replace(self._board, charts=arranged.charts), is_new=True)

    def _choose_view(self, params: Mapping[str, str]) -> None:
        self._take(Board.parse(params), is_new=True)

    def _follow(self, params: Mapping[str, str]) -> None:
        """Show what the URL says after back or forward."""
        if (board := Board.parse(params)) != self._board:
            self._show_board(board)

    def _take(self, board: Board, *, is_new: bool) -> None:
        self._stop_waiting()
        self._page.url.set(board.params, known=board.parameter_names, is_new=is_new)
        self._show_board(board)

    def _show_board(self, board: Board) -> None:
        is_other_kind = board.kind != self._board.kind
        self._board, self._reading = board, None
        if is_other_kind:
            self._kinds.show(_kinds(board.kind))
            self._controls = self._build_controls()
        else:
            self._tell_controls()
        self._arrange()
        self._reader.choose(board)
        if self._views:
            self._views.show()

    def _arrange(self) -> None:
        params = {name: value for name, value in self._board.params.items() if name not in ("charts", "zone")}
        self._element.arrange(self._board.charts, export=f"&{urlencode(params)}" if params else "")
        self._element.fail(self._board.problem)

    def _show(self, reading: Reading) -> None:
        self._reading = reading
        end = reading.parts.end if reading.parts else None
        self._element.fail(self._board.problem)
        self._element.show(figures_of(self._board, reading), zone=reading.zone, end=end)
        self._tell_controls()

    def _open(self, chart: str, series: str, place: int) -> None:
        """Lead to the runs behind a part of a chart; of several kinds of run the user chooses."""
        links = links_of(self._board, self._reading, chart, series, place) if self._reading else []
        if len(links) == 1:
            ui.navigate.to(links[0].path)
        elif links:
            with self._around:
                _offer(links)


def _button(icon: str, label: str) -> Node:
    return button_node(icon_node(icon), node("span", label), class_="lw-button")


def _kinds(chosen: str) -> Node:
    chips = (
        node(
            "button",
            label,
            type="button",
            class_="lw-filter",
            data_tone="active",
            aria_pressed="true" if kind == chosen else "false",
            data_press=kind or ALL_KINDS,
        )
        for kind, label in KINDS.items()
    )
    return node("div", *chips, class_="lw-filters lw-board-page__kinds", role="group", aria_label="Kind of run")


def _offer(links: list[RunsLink]) -> Element:
    with ui.dialog().props('aria-label="Runs"') as dialog, ui.element("div").classes("lw-dialog"):
        ui.label("Which runs?").classes("lw-dialog__title")
        for link in links:
            name = visible_name(link.label)
            ui.link(f"{name}: {link.count:,}" if link.count is not None else name, link.path).classes("lw-button")
    dialog.on("hide", dialog.delete)
    dialog.open()
    return dialog
