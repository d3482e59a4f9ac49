"""/connect: a line for a terminal, snippets with this app's URL and a new key, and the status of the first report."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from components.elements.connect.code_block import CodeBlock, CodeTabs, Snippet
from components.elements.connect.first_report import FirstReport
from components.presentation.text import text
from components.shell.shell import page_head, section
from pages.page.context import PageContext
from pages.page.public_url import public_url
from pages.settings.key_dialogs import ONCE
from services.entities import AGENTS, RUNS, SCANS, STREAMS, AcquisitionScan, AgentExecution, Stream
from services.ingest.administration import CreatedKey, create_key
from services.realtime import Delta
from services.sdk_wheel import sdk_wheel

NO_KEY = "lw_…"
PATHS: dict[Any, str] = {entity.model: entity.row_path for entity in RUNS.values()}


def connect_page(page: PageContext) -> None:
    """Build the three steps: create a key, copy a snippet, wait for the first report."""
    request = ui.context.client.request
    address = public_url(request) if request else "http://localhost:8080"
    page_head("Connect your code")
    text("p", "Your scripts, jobs and agents show up here, live, from any language.").classes("lw-lead")
    snippets: CodeTabs | None = None
    created: CreatedKey | None = None
    opened_at = datetime.now(UTC)

    def use(key: CreatedKey) -> None:
        nonlocal created
        created = key
        status.wait()
        if snippets:
            snippets.show(snippets_for(address, key.token.get_secret_value()))

    def is_awaited(row: Stream | AcquisitionScan | AgentExecution) -> bool:
        """Return whether the report uses the key created here; without one, whether it is that of a new run."""
        if created is not None:
            return row.ingest_key == created.id
        return row.created_at is not None and row.created_at >= opened_at

    if wheel := sdk_wheel():
        with section("From a terminal"), ui.element("div").classes("lw-panel lw-stack"):
            text("p", "Paste this line. It installs the SDK from here, logs in by this browser, and reports a loop.")
            CodeBlock(one_line(address, wheel.name), label="The line for a terminal")
    with section("1. Create key"), ui.element("div").classes("lw-panel lw-stack"):
        _key(page, use)
    with section("2. Report"), ui.element("div").classes("lw-panel lw-stack"):
        snippets = CodeTabs(snippets_for(address, NO_KEY), label="Ways to report")
        with ui.element("p").classes("lw-muted"):
            ui.link("HTTP API reference", "/api/v1/docs", new_tab=True)
    with section("3. See it"), ui.element("div").classes("lw-panel"):
        status = FirstReport(is_ready=not page.membership.is_admin)
        _listen(page, status, is_awaited)


def _key(page: PageContext, use: Callable[[CreatedKey], None]) -> None:
    if not page.membership.is_admin:
        text("p", "Only admins of the organisation create keys. Ask one, and replace lw_… below with the key.")
        return

    async def create() -> None:
        name = f"Connect, {datetime.now().astimezone():%d %b %H:%M}"
        org = page.membership.org_id
        if key := await page.get(create_key(page.services.database, page.session.identity, org, name=name)):
            use(key)
            button.delete()
            hint.text = f"The key is in the snippets below. {ONCE}"

    hint = text("p", "A key lets programs report for this organisation. It is inserted into the snippets below.")
    button = ui.button("Create key", icon="vpn_key", on_click=create).props("unelevated no-caps")
    button.classes("lw-button lw-button--primary")


def _listen(page: PageContext, status: FirstReport, is_awaited: Callable[[Any], bool]) -> None:
    """Show the first awaited run in the status; uses the feeds that all windows share."""

    def check(deltas: list[Delta[Any]]) -> None:
        for delta in deltas:
            row = delta.new
            if row and row.heartbeat_at and is_awaited(row):
                name = row.agent_name if isinstance(row, AgentExecution) else row.name
                status.show(name=name, path=PATHS[type(row)].format(id=row.id), at=row.heartbeat_at)
                for subscription in subscriptions:
                    subscription.close()
                return

    subscriptions = [page.window.subscribe(entity, on_change=check) for entity in (STREAMS, SCANS, AGENTS)]
    status.on_delete(*(subscription.close for subscription in subscriptions))


def one_line(address: str, wheel: str) -> str:
    """Return the command line that leads from nothing to a live bar."""
    loop = "import livewatch, time; [time.sleep(0.3) for _ in livewatch.track(range(100), 'Hello')]"
    return (
        f'python3 -m pip install {address}/sdk/{wheel} && python3 -m livewatch login {address} && python3 -c "{loop}"'
    )


def snippets_for(address: str, token: str) -> list[Snippet]:
    """Return one snippet per way to report; each is complete and works when copied."""
    variables = f"export LIVEWATCH_URL={address}\nexport LIVEWATCH_KEY={token}\n"
    return [
        Snippet(
            key="curl",
            label="curl",
            about="From any HTTP client. The first report of a name creates the run.",
            text=f"""curl -X PUT {address}/api/v1/streams/hello \\
  -H 'Authorization: Bearer {token}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"name": "Hello", "total": 10, "advance": 1}}'
""",
        ),
        Snippet(
            key="loop",
            label="Loop",
            about="Python. Install the package by the line above, or from a checkout: pip install ./sdk",
            text=f"""{variables}
python - <<'END'
import time
import livewatch

for item in livewatch.track(range(100), "Nightly import"):
    time.sleep(0.1)  # your work
END
""",
        ),
        Snippet(
            key="run",
            label="Run",
            about="With steps. An exception marks the run as failed; a killed process shows as unreachable.",
            text="""import livewatch

with livewatch.run("Nightly import", total=900, steps=["read", "write"]) as run:
    run.step("read")
    run.advance(450)
    run.step("write")
    run.advance(450)
""",
        ),
        Snippet(
            key="tqdm",
            label="tqdm",
            about="A drop-in replacement; the bar stays the same. pip install './sdk[tqdm]'",
            text="""from livewatch.tqdm import tqdm

for row in tqdm(range(1000), desc="Load"):
    ...
""",
        ),
        Snippet(
            key="agent",
            label="Agent",
            about="Runs of AI agents, inside another run or alone. Also as a decorator: @livewatch.watch",
            text="""import livewatch

with livewatch.run("Research"):
    with livewatch.agent("Reader", input="12 pages") as agent:
        agent.output = "3 of them are relevant"
""",
        ),
        Snippet(
            key="command",
            label="Command",
            about="Any program, unmodified: exit code, duration, progress bars and the last lines of output.",
            text=f"""{variables}
livewatch run --name nightly -- python job.py
livewatch alert "Disk is nearly full" --priority high
livewatch tail
""",
        ),
        Snippet(
            key="logging",
            label="Logging",
            about="Log records of the standard library's logging, added to the current run.",
            text="""import logging
import livewatch

logging.getLogger().addHandler(livewatch.LogHandler())
with livewatch.run("Nightly import"):
    logging.getLogger().warning("150 rows were there already")
""",
        ),
    ]
