"""Backups: whole, private, without the key; and putting them back: judged first, nothing lost,
nobody else at work.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest

from quota_web import store
from quota_web.core.errors import BadDatabase, BadInput, BadSetting, DatabaseDamaged, DatabaseTooNew
from quota_web.maintenance import backup, restore
from quota_web.reports import overview
from tests.fakes import NOW
from tests.operations import (
    CANARY,
    environment,
    fill_history,
    leave,
    make_app,
    opened,
    record,
    restored,
    rows,
    run,
)


@pytest.fixture
def app(instance_dir):
    with opened(instance_dir) as app:
        yield app


@pytest.fixture
def filled(app):
    fill_history(1)
    return app


@pytest.fixture
def made(filled, tmp_path):
    file = tmp_path / "backup.sqlite"
    backup.backup(file)
    return file


def change(file, *statements):
    with sqlite3.connect(file) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_backup_holds_everything_and_only_its_owner_can_read_it(filled, made):
    content = backup.examine(made)

    assert content.rows["reading"] == rows(store.models.reading) == 96
    assert content.rows["account"] == 2
    assert made.stat().st_mode & 0o777 == 0o600
    assert os.listdir(made.parent / "instance").count("secret.key") == 1


def test_neither_tokens_nor_the_key_can_be_read_from_a_backup(filled, made, instance_dir):
    raw = made.read_bytes()

    assert CANARY.encode() not in raw
    assert all(line not in raw for line in (instance_dir / "secret.key").read_bytes().split())


def test_the_command_says_where_the_key_is(filled, tmp_path):
    result = run(filled, "backup", str(tmp_path / "b.sqlite"))

    assert result.exit_code == 0
    assert "2 accounts, 96 readings, looked through and good" in result.stdout
    assert "secret.key" in result.stderr


def test_nothing_is_replaced_unless_that_is_wanted(filled, made):
    before = made.read_bytes()

    result = run(filled, "backup", str(made))
    assert (result.exit_code, made.read_bytes()) == (1, before)
    assert "--force" in result.stderr

    record(1, NOW + 60)
    assert run(filled, "backup", str(made), "--force").exit_code == 0
    assert backup.examine(made).rows["reading"] == 98


def test_the_database_is_never_its_own_backup(filled, instance_dir):
    with pytest.raises(BadInput, match="itself"):
        backup.backup(instance_dir / "quota.sqlite", overwrite=True)


@pytest.mark.parametrize("name", ["missing/b.sqlite", "file/b.sqlite"])
def test_a_folder_that_cannot_be_written_is_one_line(filled, tmp_path, name):
    (tmp_path / "file").write_text("no folder")

    result = run(filled, "backup", str(tmp_path / name))
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1


def test_without_room_no_backup_is_begun(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(store.filesystem, "free_bytes", lambda folder: 1_000_000)

    with pytest.raises(BadSetting, match="are free"):
        backup.backup(tmp_path / "b.sqlite")
    assert list(tmp_path.glob("*b.sqlite*")) == []


def test_backups_are_consistent_while_others_write(filled, tmp_path):
    stop = threading.Event()

    def write():
        with filled.app_context():
            at = NOW
            while not stop.is_set():
                at += 1
                record(1, at)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        contents = [backup.backup(tmp_path / f"{n}.sqlite") for n in range(6)]
    finally:
        stop.set()
        writer.join()

    versions = [c.data_version for c in contents]
    assert versions == sorted(versions)
    # Two windows an answer: a copy in the middle of one would hold an odd number.
    assert all(c.rows["reading"] % 2 == 0 for c in contents)
    assert list(tmp_path.glob(".*part*")) == []


def test_a_postgresql_is_left_to_its_own_tools(instance_dir, postgres_url, tmp_path):
    with postgres_url() as url:
        app = make_app(instance_dir, QUOTA_DATABASE_URL=url)
        with app.app_context():
            assert "pg_dump" in run(app, "backup", str(tmp_path / "b")).stderr
            assert "pg_restore" in run(app, "restore", str(tmp_path / "b"), "--yes").stderr


def test_a_restore_brings_back_what_was_and_keeps_what_is(filled, made, instance_dir):
    with store.database.reading() as conn:
        before = store.site_state.read(conn)
    record(1, NOW + 60)
    leave()

    done = restored(made, NOW + 100, "test")

    assert rows(store.models.reading) == 96
    assert done.aside is not None
    assert done.aside == instance_dir / "quota.sqlite.before-restore-20261121T120140Z"
    assert backup.examine(done.aside).rows["reading"] == 98
    with store.database.reading() as conn:
        after = store.site_state.read(conn)
    assert after.nonce != before.nonce
    assert after.session_epoch > before.session_epoch
    assert sorted(os.listdir(instance_dir)) == sorted(
        [
            ".in-use",
            ".schema.lock",
            "quota.sqlite",
            "quota.sqlite-shm",
            "quota.sqlite-wal",
            done.aside.name,
            "secret.key",
        ]
    )


def test_sessions_of_the_replaced_database_end_too(filled, made, instance_dir):
    with store.database.transaction() as tx:
        for _ in range(5):
            store.site_state.end_sessions(tx)
        epoch = store.site_state.read(tx).session_epoch
    leave()

    restored(made)

    with store.database.reading() as conn:
        assert store.site_state.read(conn).session_epoch > epoch


def test_the_backup_itself_stays_as_it_is(filled, made):
    before = made.read_bytes(), made.stat().st_mtime_ns
    made.chmod(0o400)
    leave()

    restored(made)

    assert (made.read_bytes(), made.stat().st_mtime_ns) == before
    assert list(made.parent.glob(f"{made.name}-*")) == []


def test_a_restore_into_an_empty_folder_needs_no_database(made, instance_dir, tmp_path):
    elsewhere = tmp_path / "new" / "instance"
    elsewhere.mkdir(parents=True)
    (elsewhere / "secret.key").write_bytes((instance_dir / "secret.key").read_bytes())
    app = make_app(elsewhere)
    with app.app_context():
        done = restored(made)

        assert done.aside is None
        assert rows(store.models.account) == 2
        store.database.forget_troubles()


def test_nothing_is_restored_under_a_running_service(filled, made, instance_dir):
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        "wsgi",
        "quota",
        "restore",
        str(made),
        "--yes",
    ]

    done = subprocess.run(
        command,
        env=environment(instance_dir),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "in use by another process" in done.stderr
    assert list(instance_dir.glob("*before-restore*")) == []


def test_nothing_is_restored_under_a_program_of_another_kind(filled, made, instance_dir):
    leave()
    other = sqlite3.connect(instance_dir / "quota.sqlite")
    other.execute("SELECT count(*) FROM account").fetchall()
    try:
        with pytest.raises(BadDatabase, match="in use"):
            restored(made)
    finally:
        other.close()


def test_an_older_backup_is_brought_up_to_date(filled, made, instance_dir):
    downgraded = filled.test_cli_runner().invoke(args=["db", "downgrade", "0002"])
    assert downgraded.exit_code == 0
    leave()
    shutil.copyfile(instance_dir / "quota.sqlite", made)

    done = restored(made)

    assert done.migrated_from == "0002"
    assert rows(store.models.reading) == 96
    assert store.schema.version() == store.schema.HEAD


@pytest.mark.parametrize(
    ("statements", "error", "words"),
    [
        (["UPDATE alembic_version SET version_num = '9999'"], DatabaseTooNew, "9999"),
        (["DELETE FROM alembic_version"], DatabaseTooNew, "none"),
        (["DROP TABLE alembic_version"], BadInput, "not one of this program"),
        (
            ["CREATE TRIGGER evil AFTER INSERT ON event BEGIN DELETE FROM reading; END"],
            BadInput,
            "evil",
        ),
        (
            ["DROP VIEW snapshot", "CREATE VIEW snapshot AS SELECT load_extension('x') AS account"],
            BadInput,
            "snapshot",
        ),
        (["CREATE TABLE more (x)"], BadInput, "more"),
        (["DROP TABLE attempt"], BadInput, "attempt"),
        (["DELETE FROM site_state"], DatabaseDamaged, "site"),
        (
            [
                (
                    "INSERT INTO attempt SELECT 99, first_at, last_at, status, 200, '', '', "
                    "1, 1, 1 FROM attempt LIMIT 1"
                )
            ],
            DatabaseDamaged,
            "foreign_key",
        ),
    ],
)
def test_what_is_not_ours_or_not_whole_is_refused(
    filled, made, instance_dir, statements, error, words
):
    change(made, *statements)
    leave()
    before = (instance_dir / "quota.sqlite").stat().st_ino

    with pytest.raises(error, match=words):
        restored(made)

    assert (instance_dir / "quota.sqlite").stat().st_ino == before
    assert [name for name in os.listdir(instance_dir) if "part" in name or "restore" in name] == []


def test_odd_files_are_refused(filled, made, instance_dir, tmp_path):
    leave()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "live").write_bytes(made.read_bytes())
    (tmp_path / "live-wal").write_bytes(b"x")
    (tmp_path / "half").write_bytes(made.read_bytes()[:70_000])

    for name in ("text", "empty", "pipe", "live", "nothing", "half", "instance"):
        result = run(filled, "restore", str(tmp_path / name), "--yes")
        assert (result.exit_code in (1, 4), result.stderr.count("\n")) == (True, 1), (
            name,
            result.output,
        )
    assert rows(store.models.reading) == 96


def test_a_file_that_is_too_large_is_refused(filled, made, monkeypatch):
    leave()
    monkeypatch.setattr(restore, "MAX_SIZE", 50_000)

    with pytest.raises(BadInput, match="larger than"):
        restored(made)


def test_a_damaged_database_can_be_replaced_and_is_kept_byte_by_byte(filled, made, instance_dir):
    leave()
    live = instance_dir / "quota.sqlite"
    live.write_bytes(b"no database at all" * 500)
    (instance_dir / "quota.sqlite-wal").write_bytes(b"a log of something")

    done = restored(made)

    assert done.aside is not None
    assert done.aside.read_bytes() == b"no database at all" * 500
    assert store.filesystem.beside(done.aside, "-wal").read_bytes() == b"a log of something"
    assert rows(store.models.reading) == 96
    assert overview.trouble() is None


def test_two_restores_of_one_second_keep_both_databases(filled, made, instance_dir):
    leave()

    first, second = restored(made), restored(made)

    assert first.aside != second.aside
    assert len(list(instance_dir.glob("quota.sqlite.before-restore-*"))) == 2
