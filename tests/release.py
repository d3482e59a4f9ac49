"""Makes a release: checks the version, runs every test, builds the wheels, tries them, and tags the commit.

    python -m tests.release 0.2.0

The version must be that of every package, and `CHANGELOG.md` must have its section with today's date. The wheels are
left in `dist/`; nothing is pushed or published.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"livewatch": ROOT / "sdk", "local-supabase": ROOT / "local_supabase"}
TRIALS = {
    "livewatch": "import livewatch; livewatch.track",
    "local-supabase": "import local_supabase.server",
}


class ReleaseError(Exception):
    """Why there can be no release, with the next step."""


def problems(version: str, *, root: Path = ROOT, today: str | None = None) -> list[str]:
    """What must be corrected before `version` can be released."""
    today = today or datetime.now(UTC).date().isoformat()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return [f"{version!r} is no version; give one like 0.2.0."]
    found = []
    for name in ("pyproject.toml", "sdk/pyproject.toml", "local_supabase/pyproject.toml"):
        has = tomllib.loads((root / name).read_text())["project"]["version"]
        if has != version:
            found.append(f"{name} has version {has}; set {version}.")
    changelog = (root / "CHANGELOG.md").read_text()
    if f"## {version} - {today}" not in changelog:
        found.append(f'CHANGELOG.md has no section "## {version} - {today}"; rename "Unreleased".')
    return found


def run(*command: str | Path) -> str:
    """Run a command in the project; returns its output. Raises ReleaseError with the output if it fails."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))} failed:\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
    return result.stdout


def build_and_try(into: Path) -> list[Path]:
    """Build every wheel, install each into an empty environment, and import it; returns the wheels."""
    wheels = []
    for name, folder in PACKAGES.items():
        print(f"Building {name}")
        before = set(into.glob("*.whl"))
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", into, folder)
        (wheel,) = set(into.glob("*.whl")) - before
        with tempfile.TemporaryDirectory() as environment:
            venv.create(environment, with_pip=True)
            scripts = Path(environment) / ("Scripts" if sys.platform == "win32" else "bin")
            run(scripts / "python", "-m", "pip", "install", "--quiet", wheel)
            run(scripts / "python", "-I", "-c", TRIALS[name])
        wheels.append(wheel)
    return wheels


def release(version: str) -> None:
    """Make the release of the current commit. Raises ReleaseError."""
    if found := problems(version):
        raise ReleaseError("\n".join(found))
    if changes := run("git", "status", "--porcelain"):
        raise ReleaseError(f"Commit or remove these changes first:\n{changes}")
    if run("git", "tag", "--list", f"v{version}"):
        raise ReleaseError(f"The tag v{version} exists; give the next version.")
    print("Running every test")
    run("make", "test")
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    wheels = build_and_try(dist)
    run("git", "tag", "--annotate", f"v{version}", "--message", f"Livewatch {version}")
    print(f"Tagged v{version}. Publish it with: git push --tags && twine upload {' '.join(map(str, wheels))}")


def main(arguments: list[str]) -> int:
    """Make the release of the version given; returns the exit code."""
    if len(arguments) != 1:
        print("Name the version: make release VERSION=0.2.0")
        return 2
    try:
        release(arguments[0])
    except ReleaseError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
