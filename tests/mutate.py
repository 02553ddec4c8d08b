"""Mutation score: faults are planted in the library one by one; how many do the quick tests find?

``python -m tests.mutate model exact --number 80`` plants faults, chosen at random with a seed, in
these packages. First, once, it notes which block of which function every quick test runs. Then, for
every fault, a forked process imports the library with it and runs the tests that come through that
place, those of its own package first, and of each the cheapest first, until one fails or their time
is spent. Nothing on disk is changed. A fault that no test runs, or that all of them pass, survived;
some survivors are no faults at all (another order of a sum, a faster path not taken), which only
reading tells.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import importlib
import importlib.machinery
import json
import linecache
import os
import random
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "phasespace", "run", "exact")
TESTS = ("tests/model", "tests/phasespace", "tests/run", "tests/exact", "tests/moments",
         "tests/arrays", "tests/analysis", *sorted(f"tests/{p.name}" for p in
         Path(__file__).parent.glob("test_*.py")))  # fmt: skip
BUDGET = 60.0  # seconds of processor time of the tests of one fault
HEAVY = ("scipy.integrate", "scipy.sparse.linalg", "h5netcdf", "hypothesis", "pandas",
         "llvmlite.binding")  # fmt: skip

PAIRS = (
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),  # codespell:ignore
)  # fmt: skip
COMPARED = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


# ---------------------------------------------------------------- places and faults


@dataclass
class Fault:
    """A change of a syntax tree."""

    line: int
    block: int  # line where its block begins; 0 outside functions
    what: str
    compiled: bool  # in a function that is compiled, not run
    apply: Callable[[], None]


def compiled_names(tree: ast.Module) -> frozenset[str]:
    """Functions of a module that are compiled: loops, and those of the module that they call."""
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    loops = {
        name
        for name, function in functions.items()
        if any(ast.unparse(d) == "Loop" for d in function.decorator_list)
    }
    todo = list(loops)
    while todo:
        called = (n.func for n in ast.walk(functions[todo.pop()]) if isinstance(n, ast.Call))
        new = {n.id for n in called if isinstance(n, ast.Name)} & functions.keys() - loops
        loops |= new
        todo += new
    return frozenset(loops)


def blocks(
    body: list[ast.stmt], inside: bool, hits: bool, loops: frozenset[str]
) -> Iterator[tuple[ast.stmt, int, bool]]:
    """Statements, the block of each, and whether it is compiled.

    A block begins with a list of statements, and behind every statement that holds others.
    ``loops``: functions that are compiled.
    ``hits`` puts a call ``__hit__(line)`` at each beginning.
    """
    begin, marks, at = True, [], 0
    for k, statement in enumerate(body):
        if begin and inside and not isinstance(statement, (ast.Global, ast.Nonlocal)):
            at, begin = statement.lineno, False
            marks.append((k, statement.lineno))
        yield statement, at, False
        function = isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))
        for name in ("body", "orelse", "finalbody"):
            nested = getattr(statement, name, None)
            if not nested:
                continue
            begin = True
            if function and statement.name in loops:
                for s, _, _ in blocks(nested, False, False, loops):
                    yield s, 0, True
            else:
                within = function or (inside and not isinstance(statement, ast.ClassDef))
                yield from blocks(nested, within, hits, loops)
        for handler in getattr(statement, "handlers", ()):
            yield from blocks(handler.body, inside, hits, loops)
    if hits:
        for k, line in reversed(marks):
            body.insert(k, ast.parse(f"__hit__({line})").body[0])


def _own(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Expressions of a statement and their parents, without annotations, decorators, asserts."""
    if isinstance(statement, (ast.Assert, ast.Import, ast.ImportFrom)):
        return
    skip = {"body", "orelse", "finalbody", "handlers", "annotation", "returns", "decorator_list"}

    def walk(node: ast.AST, parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        yield node, parent
        for name, value in ast.iter_fields(node):
            nested = isinstance(node, (ast.IfExp, ast.Lambda))  # their ``body`` is an expression
            if name in skip and not nested:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.stmt):
                    yield from walk(child, node)

    yield from walk(statement, statement)


