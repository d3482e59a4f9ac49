"""The structure of the package: import directions between its folders, no circles, nothing from outside."""

import ast
import functools
import gc
import graphlib
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent
NAME = PACKAGE.name
MAX_MODULES_PER_FOLDER = 13
MAX_LINES = 310

# What each folder may import, besides itself; the modules beside the folders compose them and may import all.
ALLOWED = {
    "web": {"errors"},
    "mail": {"errors"},
    "postgres": {"errors", "retry"},
    "postgres.bootstrap": {"errors", "postgres"},
    "auth": {"errors", "web", "postgres", "mail"},
    "realtime.protocol": {"errors", "retry", "web"},
    "realtime.changes": {"errors", "retry", "web", "postgres", "auth", "realtime.protocol"},
    "realtime.channels": {
        "errors", "retry", "web", "postgres", "auth", "realtime.protocol", "realtime.changes",
    },
    "realtime.endpoints": {"errors", "web", "auth", "realtime.protocol", "realtime.channels"},
}  # fmt: skip
LEAVES = {"errors", "retry", "child"}
DISTRIBUTIONS = {
    "aiosmtplib", "argon2", "cryptography", "httpx", "jwt", "psutil", "psycopg", "pydantic", "pytest", "starlette",
    "structlog", "supabase", "uvicorn", "websockets",
}  # fmt: skip


@functools.cache
def modules() -> dict[str, Path]:
    """The package's modules by dotted name, without its tests."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] != "tests":
            found[".".join((NAME, *parts)).removesuffix(".__init__")] = path
    return found


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file. Collecting garbage meanwhile may log a lost task, which parses too: not in Python 3.11."""
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()


@functools.cache
def imports(module: str) -> frozenset[str]:
    """The modules that a module imports anywhere, including in functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(tree(modules()[module])):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module
            submodules = {f"{node.module}.{name.name}" for name in node.names} & modules().keys()
            found |= submodules or {node.module}
    return frozenset(found)


def folder(module: str) -> str:
    """The folder of a module relative to the package, or the module itself if it lies beside the folders."""
    inner = module.removeprefix(f"{NAME}.")
    for name in sorted(ALLOWED, key=len, reverse=True):
        if inner == name or inner.startswith(f"{name}."):
            return name
    return inner


@pytest.mark.parametrize("name", ALLOWED)
def test_a_folder_imports_only_what_is_below_it(name: str) -> None:
    for module in modules():
        if folder(module) == name:
            own = {folder(imported) for imported in imports(module) if imported.startswith(f"{NAME}.")}
            assert own - {name} <= ALLOWED[name], f"{module} imports {own - {name} - ALLOWED[name]}"


def test_the_leaves_import_nothing_of_the_package() -> None:
    for leaf in LEAVES:
        assert not [name for name in imports(f"{NAME}.{leaf}") if name.startswith(NAME)], leaf


def test_there_is_no_circle_among_the_modules() -> None:
    graph = {module: {name for name in imports(module) if name in modules()} for module in modules()}
    graphlib.TopologicalSorter(graph).prepare()


def test_only_declared_dependencies_are_imported() -> None:
    for module in modules():
        foreign = {name.split(".")[0] for name in imports(module)} - sys.stdlib_module_names - {NAME}
        assert foreign <= DISTRIBUTIONS, f"{module} imports {foreign - DISTRIBUTIONS}"
    project = (PACKAGE / "pyproject.toml").read_text().lower().replace("_", "-")
    for name in DISTRIBUTIONS - {"cryptography"}:
        assert f'"{packages_distributions()[name][0].lower()}' in project, f"{name} is not declared"


def test_every_module_and_public_object_has_a_docstring() -> None:
    for path in modules().values():
        assert ast.get_docstring(tree(path)), f"{path} has no docstring"
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"


def test_no_module_shadows_the_standard_library_when_the_package_is_the_current_directory() -> None:
    own = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not own & sys.stdlib_module_names


def test_modules_and_folders_stay_small() -> None:
    for path in modules().values():
        assert len(path.read_text().splitlines()) <= MAX_LINES, f"{path} is too long"
        count = len(list(path.parent.glob("*.py")))
        assert count <= MAX_MODULES_PER_FOLDER, f"{path.parent} holds {count} modules"
