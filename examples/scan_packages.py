"""Scan the Python packages of this environment, offline, and report the scan with the SDK.

`livewatch login`, or LIVEWATCH_URL and LIVEWATCH_KEY, configure the server and the ingest key.
"""

import argparse
import os
import platform
import signal
import sys
import threading
import time
from importlib.metadata import Distribution

import livewatch
from livewatch.settings import SettingsError, require_settings

from examples.inspect_packages import Findings, compile_sources, installed, measure, read_metadata, signals, verify

STEPS = ["Identify packages", "Read metadata", "Inspect packages", "Report"]
MIN_SERIOUS_STRENGTH = 75


def scan(limit: int | None = None) -> None:
    """Inspect the first `limit` packages, or all; report failures and interruptions, then re-raise them."""
    with livewatch.run(
        "Package health",
        steps=STEPS,
        type="package health",
        description=f"Licence, size, dependencies and syntax of the packages of Python {platform.python_version()}.",
    ) as run:
        try:
            inspect_all(run, limit)
        except KeyboardInterrupt:
            run.fail("interrupted")
            raise


def inspect_all(run: livewatch.Run, limit: int | None) -> None:
    """Run the steps in order."""
    run.step(STEPS[0])
    packages = installed()[:limit]
    run.set(total=len(packages))

    run.step(STEPS[1])
    findings = [read_metadata(package) for package in packages]

    run.step(STEPS[2])
    raised = serious = 0
    for package, found in run.track(list(zip(packages, findings, strict=True))):
        inspect(package, found)
        run.log(f"{found.name} {found.version}: {summary(found)}")
        for each in signals(found):
            run.log(f"{found.name}: {each.signal_type.replace('_', ' ')}, strength {each.strength}", level="warning")
            raised += 1
            serious += each.strength >= MIN_SERIOUS_STRENGTH
            livewatch.alert(
                f"{found.name} {found.version}",
                signal=each.signal_type,
                strength=each.strength,
                metadata=each.details,
            )
        run.status("at_risk" if serious > len(packages) / 10 else "on_track")

    run.step(STEPS[3])
    livewatch.notify(
        f"{len(packages)} packages inspected",
        f"{raised} alerts, {serious} of them high or urgent.",
        type="warning" if raised else "success",
        url="/alerts" if raised else "/monitoring",
    )


def inspect(package: Distribution, found: Findings) -> None:
    """Inspect one package as an agent; unreadable files fail only this agent."""
    agent = livewatch.agent(f"Inspect {found.name}", input=f"{found.name} {found.version}")
    try:
        with agent:
            for inspection in (measure, verify, compile_sources):
                began = time.perf_counter()
                inspection(package, found)
                # Use half of a core at most: the dashboard may run on the same machine.
                time.sleep(time.perf_counter() - began)
            agent.output = summary(found)
    except OSError as error:
        print(f"inspection of {found.name} failed: {error}", file=sys.stderr)


def summary(found: Findings) -> str:
    """Summarise the findings in one line."""
    return (
        f"{found.files} files, {found.size / 2**20:.1f} MiB, {found.sources} sources, "
        f"{len(found.altered)} altered, {len(found.broken)} do not compile, licence {found.licence or 'none'}"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the scan; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.scan_packages", description=__doc__)
    parser.add_argument("--limit", type=int, help="inspect only the first LIMIT packages")
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="stop when standard input closes, as when the parent process ends",
    )
    arguments = parser.parse_args(argv)
    try:
        require_settings()
    except SettingsError as error:
        print(f"Missing settings: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.platform != "win32":
        os.nice(10)
    if arguments.until_stdin_ends:
        threading.Thread(target=end_with_parent, name="parent", daemon=True).start()
    try:
        scan(arguments.limit)
    except KeyboardInterrupt:
        return 130
    return 0


def end_with_parent() -> None:
    """Stop when standard input closes: the kernel closes the pipe however the parent ends."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