def _swap(node: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _changes(node: Any, parent: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    kind = type(node)
    if kind is ast.Compare and type(node.ops[0]) in COMPARED:
        new = COMPARED[type(node.ops[0])]
        yield (
            f"{type(node.ops[0]).__name__} to {new.__name__}",
            _swap(node, "ops", [new(), *node.ops[1:]]),
        )
    elif kind in (ast.BinOp, ast.AugAssign) and type(node.op) in COMPUTED:
        text = isinstance(getattr(node, "left", None), (ast.JoinedStr, ast.List))
        if not text and not isinstance(getattr(node, "right", None), ast.JoinedStr):
            new = COMPUTED[type(node.op)]
            yield f"{type(node.op).__name__} to {new.__name__}", _swap(node, "op", new())
    elif kind is ast.BoolOp:
        new = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{type(node.op).__name__} to {new.__name__}", _swap(node, "op", new())
    elif kind is ast.UnaryOp and isinstance(node.op, (ast.USub, ast.Not)):
        new = ast.UAdd if isinstance(node.op, ast.USub) else None
        if new is not None:
            yield "minus dropped", _swap(node, "op", new())
    elif kind is ast.Constant and not isinstance(parent, (ast.FormattedValue, ast.Expr)):
        value = node.value
        if isinstance(value, bool):
            yield f"{value} to {not value}", _swap(node, "value", not value)
        elif isinstance(value, int):
            yield f"{value} to {value + 1}", _swap(node, "value", value + 1)
        elif isinstance(value, (float, complex)):
            other = 2 * value or 1.0
            yield f"{value} to {other}", _swap(node, "value", other)
    elif kind in (ast.If, ast.While):
        test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
        yield "condition reversed", _swap(node, "test", test)
    if kind is ast.Raise or (kind is ast.Expr and isinstance(node.value, ast.Call)):

        def drop() -> None:
            node.__class__, node._fields = ast.Pass, ()

        yield f"{'raise' if kind is ast.Raise else 'call'} dropped", drop


def faults(tree: ast.Module) -> list[Fault]:
    """All that can be planted in a module, in the order of its text."""
    out = []
    for statement, block, compiled in list(blocks(tree.body, False, False, compiled_names(tree))):
        if "TYPE_CHECKING" in ast.unparse(statement)[:30]:
            continue
        for node, parent in _own(statement):
            line = getattr(node, "lineno", statement.lineno)
            out += [Fault(line, block, w, compiled, do) for w, do in _changes(node, parent)]
    return out


# ---------------------------------------------------------------- the library, changed


class Loader(importlib.machinery.SourceFileLoader):
    """Loads modules as ``change`` makes them; ``told``: whoever reads their source sees it, too."""

    change: Callable[[str, ast.Module], None]
    told: bool

    def get_code(self, fullname: str) -> Any:
        tree = ast.parse(self.get_data(self.path), self.path)
        self.change(fullname, tree)
        ast.fix_missing_locations(tree)
        if self.told:  # kernels are made of source
            text = ast.unparse(tree)
            linecache.cache[self.path] = len(text), None, text.splitlines(True), self.path
            return compile(text, self.path, "exec", dont_inherit=True)
        return compile(tree, self.path, "exec", dont_inherit=True)


def change_modules(
    prefixes: tuple[str, ...], change: Callable[[str, ast.Module], None], told: bool
) -> None:
    """Let modules be changed when they are imported."""

    class Finder(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
            if not any(name == p or name.startswith(p + ".") for p in prefixes):
                return None
            spec = super().find_spec(name, path, target)
            if spec is not None and spec.origin is not None:
                spec.loader = Loader(name, spec.origin)
                spec.loader.change, spec.loader.told = change, told
            return spec

    sys.meta_path.insert(0, Finder())


def in_child(work: Callable[[], int], seconds: float) -> int:
    """Exit status of a forked process with that much processor time; negative: its signal."""
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 5))
            resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
            with open(os.devnull, "w") as null, redirect_stdout(null), redirect_stderr(null):
                status = work()
        finally:
            os._exit(status)
    end = time.monotonic() + 60 + 20 * seconds  # for what waits, on a busy machine too
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.05)


def run_tests(arguments: list[str], plugins: list[Any]) -> int:
    """Exit status of pytest in this process."""
    quiet = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--no-header",
        "-m",
        "not slow",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    return int(pytest.main([*quiet, *arguments], plugins=plugins))


# ---------------------------------------------------------------- who runs what


class Watch:
    """A pytest plugin that writes which blocks each test runs, and its processor time."""

    def __init__(self, path: Path):
        self.path, self.seen = path, set()
        self.passed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self.seen.clear()
        self.passed = True
        start = time.process_time()
        out = yield
        row = [item.nodeid, time.process_time() - start, self.passed, sorted(self.seen)]
        with self.path.open("a") as f:
            f.write(json.dumps(row) + "\n")
        return out

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.passed &= report.passed


def watch(paths: list[str], out: Path) -> None:
    """Note what the quick tests run."""
    plugin = Watch(out)

    def instrument(name: str, tree: ast.Module) -> None:
        for _ in blocks(tree.body, False, True, compiled_names(tree)):
            pass
        hit = ast.parse(f"def __hit__(line):\n    __seen__.add(({name!r}, line))").body[0]
        future = [isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in tree.body]
        first = future.index(True) + 1 if any(future) else int(ast.get_docstring(tree) is not None)
        tree.body.insert(first, hit)

    builtins.__seen__ = plugin.seen  # type: ignore[attr-defined]
    change_modules(tuple(f"wignerflow.{p}" for p in PACKAGES), instrument, told=False)
    run_tests(paths, [plugin])


