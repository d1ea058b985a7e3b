"""The rooms of quota_web and the ways between them, read from the source: direction, cycles, sizes, and who may touch what."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = "quota_web"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

#: Every module's room, by its name inside the package; a sub-package is one room. A new module needs a room before anything else.
ROOMS = {
    "core": (
        "clock",
        "deadlines",
        "due",
        "errors",
        "faults",
        "labels",
        "logins",
        "lookalikes",
        "names",
        "quota",
        "ranking",
        "secret",
        "series",
        "simulation",
        "times",
        "urls",
        "version",
    ),
    "foresight": ("foresight",),
    "config": ("config",),
    "codex": ("codex",),
    "store": ("store",),
    "acts": (
        "accounts",
        "agenda",
        "api_tokens",
        "asking",
        "backup",
        "charts",
        "chores",
        "copying",
        "demo",
        "details",
        "doctor",
        "file_acts",
        "follow",
        "guesses",
        "imports",
        "metrics",
        "passwords",
        "pruning",
        "rebuilding",
        "refresh",
        "refresh_counts",
        "reports",
        "results",
        "rotation",
        "saving",
        "sign_in",
        "stash",
    ),
    "world": ("world",),
    "doors": (
        "cli",
        "cli_accounts",
        "cli_demo",
        "cli_operations",
        "cli_sign_in",
        "classic",
        "classic_service",
        "commands",
        "connections",
        "jobs",
        "logs",
        "rounds",
        "serving",
        "status",
        "terminal",
        "web",
    ),
    "factory": ("factory",),
}

#: What each room may import beside itself. Down only; the two edges codex and store meet in an act, and in the world handed to it.
MAY_IMPORT = {
    "core": (),
    "foresight": ("core",),
    "config": ("core",),
    "codex": ("core", "config"),
    "store": ("core", "config"),
    "acts": ("core", "foresight", "config", "codex", "store"),
    "world": ("core", "config", "codex", "store"),
    "doors": ("core", "foresight", "config", "codex", "store", "acts", "world"),
    "factory": ("core", "foresight", "config", "codex", "store", "acts", "world", "doors"),
}

#: Packages whose `__init__` is their front: it says what belongs there and exports what others may call.
FRONTS = ("foresight",)

#: The classic scripts make their own app: `classic` is a door that nobody walks through, so it may look up to the factory.
EXCEPTIONS = {("classic", "factory"), ("classic_service", "factory")}

#: Modules that may import ours inside a function, and why.
LAZY = {
    "cli": "a command pays for its own act, not for all of them",
    "cli_accounts": "the same",
    "cli_demo": "the same",
    "cli_operations": "the same",
    "cli_sign_in": "the same",
    "classic": "wrong usage and --help answer before the app is made",
    "classic_service": "the same",
    "factory": "a command does not pay for the pages",
    "store.engine": "a command does without Flask-SQLAlchemy and the ORM",
    "world": "requests is slow to load, and most commands send nothing",
}


@dataclass(frozen=True)
class Import:
    """One import statement's target, with where it stands."""

    target: str
    line: int
    in_function: bool


