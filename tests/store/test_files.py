"""What the file system does to a database: rights, networks, full disks and damage, each told apart
and none mistaken for another.
"""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from quota_web import store
from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import (
    BadDatabase,
    BadSetting,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseFull,
    QuotaError,
)
from quota_web.reports import overview
from quota_web.services import services
from quota_web.store.locks import DatabaseLock
from tests.browser import Browser
from tests.browser import make_app as make_site
from tests.fakes import NOW
from tests.operations import add_account, environment, make_app, record, rows

MOUNTS = """\
22 1 252:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:45 / {place} rw,relatime - {kind} server:/export rw,vers=4.2
"""


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        record(add_account("alice"), NOW - 60)
        yield app
        store.database.forget_troubles()


def mounted(monkeypatch, tmp_path, place, kind="nfs4"):
    file = tmp_path / "mountinfo"
    file.write_text(MOUNTS.format(place=str(place).replace(" ", "\\040"), kind=kind))
    monkeypatch.setattr(store.filesystem, "MOUNTINFO", file)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("nfs4", "nfs4"),
        ("cifs", "cifs"),
        ("9p", "9p"),
        ("fuse.sshfs", "fuse.sshfs"),
        ("fuse.mergerfs", None),
        ("ext4", None),
        ("overlay", None),
    ],
)
def test_a_network_is_known_by_its_mount(monkeypatch, tmp_path, kind, found):
    (tmp_path / "a b" / "inner").mkdir(parents=True)
    mounted(monkeypatch, tmp_path, tmp_path / "a b", kind)

    assert store.filesystem.network_type(tmp_path / "a b" / "inner") == found
    assert store.filesystem.network_type(tmp_path / "elsewhere") is None


def test_without_a_list_of_mounts_nothing_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setattr(store.filesystem, "MOUNTINFO", tmp_path / "none")

    assert store.filesystem.network_type(tmp_path) is None


def test_on_a_network_the_log_is_a_journal_and_the_second_process_is_refused(
    monkeypatch, tmp_path, instance_dir, caplog
):
    mounted(monkeypatch, tmp_path, instance_dir)
    app = make_app(instance_dir)
    with app.app_context():
        services().ready()
        with store.database.driver() as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert "network file system (nfs4)" in caplog.text
        record(add_account("alice"), NOW)
        assert rows(store.models.reading) == 2
        store.database.forget_troubles()

        other = make_app(instance_dir)
        with other.app_context(), pytest.raises(BadDatabase, match="only one process"):
            services().ready()


def test_two_starts_on_a_network_end_with_one_line(monkeypatch, tmp_path, instance_dir):
    mounted(monkeypatch, tmp_path, instance_dir)
    program = (
        f"from pathlib import Path; from quota_web.store import filesystem; filesystem.MOUNTINFO = "
        f"Path({str(store.filesystem.MOUNTINFO)!r}); "
    )
    program += "from wsgi import app; app.cli(['quota', 'status'])"
    env = environment(instance_dir)
    app = make_app(instance_dir)
    with app.app_context():
        services().ready()
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**env, "FLASK_APP": "wsgi"},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        store.database.forget_troubles()

    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "nfs4" in done.stderr


def test_any_number_may_be_present_on_a_local_disk(instance_dir):
    file = instance_dir / "quota.sqlite"
    first, second = DatabaseLock(file), DatabaseLock(file)

    assert not first.alone()
    second.leave()
    assert first.alone()
    with pytest.raises(BadDatabase, match="being restored"):
        DatabaseLock(file)
    first.shared()
    DatabaseLock(file).leave()
    first.leave()


NOBODY = 65534


