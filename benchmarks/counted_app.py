"""The app with a loopback port that reports the resources of its process."""

import argparse
import asyncio
import gc
import json
import os
import sys
from collections import Counter

import psutil
from nicegui import Client, app
from sqlalchemy.engine import make_url

import main
import pages.app
from components.window.live_element import LiveBinding
from components.window.window import Window
from services.realtime import Feed, Subscription
from services.settings import read_settings

RECONNECT_TIMEOUT_SECONDS = 0.5
"""Time until a disconnected window is deleted; 120 s in the app, too long for a benchmark."""
COUNTED = (Client, Window, LiveBinding, Feed, Subscription)


def count() -> dict[str, float]:
    """Return the numbers of objects, tasks, sockets and open files of this process, and its memory in MiB."""
    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(type(each) for each in objects)
    process = psutil.Process()
    ports: list[int | None] = [each.raddr.port if each.raddr else None for each in process.net_connections(kind="inet")]
    database_connections = ports.count(_database_port())
    return {
        "tasks": len(asyncio.all_tasks()),
        "sockets": len(ports) - database_connections,
        "database connections": database_connections,
        "open files": process.num_fds(),
        "tab storages": len(app.storage._tabs),
        "elements": sum(len(client.elements) for client in Client.instances.values()),
        "objects": len(objects),
        **{f"{kind.__name__.lower()}s": kinds[kind] for kind in COUNTED},
        "memory": process.memory_info().rss / 2**20,
    }


def _database_port() -> int | None:
    """The port of DATABASE_URL; None for a socket in the file system."""
    return make_url(os.environ.get("DATABASE_URL", "postgresql://")).port


async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the counts to a client; they include the task and the socket of this connection."""
    writer.write(json.dumps(count()).encode())
    await writer.drain()
    writer.close()


async def serve() -> None:
    """Print the number of the port and run the app."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reconnect-timeout", type=float, default=RECONNECT_TIMEOUT_SECONDS)
    pages.app.RECONNECT_TIMEOUT_SECONDS = parser.parse_args().reconnect_timeout
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        print(f"counts on {server.sockets[0].getsockname()[1]}", flush=True)
        await main.serve(read_settings())


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
