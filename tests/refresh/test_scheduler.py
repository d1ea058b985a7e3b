"""The schedule in this process: it ticks, wakes, survives what kills schedules, says how it is, and
stops.
"""

import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers import base
from apscheduler.triggers.date import DateTrigger

from quota_web import config, store
from quota_web.core import clock, policy
from quota_web.core.errors import BadDatabase
from quota_web.factory import create_app
from quota_web.refresh import job_health, refresh_service, scheduler
from quota_web.services import services
from tests.fakes import FakeCodex, FakeResponse, auth_document, usage_body
from tests.schema_file import put_schema

TICK_S = 1.0
#: For what is written and claimed; what the schedule does with its threads needs one database.
both_databases = pytest.mark.usefixtures("database")


@pytest.fixture
def codex():
    with FakeCodex() as codex:
        codex.default = FakeResponse(body=usage_body(at=clock.now()))
        yield codex


@pytest.fixture
def app(request, instance_dir, codex):
    database = request.getfixturevalue("database") if "database" in request.fixturenames else {}
    if not database:
        put_schema(instance_dir)
    folder = instance_dir / "account"
    folder.mkdir()
    for name in ("alice", "bob"):
        (folder / f"{name}.auth.json").write_text(json.dumps(auth_document(name)))
    names = {
        "QUOTA_INSTANCE_DIR": str(instance_dir),
        "QUOTA_ACCOUNT_DIR": str(folder),
        "QUOTA_USAGE_URL": codex.url,
        "QUOTA_RETRY_DELAY": "0",
    }
    app = create_app(
        config.load({**names, **database, "QUOTA_STATE_FILE": str(instance_dir / "state.json")})
    )
    with app.app_context():
        services().ready()
    yield app
    scheduler.stop(app)


@pytest.fixture
def unstarted(app, monkeypatch):
    """A quick one. What is to hold from its first run on is set before it is started."""
    monkeypatch.setattr(scheduler, "WATCH_S", 0.1)
    monkeypatch.setattr(scheduler, "DUE_S", TICK_S)
    schedule = app.extensions[scheduler.EXTENSION] = scheduler.Schedule(app, TICK_S)
    return schedule


@pytest.fixture
def schedule(unstarted):
    """The same, started."""
    unstarted.start()
    return unstarted


@pytest.fixture
def slow_alice(codex):
    """To be asked for before `schedule`, which asks at once."""
    codex.answers("alice", FakeResponse(delay=30))


def wait_for(there, seconds: float = 30.0):
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.02)


class Broken(DateTrigger):  # type: ignore[misc] # the library has no types
    """A trigger that works once and then ends the thread that asks it."""

    is_asked = False

    def get_next_fire_time(self, previous_fire_time, now):
        if self.is_asked:
            raise OverflowError("date value out of range")
        self.is_asked = True
        return super().get_next_fire_time(previous_fire_time, now)


def move_tick(schedule, to: datetime) -> None:
    """Let the next tick stand at a moment that the clock has jumped away from."""

    def moved() -> bool:
        try:
            schedule.scheduler.modify_job("tick", next_run_time=to)
        except JobLookupError:
            return False
        return True

    wait_for(moved)


def ticks_on(schedule) -> bool:
    """Whether another tick comes."""
    before = schedule.ticked_at
    wait_for(lambda: schedule.ticked_at > before + TICK_S / 2)
    return True


@both_databases
def test_it_follows_the_folder_asks_and_leaves_the_state_file(app, codex, schedule, instance_dir):
    wait_for((instance_dir / "state.json").exists)

    document = json.loads((instance_dir / "state.json").read_text())
    assert {r["account"]: r["five_hour_percent"] for r in document["results"]} == {
        "alice": 88,
        "bob": 88,
    }
    assert len(codex.seen) == 2
    assert scheduler.health(app) == "ok"


@both_databases
def test_a_new_file_is_noticed(app, codex, schedule, instance_dir):
    wait_for(lambda: len(codex.seen) == 2)
    (instance_dir / "account/carol.auth.json").write_text(json.dumps(auth_document("carol")))

    wait_for(lambda: codex.requests_of("carol"))


@both_databases
def test_a_refreshed_account_is_not_refreshed_again_before_the_time(codex, schedule):
    wait_for(lambda: len(codex.seen) == 2)

    assert ticks_on(schedule)
    assert ticks_on(schedule)
    assert len(codex.seen) == 2


def test_its_web_interface_is_not_there(app, schedule):
    assert app.config["SCHEDULER_API_ENABLED"] is False
    assert [rule.rule for rule in app.url_map.iter_rules() if "scheduler" in rule.rule] == []


def test_it_runs_with_the_debug_flag_set(app, monkeypatch, codex):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    scheduler.start(app)

    wait_for(lambda: len(codex.seen) == 2)


def test_it_starts_where_the_machines_time_zone_is_none(unstarted, monkeypatch):
    def not_found() -> ZoneInfo:
        raise ZoneInfoNotFoundError("Foo/Bar")

    monkeypatch.setattr(base, "get_localzone", not_found)
    unstarted.start()

    assert unstarted.health() == "ok"