@pytest.fixture
def open_folder():
    """A folder that other users can reach; pytest's own are closed to them."""
    folder = Path("/tmp", f"quota-rights-{os.getpid()}")
    (folder / "instance").mkdir(parents=True)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def complaint_of_nobody(instance):
    """What the start says to another user, in a process of its own: there is no way back from being
    nobody.
    """
    into, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(into)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        words = "fine"
        try:
            with make_app(instance).app_context():
                services().ready()
        except BadSetting as error:
            words = str(error)
        except (QuotaError, OSError) as error:
            words = f"Traceback: {error!r}"
        os.write(out, words.encode())
        os._exit(0)
    os.close(out)
    with open(into, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    "case",
    [
        "none",
        "foreign folder",
        "folder without w",
        "foreign database",
        "read-only database",
        "foreign log",
    ],
)
def test_rights_are_told_in_one_line_with_the_command_that_mends_them(open_folder, case):
    instance = open_folder / "instance"
    (open_folder / "account").mkdir()
    with make_app(instance).app_context():
        services().ready()
        checkpoint()
    database = instance / "quota.sqlite"
    for path in (instance, *instance.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    if case == "foreign folder":
        os.chown(instance, 0, 0)
    elif case == "folder without w":
        instance.chmod(0o555)
    elif case == "foreign database":
        os.chown(database, 0, 0)
    elif case == "read-only database":
        database.chmod(0o444)
    elif case == "foreign log":
        (instance / "quota.sqlite-wal").touch(mode=0o600)

    complaint = complaint_of_nobody(instance)

    if case == "none":
        assert complaint == "fine"
        return
    assert "\n" not in complaint
    assert "this is user 65534:65534" in complaint
    assert "Mend it with: ch" in complaint


def test_a_read_only_file_system_is_named():
    place = Path("/proc/quota.sqlite")

    with pytest.raises(BadSetting, match=r"/proc: "):
        store.filesystem.require_writable(place)


def test_a_folder_that_cannot_be_made_is_one_line(instance_dir):
    (instance_dir / "file").write_text("")
    app = make_app(
        instance_dir, QUOTA_DATABASE_URL=f"sqlite:///{instance_dir}/file/below/quota.sqlite"
    )
    with app.app_context(), pytest.raises(BadSetting):
        services().ready()


def limit_pages(app, more):
    """Let the database grow by that many pages only, as a full disk would."""
    with store.database.driver() as connection:
        count = connection.execute("PRAGMA page_count").fetchone()[0]
    store.database.bound().dispose()

    def limit(dbapi, _record):
        dbapi.execute(f"PRAGMA max_page_count={count + more}")

    event.listen(store.database.bound(), "connect", limit)

    def lift():
        event.remove(store.database.bound(), "connect", limit)
        store.database.bound().dispose()

    return lift


def record_until_full(stored):
    for second in range(2_000):
        record(1, NOW + second)
        stored.append(second)


def test_a_full_disk_stops_writing_and_not_reading(app):
    lift = limit_pages(app, 2)
    stored: list[int] = []
    with pytest.raises(DatabaseFull, match="until there is room"):
        record_until_full(stored)

    assert rows(store.models.reading) == 2 * (len(stored) + 1)
    assert isinstance(overview.trouble(), DatabaseFull)
    assert overview.load_overview(services().scope, NOW, 3_600).accounts

    lift()
    record(1, NOW + 5_000)
    assert rows(store.models.reading) == 2 * (len(stored) + 2)
    assert overview.trouble() is None


def test_a_limit_on_file_sizes_is_no_damage(app, instance_dir):
    """RLIMIT_FSIZE, in a process of its own: it cannot be lifted again."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with app.app_context():
                size = (instance_dir / "quota.sqlite-wal").stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40_000, size + 40_000))
                try:
                    for second in range(2_000):
                        record(1, NOW + second)
                except DatabaseFull:
                    code = 0 if rows(store.models.reading) > 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    assert rows(store.models.reading) > 2
    store.health.check()


def test_pages_and_readyz_say_that_nothing_can_be_stored(instance_dir):
    app = make_site(instance_dir)
    browser = Browser(app).signed_in()
    assert browser.get("/readyz").status_code in (200, 503)
    with app.app_context():
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorname = "SQLITE_FULL"
        with pytest.raises(DatabaseFull), store.database.transaction():
            raise OperationalError("INSERT", {}, full)

        answer = browser.get("/readyz")
        assert (answer.status_code, "nothing can be stored (DatabaseFull)" in answer.text) == (
            503,
            True,
        )
        assert app.test_client().get("/readyz").json == {
            "status": "unavailable",
            "reason": "storing",
        }
        assert "the disk is full" in browser.get("/").text
        assert "the disk is full" not in app.test_client().get("/login").text
        store.database.forget_troubles()


def checkpoint():
    with store.database.driver() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.database.forget_troubles()


def test_damage_met_on_the_way_stops_writing(app, instance_dir):
    checkpoint()
    file = instance_dir / "quota.sqlite"
    raw = bytearray(file.read_bytes())
    for page in range(1, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    file.write_bytes(raw)

    with pytest.raises(DatabaseDamaged, match="restore a backup"):
        rows(store.models.reading)
    with pytest.raises(DatabaseDamaged), store.database.transaction():
        pytest.fail("a damaged database was opened for writing")
    assert file.read_bytes() == bytes(raw)


def test_a_lock_or_a_missing_descriptor_is_no_damage(app, instance_dir):
    store.database.bound().dispose()
    other = sqlite3.connect(instance_dir / "quota.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    event.listen(store.database.bound(), "connect", _impatient)
    try:
        with pytest.raises(DatabaseBusy), store.database.transaction():
            pytest.fail("two writers at once")
    finally:
        other.close()
        event.remove(store.database.bound(), "connect", _impatient)
    store.database.bound().dispose()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = (instance_dir / "quota.sqlite").read_bytes()
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(BadDatabase) as caught:
            rows(store.models.reading)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not isinstance(caught.value, DatabaseDamaged)
    assert (instance_dir / "quota.sqlite").read_bytes() == before
    assert rows(store.models.reading) == 2
    assert overview.trouble() is None


def _impatient(dbapi, _record):
    dbapi.execute("PRAGMA busy_timeout=50")
