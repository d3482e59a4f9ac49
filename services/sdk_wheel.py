"""The SDK as a wheel, packed from its sources, so that the app can serve it to the programs that report to it.

The format is that of the binary distribution format,
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

import base64
import hashlib
import io
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SDK = Path(__file__).parents[1] / "sdk"
EPOCH = (2026, 1, 1, 0, 0, 0)
"""Time of every file in the wheel, so that equal sources give equal wheels."""
WHEEL = "Wheel-Version: 1.0\nGenerator: livewatch\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel: its file name, its content, and the SHA-256 of that in hexadecimal digits."""

    name: str
    content: bytes
    digest: str


@cache
def sdk_wheel() -> Wheel | None:
    """Pack the SDK; None when its sources are not installed beside the app."""
    if not (SDK / "pyproject.toml").exists():
        return None
    project = tomllib.loads((SDK / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = f"{project['name']}-{project['version']}.dist-info"
    files = {
        str(path.relative_to(SDK)): path.read_bytes()
        for path in sorted((SDK / "livewatch").rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    files |= {
        f"{info}/METADATA": _metadata(project).encode(),
        f"{info}/WHEEL": WHEEL.encode(),
        f"{info}/entry_points.txt": f"[console_scripts]\n{scripts}".encode(),
        f"{info}/licenses/LICENSE": (SDK / "LICENSE").read_bytes(),
    }
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    content = file.getvalue()
    name = f"{project['name']}-{project['version']}-py3-none-any.whl"
    return Wheel(name=name, content=content, digest=hashlib.sha256(content).hexdigest())


def _metadata(project: dict[str, object]) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
    ]
    extras = project.get("optional-dependencies", {})
    assert isinstance(extras, dict)
    for extra, requirements in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {each}; extra == '{extra}'" for each in requirements]
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + "\n\n" + (SDK / "README.md").read_text(encoding="utf-8")


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
