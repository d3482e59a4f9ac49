"""The code uses the terms of docs/GLOSSARY.md, and none of the names that they replaced."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [
    "components",
    "local_supabase",
    "pages",
    "sdk",
    "sdk-js",
    "integrations",
    "services",
    "supabase",
    "benchmarks",
]
IN_USE, RETIRED = (ROOT / "docs/GLOSSARY.md").read_text().split("## Retired names")
RETIRED_NAMES = re.findall(r"`([^`]{2,})`", RETIRED)
IDENTIFIERS = re.findall(r"`([\w.]+)`", "\n".join(re.findall(r"^\|([^|]+)\|", IN_USE, re.MULTILINE)))


def sources(*suffixes: str) -> Iterator[Path]:
    """The project's own files."""
    yield ROOT / "main.py"
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in suffixes and not {"tests", "node_modules", "dist", "build"} & set(path.parts):
                yield path


def python_names(source: str) -> set[str]:
    """Every identifier that a module defines or uses."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.alias(name=name):
                names |= set(name.split("."))
    return names


def other_names(source: str) -> set[str]:
    """The words of SQL or JavaScript outside comments and texts."""
    source = re.sub(r"--.*|//.*|/\*.*?\*/", " ", source, flags=re.DOTALL if "/*" in source else 0)
    return set(re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`]*`", " ", source)))


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    """Each identifier of the project, with one file that has it."""
    found: dict[str, str] = {}
    for path in sources(".py", ".sql", ".js", ".ts", ".mjs"):
        source = path.read_text()
        of_file = python_names(source) if path.suffix == ".py" else other_names(source)
        found |= dict.fromkeys([*of_file, path.name], str(path.relative_to(ROOT)))
    return found


def test_no_retired_name_returns(names: dict[str, str]) -> None:
    assert len(RETIRED_NAMES) > 60
    patterns = [re.compile(name.replace("*", r"\w+") + "$") for name in RETIRED_NAMES]
    returned = {name: path for name, path in names.items() if any(pattern.match(name) for pattern in patterns)}
    assert returned == {}


def test_every_term_of_the_glossary_that_is_code_exists(names: dict[str, str]) -> None:
    assert len(IDENTIFIERS) > 60
    assert [name for name in IDENTIFIERS if name not in names] == []


def test_names_are_read_where_they_are_written() -> None:
    assert python_names("import a.b\ndef f(c, *, d=1): return e.g(h=2)\nclass I: j: k = 0") == set("abcdefghIjk")
    assert other_names("select k('no') -- no\nfrom l") == {"select", "k", "from", "l"}
