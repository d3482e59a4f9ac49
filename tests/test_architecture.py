"""Structure of the sources: import directions between folders, modules per folder, and no side effects at import."""

import ast
import functools
import gc
import graphlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_ROOMS = 12
MAX_TEST_LINES = 50
LAYERS = (
    "services.errors",
    "services.feed_kind",
    "services.oidc_settings",
    "services.period",
    "services.plan",
    "services.sdk_wheel",
    "services.settings",
    "services.text",
    "services.infra",
    "services.auth",
    "services.entities.base",
    "services.entities",
    "services.people",
    "services.chat",
    "services.editing",
    "services.mail",
    "services.delivery.message",
    "services.delivery.channel_kind",
    "services.delivery.addresses",
    "services.delivery.network",
    "services.delivery.sealing",
    "services.delivery.couriers",
    "services.delivery",
    "services.schedules",
    "services.history",
    "services.results",
    "services.realtime.transports",
    "services.realtime",
    "services.lists",
    "services.analytics",
    "services.rules.terms",
    "services.rules",
    "services.push",
    "services.status",
    "services.presence",
    "services.notes",
    "services.ingest",
    "services.reading",
    "services.demo",
    "services.operations",
    "components.presentation",
    "components.window",
    "components.views.chat",
    "components.views.editing",
    "components.views",
    "components.views.lists",
    "components.elements",
    "components.elements.figures",
    "components.elements.connection",
    "components.elements.charts",
    "components.elements.connect",
    "components.elements.viewers",
    "components.elements.handling",
    "components.elements.lists",
    "components.elements.views",
    "components.elements.chat",
    "components.elements.editing",
    "components.elements.notes",
    "components.elements.logs",
    "components.elements.jobs",
    "components.elements.analytics",
    "components.elements.results",
    "components.elements.devices",
    "components.elements.team",
    "components.shell.theme",
    "components.shell.attention",
    "components.shell",
    "pages.page.teams",
    "pages.page",
    "pages.results",
    "pages.lists.actions",
    "pages.lists",
    "pages.api",
    "pages.http",
    "pages.installation",
    "pages.results.downloads",
    "pages.session",
    "pages.session.sso",
    "pages.delivery",
    "pages.settings",
    "pages.rules",
    "pages.status",
    "pages.account",
    "pages.team",
    "pages.chat",
    "pages.editing",
    "pages.viewers",
    "pages.inbox",
    "pages.jobs",
    "pages.analytics",
    "pages.monitoring",
    "pages.gallery",
    "pages.frame",
    "pages.app",
    "pages.composition",
)
"""Folders and top-level modules from bottom to top; each imports only those before it."""
PACKAGES = ("services", "components", "pages")
SDK = ROOT / "sdk"
SDK_LAYERS = (
    "livewatch.config_file",
    "livewatch.settings",
    "livewatch.threads",
    "livewatch.delivery",
    "livewatch.reporting",
    "livewatch.runs",
    "livewatch.logs",
    "livewatch.messages",
    "livewatch.tqdm",
    "livewatch.api",
    "livewatch.cli",
    "livewatch.__main__",
    "livewatch",
)
"""The same of the SDK, whose root module is its public interface."""
EXAMPLES_IMPORT = {"examples", "livewatch"}
LOCAL_SUPABASE_USERS = {
    "services/infra/backend.py",
    "services/infra/web_server.py",
    "services/mail/mailer.py",
    "services/operations/migrations.py",
    "services/settings.py",
}
TOP_LEVEL = {
    ".ci",
    ".editorconfig",
    ".env.example",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "biome.json",
    "components",
    "docs",
    "examples",
    "integrations",
    "local_supabase",
    "main.py",
    "pages",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "sdk",
    "sdk-js",
    "services",
    "supabase",
    "tests",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(path: Path, root: Path = ROOT) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def tree(path: Path) -> ast.Module:
    """Parse a file.

    Garbage collection is disabled, because Python 3.11 cannot parse recursively: collecting a lost task of another test
    logs its traceback, which parses source lines.
    """
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()


def imported(path: Path) -> Iterator[str]:
    """Return the dotted names that a file imports, at any level and under TYPE_CHECKING."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                is_module = any((root / Path(*inner.split("."))).with_suffix(".py").exists() for root in (ROOT, SDK))
                yield inner if is_module else node.module


def ours(path: Path) -> set[str]:
    return {name for name in imported(path) if name.split(".")[0] in PACKAGES}


def layer(name: str, layers: Sequence[str] = LAYERS) -> str:
    """Return the layer of a module."""
    return max((each for each in layers if name == each or name.startswith(f"{each}.")), key=len, default="")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_belongs_to_a_layer_or_holds_only_a_docstring(package: str) -> None:
    for path in modules(package):
        assert layer(dotted(path)) or len(tree(path).body) == 1, f"{relative(path)} is in no layer of LAYERS"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_from_a_folder_to_those_below_it(package: str) -> None:
    rank = {name: index for index, name in enumerate(LAYERS)}
    for path in modules(package):
        here = layer(dotted(path))
        for name in ours(path):
            there = layer(name)
            assert there, f"{relative(path)} imports {name}, which is in no layer"
            assert rank[there] <= rank[here], f"{relative(path)} imports {name}, which is above it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {dotted(path): path for package in PACKAGES for path in modules(package) if path.name != "__init__.py"}
    graph = {name: ours(path) & files.keys() for name, path in files.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", [*PACKAGES, "sdk", "examples", "benchmarks"])
def test_no_folder_has_more_rooms_than_one_sees_at_a_glance(package: str) -> None:
    for folder in [ROOT / package, *(path for path in (ROOT / package).rglob("*") if path.is_dir())]:
        rooms = [
            path
            for path in folder.iterdir()
            if path.suffix in (".py", ".js", ".css", ".sql") and path.name != "__init__.py"
        ]
        stems = {path.stem for path in rooms}
        assert len(stems) <= ROOMS_ALLOWED.get(relative(folder), MAX_ROOMS), f"{relative(folder)}: {sorted(stems)}"


ROOMS_ALLOWED = {"benchmarks": 26}


def test_examples_use_the_sdk_alone() -> None:
    known = {*PACKAGES, "local_supabase", "main", "tests", "examples", "livewatch"}
    for path in modules("examples"):
        assert {name.split(".")[0] for name in imported(path)} & known <= EXAMPLES_IMPORT, relative(path)


def test_nothing_in_services_knows_of_a_user_interface() -> None:
    for path in [*modules("services"), *modules("examples")]:
        assert not any(name.split(".")[0] == "nicegui" for name in imported(path)), relative(path)


def test_only_the_backend_and_the_migrations_touch_the_local_supabase() -> None:
    touching = {
        relative(path)
        for package in PACKAGES
        for path in modules(package)
        if any(name.split(".")[0] == "local_supabase" for name in imported(path))
    }
    assert touching == LOCAL_SUPABASE_USERS


def test_views_build_no_elements() -> None:
    for path in modules("components/views"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nicegui":
                assert [name.name for name in node.names] == ["json"], relative(path)


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
                ), f"{relative(path)}:{node.lineno} calls ui at import"


def test_the_sdk_needs_nothing_but_python() -> None:
    for path in modules("sdk"):
        foreign = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"livewatch"}
        extras = {"tqdm": {"tqdm"}, "mcp": {"mcp", "mcp_types"}, "login.py": {"segno"}}
        allowed = {name for folder, names in extras.items() if folder in path.parts for name in names}
        assert foreign <= allowed, f"{relative(path)} imports {foreign}"


def test_the_folders_of_the_sdk_import_one_way_and_no_modules_in_a_circle() -> None:
    """Type-checking imports included. The root module is imported by programs only: it is above all others."""
    files = {dotted(path, SDK): path for path in modules("sdk")}
    rank = {name: index for index, name in enumerate(SDK_LAYERS)}
    graph = {name: {each for each in imported(path) if each in files} for name, path in files.items()}
    assert graph["livewatch.reporting.reporter"] >= {"livewatch.delivery.disk_queue", "livewatch.settings"}
    for name, imports in graph.items():
        assert layer(name, SDK_LAYERS) != "livewatch" or name == "livewatch", f"{name} is in no layer of SDK_LAYERS"
        for each in imports:
            assert rank[layer(each, SDK_LAYERS)] <= rank[layer(name, SDK_LAYERS)], f"{name} imports {each}, above it"
    graphlib.TopologicalSorter(graph).prepare()


def test_every_module_has_a_docstring() -> None:
    for package in (*PACKAGES, "examples", "sdk", "benchmarks"):
        for path in modules(package):
            assert ast.get_docstring(tree(path)), f"{relative(path)} has no docstring"


def test_no_test_is_longer_than_fifty_lines() -> None:
    for path in modules("tests"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= MAX_TEST_LINES, f"{path.relative_to(ROOT)}: {node.name} has {length} lines"


def test_every_wait_of_a_test_has_a_deadline_of_this_machine() -> None:
    """Fixed times fail on a busy machine; see tests/speed.py."""
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
