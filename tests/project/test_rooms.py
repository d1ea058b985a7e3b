"""The rooms of quota_web and the ways between them, read from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT

PACKAGE = "quota_web"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

EDGES = ("store", "codex", "language", "config", "core")
FEATURES = (
    "alerts",
    "refresh",
    "reports",
    "foresight",
    "auth",
    "accounts",
    "maintenance",
    "demo",
    "sign_ins",
    "extras",
)

#: A folder (or a module of the root) may import these beside itself.
MAY_IMPORT = {
    "core": (),
    "version": (),
    "language": ("core",),
    "config": ("core", "version"),
    "codex": ("core", "config"),
    "store": ("core", "config"),
    "foresight": ("core", "language", "reports", "services", "store"),
    "services": EDGES,
    "accounts": ("services", *EDGES),
    "refresh": ("accounts", "services", *EDGES),
    "reports": ("foresight", "services", "version", *EDGES),
    "alerts": ("accounts", "foresight", "refresh", "reports", "services", "version", *EDGES),
    "auth": ("services", *EDGES),
    "demo": ("accounts", "foresight", "refresh", "services", *EDGES),
    "maintenance": ("accounts", "alerts", "foresight", "refresh", "services", "version", *EDGES),
    "sign_ins": ("accounts", "refresh", "services", *EDGES),
    "extras": ("services", *EDGES),
    "web": (*FEATURES, "services", "version", *EDGES),
    "cli": (*FEATURES, "services", "version", *EDGES),
    "factory": ("web", "cli", *FEATURES, "services", *EDGES),
    "serving": ("factory", "web", "cli", *FEATURES, "services", *EDGES),
}

#: Rooms whose `__init__` exports what others may call.
FRONTS = ("foresight", "store")

#: Files that may import ours inside a function, and why.
LAZY = {
    "cli": "a command pays for its own work, not for that of all of them",
    "serving": "wrong usage and --help answer before the app is made",
    "factory": "a command does not pay for the pages",
    "services": "requests is slow to load, and most commands send nothing",
    "store.database": "a command does without Flask-SQLAlchemy and the ORM",
}


@dataclass(frozen=True)
class Import:
    """One import statement's target, with where it stands."""

    target: str
    line: int
    in_function: bool


