"""Baseline in plain NiceGUI: the same cards, bound to one shared object per stream that a listener updates."""

from typing import Any

from nicegui import app, background_tasks, binding, ui

from benchmarks.baselines.arguments import baseline_arguments
from benchmarks.baselines.notify import changes, streams_of


@binding.bindable_dataclass
class Card:
    """Values of a stream's card."""

    id: str
    name: str
    completed: int
    percentage: float


def build(database_url: str, org_id: str) -> None:
    """Build cards with a name, a progress bar and figures, like the monitoring page."""
    cards: dict[str, Card] = {}

    async def follow() -> None:
        for row in await streams_of(database_url, org_id):
            cards[row["id"]] = Card(**row)
        async for change in changes(database_url):
            if card := cards.get(change["id"]):
                card.completed, card.percentage = change["completed"], change["percentage"]

    app.on_startup(lambda: background_tasks.create(follow()))

    @ui.page("/")
    def page() -> None:
        def share(percentage: Any) -> float:
            return float(percentage) / 100

        with ui.grid(columns=3):
            for card in cards.values():
                marks = f'data-table="streams" data-id="{card.id}"'
                with ui.card():
                    ui.label(card.name)
                    ui.linear_progress(show_value=False).bind_value_from(card, "percentage", share)
                    ui.label().props(f'{marks} data-field="completed"').bind_text_from(card, "completed", str)
                    ui.label().props(f'{marks} data-field="percentage"').bind_text_from(
                        card, "percentage", lambda value: f"{value:.1f}%"
                    )
        ui.query("body").props('data-live="connected"')


def main() -> None:
    """Serve the baseline on a loopback port."""
    arguments = baseline_arguments()
    build(arguments.database_url, arguments.org)
    ui.run(host="127.0.0.1", port=arguments.port, reload=False, show=False, show_welcome_message=False)


if __name__ == "__main__":
    main()
