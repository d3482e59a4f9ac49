"""Baseline in plain NiceGUI: the same cards; each window polls the database every second with `ui.timer(1.0)`."""

from typing import Any

import psycopg
from nicegui import ui
from psycopg.rows import dict_row

from benchmarks.baselines.arguments import baseline_arguments


def build(database_url: str, org_id: str) -> None:
    """Build cards with a name, a progress bar and figures, like the monitoring page."""

    @ui.page("/")
    async def page() -> None:
        connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True, row_factory=dict_row)
        ui.context.client.on_delete(connection.close)
        cards: dict[str, tuple[ui.label, ui.label, ui.linear_progress]] = {}

        async def refresh() -> None:
            cursor = await connection.execute(
                "select id, name, completed, total, percentage from streams where org_id = %s order by created_at",
                (org_id,),
            )
            for row in await cursor.fetchall():
                show(str(row["id"]), row)
            ui.query("body").props('data-live="connected"')

        def show(id: str, row: dict[str, Any]) -> None:
            if id not in cards:
                with grid, ui.card():
                    ui.label(row["name"])
                    bar = ui.linear_progress(show_value=False)
                    marks = f'data-table="streams" data-id="{id}"'
                    completed = ui.label().props(f'{marks} data-field="completed"')
                    percentage = ui.label().props(f'{marks} data-field="percentage"')
                    cards[id] = (completed, percentage, bar)
            completed, percentage, bar = cards[id]
            completed.text = str(row["completed"])
            percentage.text = f"{row['percentage']:.1f}%"
            bar.value = row["percentage"] / 100

        grid = ui.grid(columns=3)
        await refresh()
        ui.timer(1.0, refresh)


def main() -> None:
    """Serve the baseline on a loopback port."""
    arguments = baseline_arguments()
    build(arguments.database_url, arguments.org)
    ui.run(host="127.0.0.1", port=arguments.port, reload=False, show=False, show_welcome_message=False)


if __name__ == "__main__":
    main()
