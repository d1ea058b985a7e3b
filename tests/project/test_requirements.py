"""What the app imports and what `requirements.txt` names are the same."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.project.test_constraints import named

PROJECT = Path(__file__).resolve().parents[2]
#: Named without an import of ours: started as a program, or found by SQLAlchemy.
NEVER_IMPORTED = {"gunicorn", "psycopg"}
#: Come with Flask and Flask-Migrate, whose own interfaces they are part of.
COME_ALONG = {"alembic", "click", "itsdangerous", "markupsafe"}


def declared() -> set[str]:
    asked = [*named("requirements.txt"), *named("requirements-postgresql.txt")]
    return {canonicalize_name(one.name) for one in asked}


def imported() -> set[str]:
    """The distributions whose packages `quota_web` imports anywhere, inside functions too."""
    known = packages_distributions()
    found: set[str] = set()
    for path in (PROJECT / "quota_web").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            else:
                continue
            for name in {name.partition(".")[0] for name in names}:
                if name not in sys.stdlib_module_names and name != "quota_web":
                    found.update(canonicalize_name(dist) for dist in known.get(name, [])[:1])
    return found


def test_every_imported_package_is_declared_and_every_declared_one_is_imported():
    assert imported() - declared() - COME_ALONG == set()
    assert declared() - imported() - NEVER_IMPORTED == set()


#: What a command that reads the database needs not: each costs it more than its own work.
HEAVY = (
    "alembic",
    "apprise",
    "apscheduler",
    "argon2",
    "babel",
    "cryptography",
    "flask_sqlalchemy",
    "requests",
    "rich",
    "sqlalchemy.orm",
)


def run_python(instance_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={"PATH": "", "QUOTA_INSTANCE_DIR": str(instance_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_sqlite_needs_no_driver_of_another_database(instance_dir):
    program = (
        "import sys; sys.modules['psycopg'] = None; "
        "from quota_web.factory import create_app; app = create_app(); "
        "print(app.test_client().get('/healthz').status_code)"
    )
    assert run_python(instance_dir, "-c", program).stdout == "200\n"


def test_a_command_that_reads_the_database_loads_nothing_heavy(instance_dir):
    run_python(instance_dir, "-m", "flask", "quota", "demo", "--accounts", "1", "--days", "1")

    done = run_python(instance_dir, "-X", "importtime", "-m", "flask", "quota", "status")

    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "quota_web.reports.overview" in loaded
    assert loaded.intersection(HEAVY) == set()