def test_it_starts_once(app, schedule):
    with pytest.raises(RuntimeError, match="already"):
        scheduler.start(app)


def test_late_jobs_run_and_none_runs_twice(schedule):
    jobs: list[Job] = []

    def is_there() -> bool:
        jobs.extend(schedule.scheduler.get_jobs())
        return jobs != []

    wait_for(is_there)
    job = jobs[0]

    assert (job.misfire_grace_time, job.coalesce, job.max_instances) == (None, True, 1)


@both_databases
def test_a_pressed_button_wakes_it(app, codex):
    slow = app.extensions[scheduler.EXTENSION] = scheduler.Schedule(app, 3_600)
    slow.start()
    wait_for(lambda: len(codex.seen) == 2)
    with app.app_context():
        wait_for(
            lambda: all(a.claim_id is None for a in refresh_service.select(services().scope)[0])
        )
        refresh_service.request(refresh_service.select(services().scope)[0], clock.now())
        app.extensions[scheduler.EXTENSION].wake()

    wait_for(lambda: len(codex.seen) == 4)


@both_databases
def test_a_request_of_another_process_is_noticed(app, codex, schedule):
    wait_for(lambda: len(codex.seen) == 2)
    with app.app_context():
        wait_for(
            lambda: all(a.claim_id is None for a in refresh_service.select(services().scope)[0])
        )
        refresh_service.request(refresh_service.select(services().scope)[0], clock.now())

    wait_for(lambda: len(codex.seen) == 4)


@both_databases
def test_one_account_that_does_not_answer_holds_no_other_up(
    codex, slow_alice, schedule, app, instance_dir
):
    wait_for(lambda: len(codex.seen) == 2)
    (instance_dir / "account/carol.auth.json").write_text(json.dumps(auth_document("carol")))

    wait_for(lambda: codex.requests_of("carol"))


@both_databases
def test_never_more_than_four_at_once(codex, schedule, instance_dir):
    codex.default = FakeResponse(body=usage_body(at=clock.now()), delay=0.3)
    for number in range(12):
        (instance_dir / f"account/n{number}.auth.json").write_text(
            json.dumps(auth_document(f"n{number}"))
        )

    wait_for(lambda: len(codex.seen) == 14)
    assert codex.max_in_flight <= 4


# What kills schedules.


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_schedule_whose_thread_died_is_started_again(app, schedule):
    wait_for(lambda: scheduler.health(app) == "ok")
    schedule.scheduler.add_job("broken", print, trigger=Broken())

    wait_for(lambda: schedule.counts["restart"] == 1)
    wait_for(lambda: scheduler.health(app) == "ok")
    assert ticks_on(schedule)


def test_a_tick_that_hangs_is_left_behind(app, schedule):
    go_on = threading.Event()
    follow = schedule.work.follow
    hung: list[threading.Thread] = []

    def hangs_once():
        if not hung:
            hung.append(threading.current_thread())
            go_on.wait(30)
        follow()

    schedule.work.follow = hangs_once
    wait_for(lambda: hung)
    wait_for(lambda: schedule.counts["restart"] == 1)
    assert ticks_on(schedule)
    go_on.set()
    assert ticks_on(schedule)
    assert scheduler.health(app) == "ok"
    assert schedule.counts["restart"] == 1


def test_when_every_tick_hangs_threads_do_not_pile_up(app, schedule, monkeypatch):
    monkeypatch.setattr(scheduler, "MOST_HUNG", 2)
    go_on = threading.Event()
    schedule.work.follow = lambda: go_on.wait(30)

    wait_for(lambda: schedule.counts["restart"] == scheduler.MOST_HUNG - 1, 30)
    time.sleep((scheduler.DEAD_AFTER + 1) * TICK_S)
    assert schedule.counts["restart"] == scheduler.MOST_HUNG - 1
    assert "has not ticked" in scheduler.health(app)
    go_on.set()


def test_it_ticks_sooner_while_a_person_signs_in(app, monkeypatch):
    monkeypatch.setattr(scheduler, "SIGN_IN_TICK_S", TICK_S)
    schedule = app.extensions[scheduler.EXTENSION] = scheduler.Schedule(app, 3_600)
    monkeypatch.setattr(schedule.work, "look", object)
    schedule.work.has_sign_ins = True
    schedule.start()

    assert ticks_on(schedule)


def test_a_clock_put_back_stops_it_for_three_intervals_at_most(schedule):
    assert ticks_on(schedule)
    # What a clock that was put back leaves: the next tick stands far ahead.
    move_tick(schedule, datetime.now(UTC) + timedelta(days=365))
    started = time.monotonic()

    wait_for(lambda: schedule.counts["restart"] == 1)
    assert time.monotonic() - started < (scheduler.DEAD_AFTER + 1) * TICK_S
    assert ticks_on(schedule)


def test_a_clock_put_ahead_builds_no_list_of_missed_ticks(schedule):
    assert ticks_on(schedule)
    started = time.process_time()
    move_tick(schedule, datetime(1970, 1, 1, tzinfo=UTC))

    assert ticks_on(schedule)
    assert time.process_time() - started < 1
    assert schedule.counts["missed"] == 0


