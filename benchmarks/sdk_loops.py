"""CPU time of tracked and bare loops, measured in a separate process that prints the times as JSON."""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b

import livewatch
from livewatch import tqdm as reported
from tqdm import tqdm as plain

TEXT = b"livewatch" * 70


def loop(items: Iterable[int]) -> float:
    """Run a loop with a body of about a microsecond; returns the CPU seconds of all threads.

    CPU time, unlike wall time, excludes other processes.
    """
    began = time.process_time()
    for _ in items:
        blake2b(TEXT).digest()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"bare": [], "track": [], "livewatch.tqdm": [], "tqdm": []}
    with open(os.devnull, "w") as nowhere:
        # A fixed width, because tqdm otherwise queries the terminal.
        ways: dict[str, Callable[[Iterable[int]], Iterable[int]]] = {
            "bare": iter,
            "track": partial(livewatch.track, name="Overhead"),
            "livewatch.tqdm": lambda items: reported.tqdm(items, "Overhead", file=nowhere, ncols=80),
            "tqdm": lambda items: plain(items, "Overhead", file=nowhere, ncols=80),
        }
        for way in ways.values():
            loop(way(range(arguments.steps // 10)))
        order = list(ways)
        for n in range(arguments.rounds):
            # Rotates the order of the variants, because the speed of the machine varies over time.
            for name in order[n % len(order) :] + order[: n % len(order)]:
                times[name].append(loop(ways[name](range(arguments.steps))))
    print(json.dumps(times))


if __name__ == "__main__":
    main()