# ---------------------------------------------------------------- one fault after the other


def module_name(path: Path) -> str:
    """The name by which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def drawn(package: str, number: int, seed: int) -> list[tuple[Path, int]]:
    """Faults of a package, drawn without repetition: file, and number of the fault in it."""
    every = []
    for path in sorted((ROOT / "wignerflow" / package).rglob("*.py")):
        every += [(path, k) for k in range(len(faults(ast.parse(path.read_text()))))]
    random.Random(f"{package} {seed}").shuffle(every)
    return every[:number]


def chosen(rows: list[Any], module: str, fault: Fault) -> tuple[list[str], float]:
    """Tests that come through a place, and the processor time they take.

    Those of its own package are written to judge it; hundreds of others only pass by.
    """
    own = f"tests/{module.split('.')[1]}/"
    tests, spent = [], 0.0
    for name, seconds, passed, seen in sorted(rows, key=lambda r: (own not in r[0], r[1])):
        through = (m == module and fault.block in (0, line) for m, line in seen)
        if passed and spent + seconds < BUDGET and any(through):
            tests.append(name)
            spent += seconds
    return tests, spent


def plant(path: Path, number: int, tests: list[str], seconds: float) -> str:
    """What became of a fault: "killed", "survived", "too slow", "crashed"."""
    module, fault = module_name(path), faults(ast.parse(path.read_text()))[number]

    def change(name: str, tree: ast.Module) -> None:
        if name == module:
            faults(tree)[number].apply()

    def work() -> int:
        change_modules((module,), change, told=True)
        return run_tests(["-x", *tests], [])

    status = in_child(work, 30 + 2 * seconds + 60 * fault.compiled)
    if status in (0, 1, 2, 4):  # failures; 2 and 4: it cannot even be imported
        return "killed" if status else "survived"
    slow = (-signal.SIGXCPU, -signal.SIGKILL)
    return "too slow" if status in slow else f"crashed ({status})"


def score(package: str, number: int, seed: int, rows: list[Any], out: Path) -> None:
    """Plant the faults of a package and add a line of JSON for each to a file."""
    done = {tuple(json.loads(line)[:2]) for line in out.open()} if out.exists() else set()
    for path, k in drawn(package, number, seed):
        name = str(path.relative_to(ROOT))
        if (name, k) in done:
            continue
        fault = faults(ast.parse(path.read_text()))[k]
        tests, seconds = chosen(rows, module_name(path), fault)
        fate = plant(path, k, tests, seconds) if tests else "no test"
        with out.open("a") as f:
            row = [name, k, fault.line, fault.what, fate, len(tests), round(seconds, 2)]
            f.write(json.dumps(row) + "\n")


def table(out: Path) -> str:
    """Scores by package, and what survived."""
    rows = [json.loads(line) for line in out.open()]
    by: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by[Path(row[0]).parts[1]].append(row)
    lines = ["package      faults  killed  no test  survived"]
    for package, own in by.items():
        lost = sum(r[4] == "survived" for r in own)
        none = sum(r[4] == "no test" for r in own)
        killed = len(own) - lost - none
        lines.append(f"{package:12} {len(own):6} {killed / len(own):7.0%} {none:8} {lost:9}")
    left = [r for r in rows if r[4] in ("survived", "no test")]
    lines += ["", *(f"{r[0]}:{r[2]}: {r[3]} ({r[4]}, {r[5]} tests)" for r in sorted(left))]
    return "\n".join(lines)


def main() -> None:
    """See the text of this module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    parser.add_argument("--number", type=int, default=60, help="faults in each package")
    parser.add_argument("--seed", type=int, default=1, help="of their choice")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="files and folders of tests")
    parser.add_argument("--out", type=Path, default=ROOT / ".mutants")
    given = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in HEAVY:  # once, not in every process
        importlib.import_module(name)
    given.out.mkdir(exist_ok=True)
    map_ = given.out / "tests.jsonl"
    seen = {json.loads(line)[0].split("::")[0] for line in map_.open()} if map_.exists() else set()
    for path in given.tests:  # every file in a process of its own
        files = sorted(Path(path).rglob("test_*.py")) if Path(path).is_dir() else [Path(path)]
        for file in map(str, files):
            if file not in seen:
                in_child(lambda file=file: watch([file], map_) or 0, 1500)
    rows = [json.loads(line) for line in map_.open()]
    for package in given.packages:
        score(package, given.number, given.seed, rows, given.out / "faults.jsonl")
    if (given.out / "faults.jsonl").exists():
        print(table(given.out / "faults.jsonl"))


if __name__ == "__main__":
    main()
