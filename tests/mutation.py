"""Changes a module in every small way that changes what it does, and lists the changes that no test notices.

    python -m tests.mutation services/realtime/rows.py [tests ...]

Without tests named, it runs those that mirror the module, `tests/services/realtime/test_rows.py`. No file is changed:
each mutant is compiled from the changed syntax tree, in a process of its own.
"""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
MIN_TIMEOUT_SECONDS = 20
SLOWDOWN = 5
"""Times that a mutant may take longer than the module before it counts as one that never ends."""
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change: the place, and what it does."""

    number: int
    line: int
    what: str


class Mutator(ast.NodeTransformer):
    """Visits every place that can be changed, in a fixed order, and changes the one with the number `target`."""

    def __init__(self, target: int | None = None) -> None:
        self.mutants: list[Mutant] = []
        self._target = target

    def _is_target(self, node: ast.stmt | ast.expr, what: str) -> bool:
        self.mutants.append(Mutant(number=len(self.mutants), line=node.lineno, what=what))
        return self._target == self.mutants[-1].number

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:  # named by ast
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:  # named by ast
        before = ast.unparse(node)
        for position, operator in enumerate(node.ops):
            if (swap := SWAPS.get(type(operator))) and self._is_target(node, f"{swap.__name__} in {before}"):
                node.ops[position] = swap()  # type: ignore[call-overload]  # a comparison swaps for a comparison
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        swap = SWAPS[type(node.op)]
        if self._is_target(node, f"{swap.__name__} in {ast.unparse(node)}"):
            node.op = swap()  # type: ignore[assignment]
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if (swap := SWAPS.get(type(node.op))) and self._is_target(node, f"{swap.__name__} in {ast.unparse(node)}"):
            node.op = swap()  # type: ignore[assignment]
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not) and self._is_target(node, f"without not: {ast.unparse(node)}"):
            return self.generic_visit(node.operand) if not isinstance(node.operand, ast.Name) else node.operand
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            if self._is_target(node, f"{not node.value} for {node.value}"):
                return ast.copy_location(ast.Constant(not node.value), node)
        elif isinstance(node.value, int | float) and self._is_target(node, f"{node.value + 1} for {node.value}"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        for value in (True, False):
            if self._is_target(node, f"if {value}: for if {ast.unparse(node.test)}:"):
                node.test = ast.copy_location(ast.Constant(value), node.test)
                return node
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_call = isinstance(node.value, ast.Call | ast.Await)
        if is_call and self._is_target(node, f"without {ast.unparse(node)}"):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        without = f"without async with {ast.unparse(node.items[0])}"
        if node.items[0].optional_vars is None and self._is_target(node, without):
            return ast.copy_location(ast.If(test=ast.Constant(True), body=node.body, orelse=[]), node)
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        has_value = node.value is not None and not isinstance(node.value, ast.Constant)
        if has_value and self._is_target(node, f"return None for {ast.unparse(node)}"):
            node.value = ast.copy_location(ast.Constant(None), node)
            return node
        return self.generic_visit(node)


class MutantFinder(MetaPathFinder, Loader):
    """Imports the mutant in place of its module."""

    def __init__(self, module: Path, number: int) -> None:
        self._path = ROOT / module
        self._name = ".".join(module.with_suffix("").parts)
        self._tree = ast.fix_missing_locations(Mutator(number).visit(ast.parse(self._path.read_text())))

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return spec_from_file_location(fullname, self._path, loader=self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)  # this is what it is for


def mutants_of(module: Path) -> list[Mutant]:
    """Every change of a module, by its number."""
    mutator = Mutator()
    mutator.visit(ast.parse((ROOT / module).read_text()))
    return mutator.mutants


def survives(module: Path, mutant: Mutant, tests: list[str], *, timeout: float) -> bool:
    """Run the tests against a mutant; returns whether all of them pass. A mutant that never ends does not survive."""
    command = [sys.executable, "-m", "tests.mutation", "--run", str(mutant.number), str(module), *tests]
    try:
        run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def survivors(module: Path, tests: list[str], *, timeout: float) -> Iterator[Mutant]:
    """The mutants of a module that survive the tests, as they are found."""
    mutants = mutants_of(module)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda each: survives(module, each, tests, timeout=timeout), mutants)
        for mutant, alive in zip(mutants, results, strict=True):
            if alive:
                yield mutant


def main(arguments: list[str]) -> int:
    """List the survivors; returns the exit code."""
    if not arguments:
        print('Name a module: make mutants MODULE=services/realtime/rows.py TESTS="tests/services/realtime"')
        return 2
    if arguments[0] == "--run":
        number, mutated, *tests = arguments[1:]
        sys.meta_path.insert(0, MutantFinder(Path(mutated), int(number)))
        return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--disable-warnings", *tests]))
    module = Path(arguments[0])
    tests = arguments[1:] or [str(Path("tests") / module.parent / f"test_{module.name}")]
    if missing := [each for each in [str(module), *tests] if not (ROOT / each).exists()]:
        print(f"{', '.join(missing)} does not exist.")
        return 2
    command = [sys.executable, "-m", "pytest", "-x", "-q", *tests]
    started = time.monotonic()
    plain = subprocess.run(command, check=False, cwd=ROOT, capture_output=True)
    if plain.returncode:
        print(f"The tests fail without a mutant: {plain.stdout.decode()[-500:]}")
        return 2
    count = 0
    timeout = max(MIN_TIMEOUT_SECONDS, SLOWDOWN * (time.monotonic() - started))
    for mutant in survivors(module, tests, timeout=timeout):
        count += 1
        print(f"{module}:{mutant.line}: {mutant.what}", flush=True)
    print(f"{count} of {len(mutants_of(module))} mutants of {module} survive.")
    return min(count, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
