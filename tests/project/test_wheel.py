"""The wheel, installed into a bare environment and used from an empty folder."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest

from quota_web.core.checkout import PROJECT
from tests import parts

STARTED = re.compile(r"http://\S+")


def build(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1795262400"},
        capture_output=True,
        check=True,
        timeout=100,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if not (PROJECT / "quota_web/web/static/vendor/uPlot.iife.min.js").exists():
        parts.lack("the chart library is not here: python scripts/assets.py")
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def program(wheel, tmp_path_factory):
    """`codex-quota` in an environment that has the wheel, and what it requires from this one."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=False)
    site = Path(
        sysconfig.get_path("purelib", "venv", vars={"base": str(place), "platbase": str(place)})
    )
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(place / "bin/python"), "install"),
            *("-q", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)),
        ],
        check=True,
        timeout=100,
    )
    (site / "required.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return place / "bin" / "codex-quota"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home without any setting; the tests stand in an empty folder of it."""
    for name in [n for n in os.environ if n.startswith(("QUOTA_", "XDG_", "FLASK_", "PYTHON"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return tmp_path


def run(program, *arguments, **options):
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=100, check=False, **options
    )


def test_two_builds_of_one_source_are_equal(wheel, tmp_path):
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_all_that_runs_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}

    assert tops == {"quota_web", next(top for top in tops if top.endswith(".dist-info"))}
    for name in ("migrations/alembic.ini", "language/zh.po", "web/static/vendor/uPlot.iife.min.js"):
        assert f"quota_web/{name}" in names


def test_commands_keep_their_data_in_the_platforms_folder(program, home):
    added = run(program, "demo", "--accounts", "2", "--days", "3")
    assert (added.returncode, added.stderr) == (0, "")
    assert "codex-quota demo --remove" in added.stdout

    table = run(program, "status").stdout.splitlines()
    assert table[0].split()[:3] == ["account", "five_hour%", "weekly%"]
    assert len(table) == 3
    found = {path.relative_to(home).as_posix() for path in home.rglob("quota.sqlite")}
    assert len(found) == 1
    assert next(iter(found)).endswith("codex-quota/instance/quota.sqlite")
    assert list((home / "empty").iterdir()) == []


def test_it_fails_with_the_statuses_of_the_contract(program, home):
    assert run(program, "guard", "alice").returncode == 1
    assert run(program, "no-such-command").returncode == 2
    bad = run(program, "status", env={**os.environ, "QUOTA_RETRIES": "many"})
    assert (bad.returncode, len(bad.stderr.splitlines())) == (4, 1)


def test_the_service_runs_from_anywhere(program, home):
    with started(program, "serve", "--host", "127.0.0.1", "--port", "0") as (address, _):
        assert urlopen(f"{address}/healthz").status == 200
        script = urlopen(f"{address}/static/vendor/uPlot.iife.min.js")
        assert script.headers["Content-Type"].startswith("text/javascript")


def test_a_trial_shows_invented_accounts_and_leaves_nothing_behind(program, home, monkeypatch):
    # What belongs to a real installation is out of its reach.
    monkeypatch.setenv("QUOTA_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite")
    monkeypatch.setenv("TMPDIR", str(home))
    with started(program, "try", "--accounts", "3", "--days", "2") as (address, process):
        assert address.startswith("http://localhost:")
        assert "data-account" in urlopen(f"{address}/").read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert [path.name for path in home.iterdir()] == ["empty"]
    assert list((home / "empty").iterdir()) == []


class started:
    """The program's service while the block lasts: its address and its process."""

    def __init__(self, program: Path, *arguments: str) -> None:
        self._command = [str(program), *arguments]

    def __enter__(self) -> tuple[str, subprocess.Popen[str]]:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := STARTED.search(line):
                return found[0].partition("/login")[0].rstrip("/."), self._process
        raise AssertionError(f"it ended with {self._process.wait(30)} and named no address")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate(timeout=30)


def test_what_a_person_reads_names_the_command_that_is_there():
    """`scripts/quota` is not there in a wheel, so `checkout.COMMAND` alone says what is."""
    told = [
        str(path.relative_to(PROJECT))
        for ending in ("py", "html", "js", "po")
        for path in (PROJECT / "quota_web").rglob(f"*.{ending}")
        if "scripts/quota" in path.read_text(encoding="utf-8")
    ]
    assert told == ["quota_web/core/checkout.py"]
