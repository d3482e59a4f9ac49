"""The house rules, enforced: which way imports point, and that nothing happens at import."""

import ast
import functools
import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "services": {"services"},
    "components": {"components", "services"},
    "pages": {"pages", "components", "services"},
    "examples": {"examples", "livewatch"},
}
MAX_TEST_LINES = 50
SEAM = {"components/bindings.py", "components/live.py", "components/window.py", "components/views.py"}
TOP_LEVEL = {
    "main.py",
    "pyproject.toml",
    "pages",
    "components",
    "services",
    "tests",
    "README.md",
    "supabase",
    "docs",
    "benchmarks",
    "examples",
    "sdk",
    ".ci",
    "Makefile",
    "LICENSE",
    "CHANGELOG.md",
    "requirements.lock",
    "requirements-dev.lock",
    ".env.example",
    ".gitignore",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file.

    Python 3.11 cannot parse within a parse, and the collection of another test's lost task does: its traceback is
    logged, and for its carets the line is parsed. So no garbage is collected meanwhile.
    """
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()


def imported(path: Path) -> Iterator[str]:
    """The dotted names of the modules that a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_from_pages_to_components_to_services(package: str) -> None:
    for path in modules(package):
        ours = {name.split(".")[0] for name in imported(path)} & {*MAY_IMPORT, "livewatch", "tests", "main"}
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {ours - MAY_IMPORT[package]}"


def test_nothing_in_services_knows_of_a_user_interface() -> None:
    for path in [*modules("services"), *modules("examples")]:
        assert not any(name.split(".")[0] == "nicegui" for name in imported(path)), path.relative_to(ROOT)


def test_the_local_supabase_knows_nothing_of_the_product() -> None:
    for path in modules("services/local_supabase"):
        for name in imported(path):
            assert not name.startswith("services") or name.startswith("services.local_supabase"), (
                f"{path.relative_to(ROOT)} imports {name}"
            )


def test_only_the_seam_touches_both_a_subscription_and_a_window() -> None:
    for path in modules("components"):
        names = set(imported(path))
        binds = "services.realtime" in names and any(name.split(".")[0] == "nicegui" for name in names)
        assert not binds or str(path.relative_to(ROOT)) in SEAM, path.relative_to(ROOT)


@pytest.mark.parametrize("package", ["components", "pages"])
def test_no_element_is_made_at_import(package: str) -> None:
    for path in modules(package):
        for statement in tree(path).body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
                continue
            for node in ast.walk(statement):
                assert not (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "ui"
                ), f"{path.relative_to(ROOT)}:{node.lineno} calls ui at import"


def test_the_sdk_needs_nothing_but_python() -> None:
    for path in modules("sdk"):
        foreign = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"livewatch"}
        assert foreign <= ({"tqdm"} if path.name == "tqdm.py" else set()), f"{path.relative_to(ROOT)} imports {foreign}"


def test_every_module_says_what_it_owns() -> None:
    for package in (*MAY_IMPORT, "sdk"):
        for path in modules(package):
            assert ast.get_docstring(tree(path)), f"{path.relative_to(ROOT)} has no docstring"


def test_no_test_is_longer_than_fifty_lines() -> None:
    for path in modules("tests"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= MAX_TEST_LINES, f"{path.relative_to(ROOT)}: {node.name} has {length} lines"


def test_every_wait_of_a_test_has_a_deadline_of_this_machine() -> None:
    """Times that were right on another machine fail on a busy one: see tests/speed.py."""
    for path in modules("tests"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            if name == "new_context" and isinstance(node.func, ast.Attribute):
                assert path == ROOT / "tests" / "browser.py", f"{where} makes a context without a deadline"
            waits = [each.value for each in node.keywords if each.arg == "timeout"]
            waits += node.args[:1] if ast.unparse(node.func) == "asyncio.timeout" else []
            waits += node.args[1:2] if name == "wait_for" else []
            for each in waits:
                is_fixed = isinstance(each, ast.Constant) and isinstance(each.value, int | float) and each.value >= 1
                assert not is_fixed, f"{where} waits for {ast.unparse(each)} s"


def test_the_top_level_holds_what_it_should() -> None:
    answer = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip("not a git checkout")
    assert {line.split("/")[0] for line in answer.stdout.splitlines()} <= TOP_LEVEL
