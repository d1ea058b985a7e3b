"""A verified backup a day, the newest kept, seen by `doctor` and `/metrics`."""

import re

import pytest

from quota_web import config
from quota_web.core import clock
from quota_web.core.errors import BadSetting
from quota_web.maintenance import backup, doctor, scheduled_backups
from quota_web.maintenance.doctor import DoctorContext
from quota_web.maintenance.findings import Level
from quota_web.services import services
from tests.browser import make_app, make_token
from tests.fakes import NOW
from tests.operations import fill_history, opened

DAY = 86_400


@pytest.fixture
def app(instance_dir):
    with opened(instance_dir) as app:
        fill_history(1)
        yield app


@pytest.fixture
def run(app, instance_dir, tmp_path):
    folder = tmp_path / "backups"
    return lambda now, keep=3: scheduled_backups.run(folder, keep, instance_dir, now)


def test_a_day_gets_one_backup_that_can_be_restored(run, tmp_path):
    made = run(NOW)
    assert made is not None
    assert backup.examine(made).rows["account"] == 2
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    assert run(NOW + 3_600) is None
    assert run(NOW + DAY) is not None


def test_the_newest_are_kept_and_files_of_others_stay(run, tmp_path):
    (tmp_path / "backups").mkdir()
    foreign = tmp_path / "backups" / "my-own.sqlite"
    foreign.write_bytes(b"mine")
    made = [run(NOW + days * DAY) for days in range(5)]

    there = sorted(path.name for path in foreign.parent.iterdir())
    assert there == sorted([foreign.name, *(path.name for path in made[2:])])
    assert foreign.read_bytes() == b"mine"


def test_a_backup_that_fails_costs_no_older_one(run, tmp_path, monkeypatch):
    old = run(NOW, 1)
    monkeypatch.setattr(backup, "ROOM_TO_SPARE", 2**62)
    with pytest.raises(BadSetting, match="are needed"):
        run(NOW + DAY, 1)
    assert [path.name for path in old.parent.iterdir()] == [old.name]


def test_a_folder_that_cannot_be_made_is_one_line(run, tmp_path):
    (tmp_path / "backups").write_text("a file")
    with pytest.raises(BadSetting, match=r"^[^\n]+$"):
        run(NOW)


def test_another_process_that_makes_it_is_not_waited_for(run, app, instance_dir):
    from quota_web import store

    with store.locks.exclusive(instance_dir / scheduled_backups.LOCK):
        assert run(NOW) is None
    assert run(NOW) is not None


def test_the_schedule_makes_it_where_it_is_wanted(instance_dir, tmp_path, monkeypatch):
    folder = tmp_path / "daily"
    monkeypatch.setenv("QUOTA_BACKUP_DIR", str(folder))
    app = make_app(instance_dir, QUOTA_BACKUP_DIR=str(folder))
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        scheduled_backups.chore(NOW)
    assert len(list(folder.iterdir())) == 1


def test_doctor_and_metrics_know_the_newest(instance_dir, tmp_path, monkeypatch):
    folder = tmp_path / "daily"
    app = make_app(instance_dir, QUOTA_BACKUP_DIR=str(folder))
    with app.app_context():
        present = services()
        found = {f.what: f for f in diagnosed(present, NOW)}
        assert "none yet" in found["backups"].text
        present.ready()
        scheduled_backups.chore(NOW)
        kept = scheduled_backups.kept(folder)
        assert kept is not None
        assert kept.count == 1

        verdicts = [
            next(
                f.verdict
                for f in diagnosed(present, kept.newest_at + days * DAY)
                if f.what == "backups"
            )
            for days in (0, 3)
        ]
        assert verdicts == [Level.OK, Level.WARN]
        text = app.test_client().get("/metrics", headers=make_token(app)).text
        figure = re.search(r"^codex_quota_backup_timestamp_seconds (\S+)", text, re.MULTILINE)
        assert figure is not None
        assert float(figure[1]) == kept.newest_at


def diagnosed(present, now):
    """The findings without those that need the upstream."""
    context = DoctorContext(present.settings, present.cipher, lambda: present.client, now)
    found = []
    for finding in doctor.diagnose(context):
        found.append(finding)
        if finding.what == "clock":
            return found
    return found


def test_of_a_folder_that_is_not_there_nothing_is_known(tmp_path):
    assert scheduled_backups.kept(tmp_path / "nowhere") is None


def test_postgresql_is_backed_up_by_its_own_tool():
    with pytest.raises(BadSetting, match="pg_dump"):
        config.load({"QUOTA_BACKUP_DIR": "x", "QUOTA_DATABASE_URL": "postgresql://me@host/name"})