def test_a_clock_that_was_never_set_asks_nobody(app, codex, schedule):
    wait_for(lambda: len(codex.seen) == 2)
    with app.app_context():
        refresh_service.request(refresh_service.select(services().scope)[0], clock.now())
        with clock.frozen(86_400):
            found = schedule.work.due_accounts()
            assert (found.requested, found.due) == ((), ())
            assert scheduler.health(app) == "the clock of this machine says 1970-01-02T00:00:00Z"


def test_an_error_does_not_end_it_and_is_said_when_it_lasts(app, schedule):
    follow = schedule.work.follow

    def broken():
        raise BadDatabase("the database cannot be used: disk I/O error")

    schedule.work.follow = broken
    wait_for(lambda: scheduler.health(app) == "the database cannot be used: disk I/O error")
    schedule.work.follow = follow
    wait_for(lambda: scheduler.health(app) == "ok")


def test_a_bug_does_not_end_it_and_is_counted(app, schedule):
    schedule.work.follow = lambda: 1 / 0
    wait_for(lambda: schedule.counts["error"] >= 2)

    assert scheduler.health(app) == "tick failed: ZeroDivisionError"


@both_databases
def test_when_results_cannot_be_stored_nothing_is_sent_for_a_while(app, codex, schedule):
    def full(*_: object):
        raise BadDatabase("the disk is full")

    wait_for(lambda: len(codex.seen) == 2)
    schedule.work.refresh = full
    before = clock.monotonic()
    with app.app_context():
        wait_for(
            lambda: all(a.claim_id is None for a in refresh_service.select(services().scope)[0])
        )
        with store.database.transaction() as tx:
            store.accounts.update_account(
                tx, store.accounts.get_by_name(tx, "alice").id, next_due_at=clock.now()
            )
            store.site_state.bump_version(tx, clock.now())

    # The pause begins before its reason is counted.
    wait_for(lambda: schedule.counts["trouble"])
    assert schedule.paused_until >= before + scheduler.PAUSE_FIRST_S
    asked = schedule.counts["trouble"]
    assert ticks_on(schedule)
    assert schedule.counts["trouble"] == asked


def test_a_run_that_brings_nothing_is_said(app, unstarted, monkeypatch):
    monkeypatch.setattr(job_health, "RUN_S", -1.0)
    go_on, is_there = threading.Event(), threading.Event()

    def hangs(*_: object):
        is_there.set()
        go_on.wait(30)

    unstarted.work.refresh = hangs
    unstarted.start()
    assert is_there.wait(30)

    assert re.fullmatch(r"a run \(due\) has brought nothing for \d+ s", scheduler.health(app))
    go_on.set()


def test_accounts_that_are_due_and_never_refreshed_are_told(app, codex, unstarted):
    # Runs come and go, and nobody is asked.
    unstarted.work.refresh = lambda *_: None
    unstarted.start()
    wait_for(lambda: "2 accounts are due and none has been refreshed for" in scheduler.health(app))
    del unstarted.work.refresh

    wait_for(lambda: len(codex.seen) == 2)
    wait_for(lambda: scheduler.health(app) == "ok")


# The end.


@both_databases
def test_stopping_stores_what_was_answered_and_drops_the_rest(app, codex, slow_alice, schedule):
    wait_for(lambda: len(codex.seen) == 2)
    with app.app_context():
        wait_for(lambda: any(a.taken_at for a in refresh_service.select(services().scope)[0]))
        started = time.monotonic()
        scheduler.stop(app)
        assert time.monotonic() - started < 10

        found = {a.name: a for a in refresh_service.select(services().scope)[0]}
    assert found["bob"].taken_at is not None
    assert (found["alice"].attempted_at, found["alice"].failures, found["alice"].claim_id) == (
        None,
        0,
        None,
    )
    assert scheduler.health(app) == "the schedule does not run here"


def test_nothing_ticks_after_the_stop(app, codex, schedule):
    wait_for(lambda: len(codex.seen) == 2)
    scheduler.stop(app)
    before = schedule.ticked_at
    schedule.wake()
    time.sleep(1.5 * TICK_S)

    assert schedule.ticked_at == before
    assert [
        t.name for t in threading.enumerate() if t.name.startswith(("APScheduler", "quota-"))
    ] == []


def test_commands_and_imports_start_nothing(app):
    assert scheduler.health(app) == "the schedule does not run here"
    assert app.test_cli_runner().invoke(args=["quota", "status"]).exit_code == 0
    assert not any(t.name == "APScheduler" for t in threading.enumerate())


@both_databases
def test_the_first_due_time_after_a_stop_is_kept(app, codex, schedule):
    with app.app_context():
        wait_for(
            lambda: (
                len(codex.seen) == 2
                and all(a.taken_at for a in refresh_service.select(services().scope)[0])
            )
        )
        scheduler.stop(app)
        soonest = min(a.next_due_at or 0 for a in refresh_service.select(services().scope)[0])

    assert soonest > clock.now() + 60
    assert soonest < clock.now() + policy.longest_ordinary(3_600)
