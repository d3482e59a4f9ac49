"""The app with its insides counted: `main.py`, and a loopback port that answers with what there is of everything."""

import asyncio
import gc
import json
import sys
from collections import Counter

import psutil
from nicegui import Client, app

import main
import pages.app
from components.window.live_element import LiveBinding
from components.window.window import Window
from services.realtime import Feed, Subscription
from services.settings import read_settings

RECONNECT_TIMEOUT = 0.5
"""Seconds until a window that went is given up; two minutes in the app, which nobody wants to wait for here."""
COUNTED = (Client, Window, LiveBinding, Feed, Subscription)


def count() -> dict[str, float]:
    """Objects, those of the app by kind, tasks, sockets and open files of this process, and its memory in MiB."""
    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(type(each) for each in objects)
    process = psutil.Process()
    return {
        "tasks": len(asyncio.all_tasks()),
        "sockets": len(process.net_connections(kind="inet")),
        "open files": process.num_fds(),
        "tab storages": len(app.storage._tabs),
        "elements": sum(len(client.elements) for client in Client.instances.values()),
        "objects": len(objects),
        **{f"{kind.__name__.lower()}s": kinds[kind] for kind in COUNTED},
        "memory": process.memory_info().rss / 2**20,
    }


async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the counts to whoever connects. Of tasks and sockets, those of the question itself are among them."""
    writer.write(json.dumps(count()).encode())
    await writer.drain()
    writer.close()


async def serve() -> None:
    """Run the app beside the port, whose number is printed first."""
    pages.app.RECONNECT_TIMEOUT_SECONDS = RECONNECT_TIMEOUT
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        print(f"counts on {server.sockets[0].getsockname()[1]}", flush=True)
        await main.serve(read_settings())


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