@cache
def modules() -> dict[str, Path]:
    """Dotted names inside the package (`quota`, `store.accounts`) and their files; an `__init__`
    goes by its package's name.
    """
    root = PROJECT / PACKAGE
    paths = sorted(root.rglob("*.py"))
    return {
        ".".join(p.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip("."): p
        for p in paths
    }


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    """All of its tree, gone through once for two dozen tests."""
    return tuple(ast.walk(tree_of(module)))


def room_of(module: str) -> str:
    """The folder of a module, or its own name where it lies in the root."""
    return module.split(".")[0]


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """Everything that *module* imports, under its full name, wherever in the file."""
    nodes = nodes_of(module)
    inside = {
        id(inner) for outer in nodes if isinstance(outer, FUNCTIONS) for inner in ast.walk(outer)
    }
    statements = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return tuple(
        Import(target, node.lineno, id(node) in inside)
        for node in statements
        for target in _targets(module, node)
    )


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
    """The module of ours that an import's target names: itself, or the one that holds the imported
    name.
    """
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
    """Where one of the dotted *names* is used or imported, outside of the *allowed* modules and
    packages.
    """
    names, allowed = set(names), tuple(allowed)
    places = []
    for module in modules():
        if any(module == a or module.startswith(f"{a}.") for a in allowed):
            continue
        used = [
            (node.lineno, spelled(node))
            for node in nodes_of(module)
            if isinstance(node, ast.Attribute)
        ]
        imported = [(i.line, i.target) for i in imports_of(module)]
        places += [
            f"{module}:{line} {name}"
            for line, name in used + imported
            if any(name == n or name.endswith(f".{n}") for n in names)
        ]
    return places


def places_importing(packages: Iterable[str], rooms: Iterable[str]) -> list[str]:
    """Where a module of the *rooms* imports one of the third-party *packages*."""
    packages, rooms = set(packages), set(rooms)
    return [
        f"{m}:{i.line} {i.target}"
        for m in modules()
        if room_of(m) in rooms
        for i in imports_of(m)
        if i.target.split(".")[0] in packages
    ]


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


def test_every_room_says_what_belongs_there():
    packages = [m for m, path in modules().items() if m and path.name == "__init__.py"]

    assert [m for m in packages if not ast.get_docstring(tree_of(m))] == []


def test_packages_do_nothing_in_their_init():
    packages = [m for m, path in modules().items() if path.name == "__init__.py"]
    silent = [m for m in packages if m not in FRONTS]

    assert [m for m in silent if len(tree_of(m).body) > 1] == []


def test_a_front_only_exports_what_its_own_files_hold():
    wrong = []
    for package in FRONTS:
        _, *rest = tree_of(package).body
        wrong += [
            type(node).__name__
            for node in rest
            if not isinstance(node, ast.ImportFrom | ast.Assign)
        ]
        wrong += [
            i.target
            for i in imports_of(package)
            if not i.target.startswith(f"{PACKAGE}.{package}.")
        ]

    assert wrong == []


def test_the_root_has_at_most_five_modules():
    root = [m for m, path in modules().items() if m and "." not in m and path.stem != "__init__"]

    assert len(root) + 1 <= 5


def test_every_room_has_its_rule():
    assert sorted({room_of(m) for m in modules() if m} - set(MAY_IMPORT)) == []


def test_imports_go_down_only():
    wrong = []
    for module in filter(None, modules()):
        allowed = {room_of(module), *MAY_IMPORT[room_of(module)]}
        for found in imports_of(module):
            target = ours(found.target)
            if target and room_of(target) not in allowed:
                wrong.append(f"{module}:{found.line} imports {target}")

    assert wrong == []


def test_no_modules_import_each_other_in_a_loop():
    # A front imports its files, and they each other: what a file names in its own room is the file.
    graph = {
        m: {t for i in imports_of(m) if (t := ours(i.target)) and t != m}
        for m in modules()
        if m not in FRONTS
    }
    graph = {m: {t for t in targets if t not in FRONTS} for m, targets in graph.items()}

    assert cycle_in(graph) == []


def test_a_loop_would_be_seen():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_ours_is_imported_at_the_top():
    inside = [
        f"{m}:{i.line} {i.target}"
        for m in modules()
        if m not in LAZY and room_of(m) not in LAZY
        for i in imports_of(m)
        if i.in_function and ours(i.target)
    ]

    assert inside == []


def test_the_core_imports_the_standard_library_alone():
    foreign = [
        f"{m}:{i.line} {i.target}"
        for m in modules()
        if room_of(m) == "core"
        for i in imports_of(m)
        if i.target.split(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
    ]

    assert foreign == []


def test_features_and_edges_know_no_flask():
    web = {"flask", "flask_sqlalchemy", "flask_wtf", "werkzeug", "click"}
    rooms = {"core", "config", "codex", "language", *FEATURES} - {"demo"}

    # Both belong to an app: they are found through it.
    in_the_app = ("refresh.scheduler", "refresh.hooks")

    assert [p for p in places_importing(web, rooms) if not p.startswith(in_the_app)] == []


def test_sql_is_in_the_store_and_in_the_one_command_that_needs_its_own():
    sql = {"sqlalchemy", "flask_sqlalchemy", "sqlite3", "psycopg"}
    rooms = set(MAY_IMPORT) - {"store", "maintenance", "demo"}

    # A feature owns its transaction and hands it on, so it may name the type.
    assert [
        p for p in places_importing(sql, rooms) if not p.endswith(" sqlalchemy.Connection")
    ] == []
    calls = {"db.session", "execute", "scalars", "exec_driver_sql"}
    assert places_with(calls, {"store", "maintenance", "demo"}) == []


def test_pages_reach_the_store_through_a_feature():
    assert [
        f"{m}:{i.line}"
        for m in modules()
        if m.startswith("web")
        for i in imports_of(m)
        if room_of(ours(i.target) or "") == "store"
    ] == []


def test_pages_and_the_schedule_know_no_command():
    assert [
        f"{m}:{i.line}"
        for m in modules()
        if room_of(m) in {"web", "refresh"}
        for i in imports_of(m)
        if room_of(ours(i.target) or "") == "cli"
    ] == []


def test_the_environment_is_read_in_config_alone():
    assert places_with({"os.environ", "os.environb", "os.getenv"}, {"config"}) == []


def test_the_time_is_read_in_clock_alone():
    # Waiting and measuring by `time.monotonic` says nothing about the date.
    dates = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}

    assert places_with({"time.time", "time.time_ns", *dates}, {"core.clock"}) == []


#: What one place decides, by a name that whoever does it again would need, and that place.
ONE_PLACE = {
    "fcntl.flock": ("store.locks",),
    "unicodedata.normalize": ("core.names", "core.lookalikes", "auth.passwords"),
    "ipaddress.ip_address": (
        "core.urls",
        "core.alert_targets",
        "core.setting_values",
        "auth.throttle",
        "web",
    ),
    "os.fchown": ("store.filesystem",),
    "os.replace": ("store.filesystem", "accounts.file_outbox", "maintenance"),
    "tempfile": ("serving.trial",),
    "rich.progress": ("cli.output",),
    "argon2": ("auth.passwords",),
    "cryptography.fernet": ("store.encryption", "accounts.stash"),
    "gzip.compress": ("web.compression",),
    "urllib.request": (),
    "requests.Session": (),
    # Apprise's own requests are watched there.
    "requests.adapters": ("codex.transport", "alerts.apprise_guard"),
    "sqlite3.connect": ("store", "maintenance"),
    "sqlalchemy.create_engine": ("store",),
}


@pytest.mark.parametrize("name", ONE_PLACE)
def test_what_one_place_decides_is_done_there_alone(name):
    assert places_with({name}, ONE_PLACE[name]) == []


#: Values that several rooms share, and where each is written.
SHARED = {2 << 20: "core.limits", 1_767_225_600: "core.limits"}


def value_of(node: ast.AST) -> object:
    """What a number written as such, as a product or as a shift comes to; None for others."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp):
        one, other = value_of(node.left), value_of(node.right)
        if isinstance(one, int) and isinstance(other, int) and 0 <= other < 1 << 30:
            if isinstance(node.op, ast.Mult):
                return one * other
            if isinstance(node.op, ast.LShift) and other < 64:
                return one << other
    return None


def test_a_value_that_rooms_share_is_written_once():
    written = [
        (value, module, node.lineno)
        for module in modules()
        for node in nodes_of(module)
        if isinstance(node, ast.Constant | ast.BinOp)
        for value in [value_of(node)]
        if type(value) is int and value in SHARED
    ]

    assert [found for found in written if SHARED[found[0]] != found[1]] == []
    assert sorted(value for value, _, _ in written) == sorted(SHARED)


def test_a_window_has_its_words_from_labels_alone():
    words = {"5 hours", "Weekly", "Monthly", "Daily", "five-hour", "Five-hour"}
    spelled_out = [
        f"{module}:{node.lineno} {node.value}"
        for module in modules()
        for node in nodes_of(module)
        if isinstance(node, ast.Constant) and node.value in words and module != "core.labels"
    ]

    assert spelled_out == []


#: Functions that answer a question which had several answers: by name, and the one place.
ONE_FUNCTION = {
    "check_upstream_url": "core.urls",
    "is_same": "core.account_identity",
    "may_be_same": "core.account_identity",
    "order": "core.display_order",
    "rollup_row": "store.rollups",
    "lock_file": "store.locks",
}


def test_a_question_that_had_several_answers_has_one_function():
    homes: dict[str, list[str]] = {name: [] for name in ONE_FUNCTION}
    for module in modules():
        for node in nodes_of(module):
            if isinstance(node, ast.FunctionDef) and node.name in homes:
                homes[node.name].append(module)

    assert homes == {name: [home] for name, home in ONE_FUNCTION.items()}


def test_no_class_name_means_two_things():
    homes: dict[str, list[str]] = {}
    for module in modules():
        for node in nodes_of(module):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module)

    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_alias_hides_a_module():
    hidden = []
    for module in modules():
        for node in nodes_of(module):
            if isinstance(node, ast.ImportFrom):
                names = [(f"{node.module}.{alias.name}", alias.asname) for alias in node.names]
                hidden += [f"{module}: {n}" for n, as_name in names if as_name and is_module(n)]

    assert hidden == []


def is_module(name: str) -> bool:
    return name.startswith(f"{PACKAGE}.") and name.removeprefix(f"{PACKAGE}.") in modules()


def test_the_drawing_of_the_rooms_is_up_to_date():
    ran = subprocess.run(
        [sys.executable, str(PROJECT / "scripts" / "rooms.py"), "--check"],
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stdout) == (0, "")


def test_files_are_short_enough_to_hold_in_mind():
    lengths = {
        m: len(path.read_text(encoding="utf-8").splitlines()) for m, path in modules().items()
    }

    assert {module: length for module, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short_enough_to_hold_in_mind():
    lengths = {
        f"{module}.{node.name}": body_lines(node)
        for module in modules()
        for node in nodes_of(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}
