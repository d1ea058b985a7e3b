"""Files that were being written when their process was killed go; those of living processes and of
others stay.
"""

import os
import subprocess
import sys
import threading

import pytest

from quota_web import factory, store
from quota_web.maintenance import backup
from quota_web.refresh.housekeeping import Housekeeping
from tests.fakes import NOW
from tests.operations import environment, fill_history, leave, opened, restored

#: Makes a backup and dies when the copy is written, before it has its name.
DYING = """
import os, sys
from pathlib import Path
from quota_web import config
from quota_web.factory import create_app
from quota_web.maintenance import backup
from quota_web.services import services

backup.examine = lambda _: os._exit(9)
app = create_app(config.load(os.environ))
with app.app_context():
    services().ready()
    backup.backup(Path(sys.argv[1]))
"""


@pytest.fixture
def app(instance_dir):
    with opened(instance_dir) as app:
        fill_history(1)
        yield app


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def killed(instance_dir, target):
    variables = {**environment(instance_dir), "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", DYING, target],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (9, "")


def test_the_next_backup_removes_what_a_killed_one_left(app, instance_dir, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    killed(instance_dir, folder / "monday.sqlite")
    [part] = hidden(folder)
    (folder / f"{part}-journal").write_bytes(b"half a journal")

    backup.backup(folder / "tuesday.sqlite")

    assert sorted(path.name for path in folder.iterdir()) == ["tuesday.sqlite"]


def test_a_restore_and_the_hourly_chores_do_so_in_the_instance_folder(app, instance_dir):
    parts = [instance_dir / f".quota.sqlite.0000000{number}.part" for number in range(2)]
    backup.backup(instance_dir.parent / "backup.sqlite")
    leave()
    for part, act in zip(
        parts,
        (lambda: restored(instance_dir.parent / "backup.sqlite"), chores(instance_dir)),
        strict=True,
    ):
        part.write_bytes(b"")
        act()
        assert not part.exists()


def chores(instance_dir, state_file=None, now=NOW):
    return lambda: Housekeeping(factory.chores(), None, instance_dir, state_file).work(
        now, threading.Event()
    )


def test_a_backup_that_goes_on_meanwhile_is_left_alone(app, instance_dir, tmp_path):
    with store.leftovers.part_of(tmp_path / "long.sqlite") as part:
        part.write_bytes(b"")
        backup.backup(tmp_path / "short.sqlite")
        assert part.exists()
    assert hidden(tmp_path) == []


def test_what_is_no_copy_of_a_database_is_left_alone(app, tmp_path):
    others = {
        ".download.0123abcd.part": b"a film",
        ".0123abcd.part": b"",
        ".x.sqlite.0123ABCD.part": b"",
        ".x.sqlite.0123abcd.parts": b"",
        "x.sqlite.0123abcd.part": b"",
    }
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "precious").write_bytes(b"")
    (tmp_path / ".link.0123abcd.part").symlink_to(tmp_path / "precious")
    (tmp_path / ".folder.0123abcd.part").mkdir()

    backup.backup(tmp_path / "b.sqlite")

    assert set(others) | {"precious", ".link.0123abcd.part", ".folder.0123abcd.part"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_small_files_go_when_they_are_old(app, instance_dir, tmp_path):
    state = tmp_path / "somebodys" / "state.json"
    state.parent.mkdir()
    old = [
        instance_dir / f".{name}"
        for name in (
            "secret.key.77.0123abcd",
            "setup-link.0123abcd",
            "probe.77.0123abcd",
            "probe.77.0123abcd.moved",
        )
    ]
    old.append(state.with_name(".state.json.0123abcd"))
    new, other = instance_dir / ".secret.key.78.0123abcd", state.with_name(".cache.0123abcd")
    for path in (*old, new, other):
        path.write_text("")
        os.utime(path, (NOW - 3_600, NOW - 3_600))
    os.utime(new, (NOW - 5, NOW - 5))

    chores(instance_dir, state)()

    assert [path for path in (*old, new, other) if path.exists()] == [new, other]
    assert (instance_dir / "secret.key").exists()


def test_a_copy_that_was_cut_before_its_first_page_is_one(app, tmp_path):
    part = tmp_path / ".x.sqlite.0123abcd.part"
    part.write_bytes(bytes(8192))

    store.leftovers.remove_parts(tmp_path)

    assert not part.exists()


def test_a_copy_with_the_longest_name_has_a_hidden_name_that_is_swept_too(tmp_path):
    target = tmp_path / ("写" * 83 + ".db")

    with store.leftovers.part_of(target) as part:
        assert len(os.fsencode(part.name)) <= 255
        assert part.parent == tmp_path
        name = part.name
    (tmp_path / name).write_bytes(b"")
    store.leftovers.remove_parts(tmp_path)

    assert hidden(tmp_path) == []
