"""What a loop costs, watched and not: a process of its own that reports to the app and prints its times as JSON."""

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
    """Seconds of CPU, of all threads, for a body that is trivial, but not empty: about a microsecond.

    Not by the clock: what else runs on the machine would be measured with it.
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
        # Narrow, since tqdm asks the terminal for its width otherwise.
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
            # Each way at each place in turn: the machine is not the same from second to second.
            for name in order[n % len(order) :] + order[: n % len(order)]:
                times[name].append(loop(ways[name](range(arguments.steps))))
    print(json.dumps(times))


if __name__ == "__main__":
    main()
