"""Inspections of installed Python distributions: licence, size, dependencies, integrity and syntax."""

import base64
import csv
import hashlib
import warnings
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

LARGE_BYTES = 20 * 2**20
VERY_LARGE_BYTES = 60 * 2**20
MANY_DEPENDENCIES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A finding that deserves an alert; `strength` is 0 to 100."""

    signal_type: str
    strength: int
    details: dict[str, object]


@dataclass(slots=True, kw_only=True)
class Findings:
    """Results of inspecting one package; `size` is in bytes."""

    name: str
    version: str
    licence: str | None = None
    dependencies: list[str] = field(default_factory=list)
    files: int = 0
    size: int = 0
    altered: list[str] = field(default_factory=list)
    sources: int = 0
    broken: list[str] = field(default_factory=list)


def installed() -> list[Distribution]:
    """Return the distributions of this environment, one per name, sorted by name."""
    found = {distribution.name.lower(): distribution for distribution in distributions() if distribution.name}
    return [found[name] for name in sorted(found)]


def read_metadata(distribution: Distribution) -> Findings:
    """Read name, version, licence and required dependencies."""
    metadata = distribution.metadata
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    licence = _first(metadata.get_all("License-Expression")) or _first(metadata.get_all("License"))
    return Findings(
        name=distribution.name,
        version=distribution.version,
        licence=licence or (classifiers[0].rsplit("::", 1)[-1].strip() if classifiers else None),
        dependencies=[line for line in distribution.requires or [] if "extra ==" not in line],
    )


def measure(distribution: Distribution, findings: Findings) -> None:
    """Count the files on disk and sum their sizes."""
    for path in _paths(distribution):
        findings.files += 1
        findings.size += path.stat().st_size


def verify(distribution: Distribution, findings: Findings) -> None:
    """Compare every file with its recorded hash; collect those that differ or are missing.

    Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    # Read here, because `distribution.files` leaves out missing files since Python 3.12.
    for name, recorded, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        kind, _, value = recorded.partition("=")
        if kind != "sha256":
            continue
        path = Path(str(distribution.locate_file(name)))
        digest = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != value:
            findings.altered.append(name)


def compile_sources(distribution: Distribution, findings: Findings) -> None:
    """Compile every source file in memory; collect those that do not compile."""
    for path in _paths(distribution):
        if path.suffix != ".py":
            continue
        findings.sources += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            findings.broken.append(f"{path.name}: {error}")


def signals(findings: Findings) -> list[Signal]:
    """Derive alerts from the findings."""
    found = []
    if findings.licence is None:
        found.append(Signal(signal_type="no licence", strength=60, details={"version": findings.version}))
    if findings.size >= LARGE_BYTES:
        strength = 78 if findings.size >= VERY_LARGE_BYTES else 55
        megabytes = round(findings.size / 2**20, 1)
        found.append(Signal(signal_type="unusually large", strength=strength, details={"megabytes": megabytes}))
    if len(findings.dependencies) >= MANY_DEPENDENCIES:
        count = len(findings.dependencies)
        found.append(
            Signal(signal_type="many dependencies", strength=min(74, 38 + count), details={"dependencies": count})
        )
    if findings.altered:
        found.append(
            Signal(
                signal_type="files differ from their record",
                strength=90,
                details={"files": len(findings.altered), "first": findings.altered[0][:300]},
            )
        )
    if findings.broken:
        strength = 92 if len(findings.broken) >= 5 else 84
        found.append(
            Signal(
                signal_type="sources do not compile",
                strength=strength,
                details={"files": len(findings.broken), "first": findings.broken[0][:300]},
            )
        )
    return found


def _paths(distribution: Distribution) -> list[Path]:
    """Return the recorded files that exist."""
    paths = (Path(str(distribution.locate_file(file))) for file in distribution.files or [])
    return [path for path in paths if path.is_file()]


def _first(licences: list[str] | None) -> str | None:
    """Return the first line: some metadata holds the full text of the licence."""
    lines = (licences or [""])[0].strip().splitlines()
    return lines[0][:80] if lines and lines[0].upper() != "UNKNOWN" else None