@cache
def modules() -> dict[str, Path]:
    """Dotted names inside the package (`quota`, `store.accounts`) and their files; an `__init__` goes by its package's name."""
    root = PROJECT / PACKAGE
    paths = sorted(root.rglob("*.py"))
    return {".".join(p.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip("."): p for p in paths}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def room_of(module: str) -> str | None:
    return next((room for room, names in ROOMS.items() if module.split(".")[0] in names), None)


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """Everything that *module* imports, under its full name, wherever in the file."""
    tree = tree_of(module)
    inside = {id(inner) for outer in ast.walk(tree) if isinstance(outer, FUNCTIONS) for inner in ast.walk(outer)}
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return tuple(Import(target, node.lineno, id(node) in inside) for node in statements for target in _targets(module, node))


def _targets(module: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        # From inside the package a relative import counts up from the module's own package.
        is_package = modules()[module].name == "__init__.py"
        parts = [PACKAGE, *filter(None, module.split("."))]
        parent = parts[: len(parts) - node.level + is_package] if node.level else []
        base = ".".join([*parent, *filter(None, [node.module])])
        yield from (f"{base}.{alias.name}" for alias in node.names)


def ours(target: str) -> str | None:
    """The module of ours that an import's target names: itself, or the one that holds the imported name."""
    if target != PACKAGE and not target.startswith(f"{PACKAGE}."):
        return None
    inner = target.removeprefix(PACKAGE).removeprefix(".")
    return inner if inner in modules() else inner.rpartition(".")[0]


def spelled(node: ast.AST) -> str:
    """A dotted name as written, such as `os.environ`; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{before}.{node.attr}" if (before := spelled(node.value)) else ""
    return ""


def places_with(names: Iterable[str], allowed: Iterable[str]) -> list[str]:
    """Where one of the dotted *names* is used or imported, outside of the *allowed* modules and packages."""
    names, allowed = set(names), tuple(allowed)
    places = []
    for module in modules():
        if any(module == a or module.startswith(f"{a}.") for a in allowed):
            continue
        used = [(node.lineno, spelled(node)) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute)]
        imported = [(i.line, i.target) for i in imports_of(module)]
        places += [f"{module}:{line} {name}" for line, name in used + imported if any(name == n or name.endswith(f".{n}") for n in names)]
    return places


def places_importing(packages: Iterable[str], rooms: Iterable[str]) -> list[str]:
    """Where a module of the *rooms* imports one of the third-party *packages*."""
    packages, rooms = set(packages), set(rooms)
    return [f"{m}:{i.line} {i.target}" for m in modules() if room_of(m) in rooms for i in imports_of(m) if i.target.split(".")[0] in packages]


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A function's length without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_module_has_a_room():
    assert [m for m in modules() if m and room_of(m) is None] == []


def test_packages_say_nothing_in_their_init():
    packages = [m for m, path in modules().items() if path.name == "__init__.py" and m not in FRONTS]

    assert [m for m in packages if tree_of(m).body] == []


def test_a_front_only_exports_what_its_own_files_hold():
    wrong = []
    for package in FRONTS:
        docstring, *rest = tree_of(package).body
        wrong += [type(node).__name__ for node in rest if not isinstance(node, ast.ImportFrom | ast.Assign)]
        wrong += [i.target for i in imports_of(package) if not i.target.startswith(f"{PACKAGE}.{package}.")]
        assert isinstance(docstring, ast.Expr)

    assert wrong == []


def test_imports_go_down_only():
    wrong = []
    for module in filter(None, modules()):
        allowed = {room_of(module), *MAY_IMPORT[room_of(module) or "core"]}
        for found in imports_of(module):
            target = ours(found.target)
            if target and room_of(target) not in allowed and (module, target) not in EXCEPTIONS:
                wrong.append(f"{module}:{found.line} imports {target}")

    assert wrong == []


def test_no_modules_import_each_other_in_a_loop():
    graph = {m: {t for i in imports_of(m) if (t := ours(i.target)) and t != m} for m in modules()}

    assert cycle_in(graph) == []


def test_a_loop_would_be_seen():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_ours_is_imported_at_the_top():
    inside = [f"{m}:{i.line} {i.target}" for m in modules() if m not in LAZY for i in imports_of(m) if i.in_function and ours(i.target)]

    assert inside == []


def test_core_and_foresight_import_the_standard_library_alone():
    foreign = [
        f"{m}:{i.line} {i.target}"
        for m in modules()
        if room_of(m) in {"core", "foresight"}
        for i in imports_of(m)
        if i.target.split(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
    ]

    assert foreign == []


def test_acts_and_edges_know_no_flask():
    assert places_importing({"flask", "flask_sqlalchemy", "flask_wtf", "werkzeug", "click"}, {"core", "foresight", "config", "codex", "acts"}) == []


def test_sql_is_in_the_store_alone():
    libraries = places_importing({"sqlalchemy", "flask_sqlalchemy", "sqlite3", "psycopg"}, set(ROOMS) - {"store"})

    # An act owns its transaction and hands it on, so it may name the type; asking the database is the store's.
    assert [place for place in libraries if not place.endswith(" sqlalchemy.Connection")] == []
    assert places_with({"db.session", "execute", "scalars", "exec_driver_sql"}, {"store"}) == []


def test_pages_reach_the_store_through_an_act():
    assert [f"{m}:{i.line}" for m in modules() if m.startswith("web") for i in imports_of(m) if room_of(ours(i.target) or "") == "store"] == []


def test_the_environment_is_read_in_config_alone():
    assert places_with({"os.environ", "os.environb", "os.getenv"}, {"config"}) == []


def test_the_time_is_read_in_clock_alone():
    # Waiting and measuring by `time.monotonic` says nothing about the date, so it is nobody's privilege.
    assert places_with({"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}, {"clock"}) == []


def test_files_are_short_enough_to_hold_in_mind():
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in modules().items()}

    assert {module: length for module, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short_enough_to_hold_in_mind():
    lengths = {
        f"{module}.{node.name}": body_lines(node)
        for module in modules()
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}
