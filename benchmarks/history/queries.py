"""What people and programs read of history, each as a named query through the product's own functions."""

from typing import Any

from benchmarks.history.board_queries import BOARD_QUERIES
from benchmarks.history.list_queries import LIST_QUERIES
from benchmarks.history.scene import Query, Read, Scene
from benchmarks.organisation.words import ABSENT_WORD, COMMON_WORD, RARE_WORD, VERY_RARE_WORD
from services.entities import AGENTS, ALERTS, SCANS, STREAMS, Entity
from services.history.comparison import compared_runs
from services.history.jobs import job_of_run, jobs
from services.history.log_filter import LogFilter
from services.history.log_search import LogScope, search_logs
from services.history.progress_history import last_hour, progress_history
from services.history.run_logs import log_lines
from services.operations.migrations import missing_migrations
from services.reading import RESOURCES, Question, read_page


def _snapshot(entity: Entity[Any]) -> Read:
    async def read(scene: Scene) -> int:
        return len(await scene.source.snapshot(scene.identity, entity, scene.topic(entity)))

    return read


def _versions(entity: Entity[Any]) -> Read:
    async def read(scene: Scene) -> int:
        return len(await scene.source.versions(scene.identity, entity, scene.topic(entity)))

    return read


def _groups(entity: Entity[Any]) -> Read:
    async def read(scene: Scene) -> int:
        return len(await scene.source.groups(scene.identity, entity, scene.topic(entity)))

    return read


def _jobs(search: str = "") -> Read:
    async def read(scene: Scene) -> int:
        return len(await jobs(scene.database, scene.identity, scene.org, search=search))

    return read


async def _job_page(scene: Scene) -> int:
    found = await jobs(scene.database, scene.identity, scene.org, kind="streams", slug=scene.job, limit=1)
    return len(found[0].runs)


async def _run_with_its_job(scene: Scene) -> int:
    job = await job_of_run(scene.database, scene.identity, "streams", scene.runs[0])
    return len(job.runs) if job else 0


async def _comparison(scene: Scene) -> int:
    return sum(len(run.points) for run in await compared_runs(scene.database, scene.identity, scene.runs))


async def _progress(scene: Scene) -> int:
    return len(await progress_history(scene.database, scene.identity, scene.runs[0]))


async def _last_hour(scene: Scene) -> int:
    return len((await last_hour(scene.database, scene.identity, scene.org)).active_streams)


def _search(word: str, level: str = "debug", *, regex: bool = False) -> Read:
    async def read(scene: Scene) -> int:
        filter = LogFilter(query=word, level=level, is_regex=regex)
        return len((await search_logs(scene.database, scene.identity, LogScope(org_id=scene.org), filter)).lines)

    return read


async def _search_of_job(scene: Scene) -> int:
    scope = await LogScope.of_job(scene.database, scene.identity, scene.org, f"streams/{scene.job}")
    found = await search_logs(scene.database, scene.identity, scope, LogFilter(query=COMMON_WORD))
    return len(found.lines)


async def _run_log(scene: Scene) -> int:
    return len(await log_lines(scene.database, scene.identity, scene.long_log))


def _page(resource: str, *parameters: tuple[str, str]) -> Read:
    async def read(scene: Scene) -> int:
        question = Question.parse(RESOURCES[resource], scene.org, parameters)
        return len((await read_page(scene.database, scene.key, question)).items)

    return read


async def _children(scene: Scene) -> int:
    given = [("stream", str(scene.organisation.crowd)), ("limit", "50")]
    return len(
        (await read_page(scene.database, scene.key, Question.parse(RESOURCES["agents"], scene.org, given))).items
    )


async def _readiness(scene: Scene) -> int:
    return len(await missing_migrations(scene.database))


QUERIES = (
    Query(name="feed: streams", does="opens the list of streams, the first window", read=_snapshot(STREAMS)),
    Query(name="feed: agents", does="opens the list of agents, the first window", read=_snapshot(AGENTS)),
    Query(name="feed: scans", does="opens the list of scans, the first window", read=_snapshot(SCANS)),
    Query(name="feed: alerts", does="opens the inbox, the first window", read=_snapshot(ALERTS)),
    Query(name="counts: streams", does="sees the chips of the streams count", read=_groups(STREAMS)),
    Query(name="counts: agents", does="sees the chips of the agents count", read=_groups(AGENTS)),
    Query(name="reconcile: streams", does="a feed compares its versions", read=_versions(STREAMS)),
    Query(name="reconcile: agents", does="a feed compares its versions", read=_versions(AGENTS)),
    *LIST_QUERIES,
    *BOARD_QUERIES,
    Query(name="jobs", does="opens the list of jobs", read=_jobs()),
    Query(name="jobs: search", does="searches the jobs for a word of many", read=_jobs("import")),
    Query(name="job", does="opens the page of a job with its 50 latest runs", read=_job_page),
    Query(name="run and its job", does="opens a run beside what is usual of its job", read=_run_with_its_job),
    Query(name="comparison", does="compares six runs of a job", read=_comparison),
    Query(name="progress", does="opens the chart of a stream", read=_progress),
    Query(name="last hour", does="opens the dashboard", read=_last_hour),
    Query(name="log", does="opens the longest log of two months", read=_run_log),
    Query(name="logs: common word", does="searches all logs", read=_search(COMMON_WORD)),
    Query(name="logs: rare word", does="searches all logs", read=_search(RARE_WORD)),
    Query(name="logs: very rare word", does="searches all logs", read=_search(VERY_RARE_WORD)),
    Query(name="logs: absent word", does="searches all logs", read=_search(ABSENT_WORD), finds=False),
    Query(
        name="logs: absent word among errors",
        does="searches all logs at the level error",
        read=_search(ABSENT_WORD, "error"),
        finds=False,
    ),
    Query(name="logs: absent word of three letters", does="searches all logs", read=_search("xqz"), finds=False),
    Query(name="logs: absent two letters", does="searches all logs", read=_search("qx"), finds=False),
    Query(name="logs: expression", does="searches all logs", read=_search(f"{RARE_WORD}|{VERY_RARE_WORD}", regex=True)),
    Query(
        name="logs: absent expression",
        does="searches all logs",
        read=_search(f"{ABSENT_WORD}.*d", regex=True),
        finds=False,
    ),
    Query(name="logs: job", does="searches the logs of a job's 50 latest runs", read=_search_of_job),
    Query(name="API: agents", does="a program reads a page", read=_page("agents")),
    Query(name="API: failed agents", does="a program filters", read=_page("agents", ("status", "failed"))),
    Query(name="API: children", does="a program reads agents of the stream with the most", read=_children),
    Query(name="API: common word", does="a program searches agents", read=_page("agents", ("q", COMMON_WORD))),
    Query(
        name="API: rare word",
        does="a program searches agents, archived ones too",
        read=_page("agents", ("q", RARE_WORD), ("show", "current"), ("show", "archived")),
    ),
    Query(name="readiness", does="a load balancer asks", read=_readiness, finds=False),
)
"""All queries, in the order in which they are measured."""
