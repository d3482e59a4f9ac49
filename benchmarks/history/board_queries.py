"""What boards of analytics ask of the database: all charts, over ranges from a day to everything, and with filters."""

from uuid import UUID

from sqlalchemy import text

from benchmarks.history.scene import Query, Read, Scene
from benchmarks.organisation.words import RARE_WORD
from services.analytics.board import Board
from services.analytics.figures import count_of_ended
from services.analytics.reading import read_board

ZONE = "Europe/Berlin"
_JOB = text("select id from public.jobs where org_id = :org and kind = 'streams' and slug = :slug")


def _board(**params: str) -> Read:
    async def read(scene: Scene) -> int:
        board = Board.parse({name.rstrip("_"): value for name, value in params.items()})
        found = await read_board(
            scene.database, scene.identity, scene.org, board, zone=ZONE, now=scene.organisation.until
        )
        return count_of_ended(found)

    return read


async def _of_job(scene: Scene) -> int:
    async with scene.database.as_user(scene.identity) as session:
        values = {"org": scene.org, "slug": scene.job}
        job: UUID = (await (await session.connection()).execute(_JOB, values)).scalar_one()
    return await _board(kind="streams", job_id=str(job), from_="all")(scene)


BOARD_QUERIES = (
    Query(name="board: 7 days", does="opens the board", read=_board(from_="7d")),
    Query(name="board: 30 days", does="opens the board", read=_board(from_="30d")),
    Query(name="board: 90 days", does="opens the board", read=_board(from_="90d")),
    Query(name="board: everything", does="opens the board", read=_board(from_="all")),
    Query(name="board: agents, everything", does="opens the board", read=_board(kind="agents", from_="all")),
    Query(name="board: a job", does="opens the board of a job", read=_of_job),
    Query(
        name="board: failed agents, a year",
        does="filters the board by what roll-ups do not have",
        read=_board(kind="agents", status="failed", from_="365d"),
    ),
    Query(
        name="board: rare word, everything",
        does="searches for what roll-ups do not have",
        read=_board(q=RARE_WORD, from_="all"),
    ),
)
