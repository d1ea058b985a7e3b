"""The README's two commands on a checkout of their own, with requirements that need no network."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT

SCRIPTS = PROJECT / "scripts"
SET_UP = 'root=$1; . "$root/scripts/setup.sh"; set_up "$2"'

FAKE_MODULE = """
import os, sys
print({name!r}, *sys.argv[1:])
sys.exit(int(os.environ.get({name!r}, "0")))
"""


@pytest.fixture(scope="module")
def four_at_once(tmp_path_factory) -> tuple[Path, list[int], str]:
    """A checkout, its path with a space in it, set up by four at the same moment; with their
    statuses and what they said.
    """
    root = new_checkout(tmp_path_factory.mktemp("a place"))
    command = ["/bin/sh", "-c", SET_UP, "set-up", str(root), "requirements.txt"]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = "".join(process.communicate()[1] for process in started)
    return root, [process.returncode for process in started], said


@pytest.fixture(scope="module")
def made(four_at_once) -> Path:
    """The checkout with a .venv, made once; every test leaves it set up."""
    return four_at_once[0]


def new_checkout(folder: Path) -> Path:
    root = folder / "check out"
    root.mkdir()
    shutil.copytree(SCRIPTS, root / "scripts", ignore=shutil.ignore_patterns("*.py"))
    (root / "requirements.txt").write_text("# nothing\n")
    (root / "requirements-dev.txt").write_text("-r requirements.txt\n")
    (root / "constraints.txt").write_text("# nothing\n")
    return root


def set_up(
    root: Path, requirements: str = "requirements.txt", **env: str
) -> subprocess.CompletedProcess[str]:
    return run(["/bin/sh", "-c", SET_UP, "set-up", str(root), requirements], env)


def run(
    command: list[str | Path], env: Mapping[str, str] | None = None, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHON": "", **(env or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def folder_with(folder: Path, **programs: str) -> str:
    """A PATH of one folder: the few tools that the scripts use, and made-up *programs* as shell
    text.
    """
    folder.mkdir()
    for tool in ("cat", "cmp", "dirname", "grep", "rm"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_four_set_ups_at_once_make_one_venv(four_at_once):
    _, statuses, said = four_at_once

    assert statuses == [0] * 4, said
    assert said.count("Setting up .venv") == 1


def test_the_second_time_nothing_is_done(made):
    before = (made / ".venv/requirements.txt.installed").stat().st_mtime_ns
    result = set_up(made, PYTHON="/nowhere", PATH="/usr/bin:/bin")

    assert (result.returncode, result.stderr) == (0, "")
    assert (made / ".venv/requirements.txt.installed").stat().st_mtime_ns == before


def test_changed_requirements_are_installed(made):
    with (made / "requirements.txt").open("a") as file:
        file.write("# one more line\n")

    assert "Setting up .venv with requirements.txt" in set_up(made).stderr
    assert set_up(made).stderr == ""


def test_the_development_requirements_include_the_others(made):
    assert (
        "Setting up .venv with requirements-dev.txt" in set_up(made, "requirements-dev.txt").stderr
    )
    assert set_up(made, "requirements.txt").stderr == ""


def test_the_tests_and_nothing_else_keep_to_the_versions_of_the_constraints(made):
    with (made / "constraints.txt").open("a") as file:
        file.write("no version at all\n")

    assert set_up(made).stderr == ""
    result = set_up(made, "requirements-dev.txt")
    (made / "constraints.txt").write_text("# nothing\n")

    assert result.returncode == 1
    assert "requirements-dev.txt could not be installed" in result.stderr
    assert set_up(made, "requirements-dev.txt").returncode == 0


def test_failed_requirements_are_tried_again(made):
    good = (made / "requirements.txt").read_text()
    (made / "requirements.txt").write_text("-r nowhere.txt\n")
    result = set_up(made)
    (made / "requirements.txt").write_text(good)

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        "set-up: requirements.txt could not be installed"
    )
    assert "Setting up" in set_up(made).stderr


def test_a_moved_checkout_gets_a_new_venv(made, tmp_path):
    moved = shutil.copytree(made, tmp_path / "elsewhere", symlinks=True)
    result = set_up(moved)

    assert (result.returncode, "Setting up" in result.stderr) == (0, True)
    assert f"{moved}/.venv" in (moved / ".venv/bin/activate").read_text()


def test_a_missing_python_is_said_in_one_line(tmp_path):
    path = folder_with(tmp_path / "bin", python3="exit 1")
    result = set_up(new_checkout(tmp_path), PATH=path)

    assert result.returncode == 1
    assert result.stderr.startswith(
        "set-up: Python 3.11 or newer is missing: sudo apt-get install python3 python3-venv"
    )
    assert result.stderr.count("\n") == 1


def test_a_missing_venv_module_is_said_in_one_line(tmp_path):
    path = folder_with(
        tmp_path / "bin", **{"python3.12": 'case "$*" in *ensurepip*) exit 1 ;; esac'}
    )
    result = set_up(new_checkout(tmp_path), PATH=path)

    assert (result.returncode, result.stderr) == (
        1,
        "set-up: python3.12-venv is missing: sudo apt-get install python3.12-venv\n",
    )


def test_run_hands_over_options_folder_and_status(made, tmp_path):
    service = "import os, sys\nprint(os.getcwd(), sys.argv[1:])\nsys.exit(7)\n"
    (made / "codex_quota_service.py").write_text(service)
    result = run([made / "scripts/run", "--port", "0", "a b"], cwd=tmp_path)

    assert (result.returncode, result.stdout) == (7, f"{tmp_path} ['--port', '0', 'a b']\n")


def test_run_goes_on_without_assets(made):
    (made / "codex_quota_service.py").write_text("print('serving')\n")
    (made / "scripts/assets.py").write_text("raise SystemExit('no npm')\n")
    result = run([made / "scripts/run"])
    (made / "scripts/assets.py").unlink()

    assert (result.returncode, result.stdout) == (0, "serving\n")
    assert "no npm\nrun: no interactive charts this time" in result.stderr


@pytest.fixture
def with_fakes(made) -> Path:
    """The checkout with made-up ruff, mypy and pytest, whose exit status is taken from the
    environment.
    """
    for name in ("ruff", "mypy", "pytest"):
        (made / f"{name}.py").write_text(FAKE_MODULE.format(name=name))
    return made


def test_test_runs_the_checks_and_hands_arguments_over(with_fakes):
    result = run([with_fakes / "scripts/test", "-k", "one or two"])

    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "pytest -n 4 --dist loadfile --no-loadscope-reorder -k one or two",
    ]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [({"pytest": "5"}, 5), ({"mypy": "1"}, 1), ({"ruff": "2", "pytest": "3"}, 3)],
    ids=["tests", "a check", "both"],
)
def test_test_ends_with_the_right_status(with_fakes, statuses, expected):
    result = run([with_fakes / "scripts/test"], statuses)

    assert result.returncode == expected
    assert "pytest" in result.stdout
    assert ("failed before the tests" in result.stderr) == (statuses.keys() != {"pytest"})


def test_a_long_step_says_what_it_is_and_that_it_goes_on(made):
    command = (
        'root=$1; . "$root/scripts/setup.sh"; every=1; step "Doing it." sh -c "sleep 2.5; exit 3"'
    )
    started = time.monotonic()
    result = run(["/bin/sh", "-c", command, "a step", str(made)])

    assert result.returncode == 3
    lines = result.stderr.splitlines()
    assert lines[:2] == ["Doing it.", "  still going on after 1 s"]
    assert time.monotonic() - started < 60, "nobody waits for what told the time"


def test_a_step_that_is_quick_says_nothing_more(made):
    command = 'root=$1; . "$root/scripts/setup.sh"; every=30; step "Doing it." true'

    assert run(["/bin/sh", "-c", command, "a step", str(made)]).stderr == "Doing it.\n"


@pytest.fixture
def with_flask(made) -> Path:
    """The checkout with a made-up `flask` that says what it was given."""
    said = 'import os, sys; print(os.environ["FLASK_APP"], os.getcwd(), *sys.argv[1:]); sys.exit(3)'
    (made / ".venv/bin/flask").write_text(f"#!/bin/sh\nexec python3 -c '{said}' \"$@\"\n")
    (made / ".venv/bin/flask").chmod(0o755)
    return made


def test_quota_hands_over_arguments_folder_and_status(with_flask, tmp_path):
    result = run([with_flask / "scripts/quota", "accounts", "add", "a b"], cwd=tmp_path)

    assert (result.returncode, result.stderr) == (3, "")
    assert result.stdout == f"{with_flask}/wsgi.py {tmp_path} quota accounts add a b\n"


def test_quota_sets_up_what_is_missing(with_flask):
    with (with_flask / "requirements.txt").open("a") as file:
        file.write("# one more line\n")
    result = run([with_flask / "scripts/quota", "status"])

    assert result.stderr.startswith("Setting up .venv with requirements.txt")
    assert result.stdout.endswith(" quota status\n")


def test_quota_works_in_an_image_which_has_no_set_up(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPTS / "quota", tmp_path / "scripts/quota")
    path = folder_with(tmp_path / "bin", flask='echo "$FLASK_APP" "$@"')
    result = run([tmp_path / "scripts/quota", "status"], {"PATH": path})

    assert (result.returncode, result.stdout) == (0, f"{tmp_path}/wsgi.py quota status\n")


def test_flask_finds_the_app_from_another_folder(tmp_path):
    settings = {
        "FLASK_APP": str(PROJECT / "wsgi.py"),
        "QUOTA_INSTANCE_DIR": str(tmp_path / "instance"),
    }
    result = run([sys.executable, "-m", "flask", "quota", "--help"], settings, cwd=tmp_path)

    assert (result.returncode, "refresh" in result.stdout) == (0, True), result.stderr
