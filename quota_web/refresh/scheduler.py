"""The schedule: a tick every few seconds, kept alive by a watchdog; refreshes are jobs beside it.

1. A tick is a one-shot job. It arms the next one at its end, so a clock that jumps builds no list
   of missed runs.
2. It never waits for the upstream: it starts runs, at most a few at a time, and the claims in the
   database keep these apart.
3. Jobs go by the wall clock, and a clock can be put back. A watchdog goes by the monotonic one; if
   no tick has come for three intervals, for whatever reason, it makes a new schedule and leaves the
   old one behind.

Nothing here starts by itself: what serves calls `start`, commands and tests do not.
"""

import logging
import math
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from quota_web.core import clock, times
from quota_web.core.errors import QuotaError
from quota_web.core.limits import FIRST_BELIEVABLE
from quota_web.core.quota import Status
from quota_web.refresh.housekeeping import Chores, Housekeeping
from quota_web.refresh.job_health import JobHealth
from quota_web.refresh.queue import DueAccounts
from quota_web.refresh.tick import AT_ONCE, Tick
from quota_web.services import Services
from quota_web.store.accounts import Account

logger = logging.getLogger(__name__)

EXTENSION = "quota_schedule"
#: What other rooms do for the schedule.
GIVEN = "quota_schedule_calls"
#: Seconds between ticks, and while a person signs in to ChatGPT: how soon a request that another
#: process took is noticed.
TICK_S, SIGN_IN_TICK_S = 7.5, 5.0
#: Seconds between runs for due accounts; those that become due in between share a run.
DUE_S = 15.0
#: No tick for this many intervals: the schedule is dead.
DEAD_AFTER = 3
#: The watchdog looks no oftener than this.
WATCH_S = 1.0
#: With so many ticks that hang, one more thread would not help.
MOST_HUNG = 3
#: Runs of a kind that may go on at the same time: one account that does not answer must not hold up
#: the others.
RUNS = {"due": AT_ONCE, "requested": 4, "chores": 1, "sign_ins": 1, "renewal": 1}
#: The fewest accounts that a tick starts with; of many accounts, more.
BATCH = 12
#: Accounts are due and no request is sent for so many times DUE_S: the schedule does not work.
IDLE_AFTER = 3
#: The pause after a run that could not store its results; it doubles up to the last.
PAUSE_FIRST_S, PAUSE_LAST_S = 15.0, 300.0
CHORES_S = 60.0
#: Seconds between looks for a sign-in that is due to be renewed.
RENEWALS_S = 30.0
#: How long a stop waits for runs to store what has been answered.
STOP_S = 4.0

SETTINGS = {
    # The extension's web interface would let a visitor run any function.
    "SCHEDULER_API_ENABLED": False,
    "SCHEDULER_TIMEZONE": "UTC",
    "SCHEDULER_EXECUTORS": {
        "default": {"type": "threadpool", "max_workers": 2 + sum(RUNS.values())}
    },
    # A late run is better than none.
    "SCHEDULER_JOB_DEFAULTS": {"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
}


def init_app(app: Flask, write_state_file: Callable[[], None], chores: Chores) -> None:
    """Note what the schedule of this app calls in other rooms; nothing starts."""
    app.extensions[GIVEN] = (write_state_file, chores)


def start(app: Flask) -> "Schedule":
    """Start the schedule of this process. Raises RuntimeError where one runs already."""
    if app.extensions.get(EXTENSION) is not None:
        raise RuntimeError("the schedule runs already")
    schedule = app.extensions[EXTENSION] = Schedule(app)
    schedule.start()
    return schedule


def stop(app: Flask) -> None:
    """Stop it: nothing new is sent, what was answered is stored.

    Nothing happens where none runs.
    """
    schedule: Schedule | None = app.extensions.pop(EXTENSION, None)
    if schedule is not None:
        schedule.stop()


def health(app: Flask) -> str:
    """`ok`, or why the schedule of this process does not do its work."""
    schedule: Schedule | None = app.extensions.get(EXTENSION)
    return "the schedule does not run here" if schedule is None else schedule.health()


class Schedule:
    """The schedule of one process."""

    def __init__(self, app: Flask, tick_s: float = TICK_S) -> None:
        self._app, self._tick_s, self._dead_after_s = app, tick_s, DEAD_AFTER * tick_s
        self._services: Services = app.extensions["quota_services"]
        write_state_file, chores = app.extensions[GIVEN]
        self.work = Tick(self._services, write_state_file)
        settings = self._services.settings
        self._given: Chores = chores
        self._chores = Housekeeping(
            chores,
            settings.retention_days,
            settings.instance_dir,
            settings.state_file,
        )
        self._pid = os.getpid()
        self._changed = threading.Condition()
        # All below is guarded by _changed.
        #: Flask-APScheduler's object; another one after a restart.
        self.scheduler: Any = None
        self._generation = 0
        self.ticked_at = clock.monotonic()
        self._is_ticking = self._is_woken = False
        self._health = JobHealth(IDLE_AFTER * max(DUE_S, tick_s))
        #: The names of jobs that are taken in the present generation.
        self._taken: set[str] = set()
        self.paused_until = self._due_at = float("-inf")
        self._renewals_at = clock.monotonic() + random.uniform(0.2, 1.0) * RENEWALS_S  # noqa: S311 - no secret
        self._chores_at = clock.monotonic() + random.uniform(0.2, 1.2) * CHORES_S  # noqa: S311 - no secret
        #: What went wrong since the start: `error`, `missed`, `max_instances`, `restart`.
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        self._launch()
        self._services.wake = self.wake
        threading.Thread(target=self._watch, name="quota-watchdog", daemon=True).start()
        logger.info("the schedule runs in process %d", self._pid)

    def stop(self) -> None:
        """End all jobs; those under way store what has been answered, for a few seconds."""
        self._services.wake = None
        self._services.end()
        with self._changed:
            self._generation += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._health.running, STOP_S)
            left = len(self._health.running)
        if left:
            logger.warning(
                "%d jobs did not end in time; their accounts are free again when their claims end",
                left,
            )
        _end(self.scheduler)

    def wake(self) -> None:
        """Tick now: a person waits."""
        self.work.invalidate()
        with self._changed:
            self._is_woken = True
            if not self._is_ticking and not self._services.stop.is_set():
                self._add("tick", self._tick)

    def health(self) -> str:
        """`ok`, or what is wrong."""
        silent_s = clock.monotonic() - self.ticked_at
        if self._pid != os.getpid():
            return "the schedule belongs to another process"
        if self._services.stop.is_set():
            return "the service is stopping"
        if silent_s > self._dead_after_s:
            return f"the schedule has not ticked for {silent_s:.0f} s"
        if clock.now() < FIRST_BELIEVABLE:
            return f"the clock of this machine says {times.iso(clock.now())}"
        with self._changed:
            return self._health.complaint() or "ok"

    def _launch(self) -> None:
        """Make a scheduler with a first tick, in place of whatever was there."""
        from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
        from apscheduler.schedulers.background import BackgroundScheduler
        from flask_apscheduler import APScheduler

        kinds = {
            EVENT_JOB_ERROR: "error",
            EVENT_JOB_MISSED: "missed",
            EVENT_JOB_MAX_INSTANCES: "max_instances",
        }
        # Without a zone it would first look for the machine's, load it, and fail on a bad one.
        scheduler = APScheduler(BackgroundScheduler(timezone=UTC))
        # APScheduler takes its settings apart.
        self._app.config.update(deepcopy(SETTINGS))
        scheduler.init_app(self._app)
        scheduler.add_listener(lambda event: self.counts.update([kinds[event.code]]), sum(kinds))
        scheduler.start()
        if not scheduler.running:
            # With FLASK_DEBUG set the extension does nothing and says nothing.
            scheduler.scheduler.start()
        with self._changed:
            self._generation += 1
            self.scheduler = scheduler
            self.ticked_at = clock.monotonic()
            self._is_ticking = False
            self._taken.clear()
            self._add("tick", self._tick)

    def _watch(self) -> None:
        """Runs in a thread of its own: makes a new schedule when the present one is dead."""
        silent_s = 0.0
        # Before so long it cannot be dead: no look is needed.
        while not self._services.stop.wait(max(WATCH_S, self._dead_after_s - silent_s)):
            silent_s = clock.monotonic() - self.ticked_at
            hung = sum(name == "tick" for _, name in list(self._health.running))
            if silent_s <= self._dead_after_s or hung >= MOST_HUNG:
                continue
            logger.error("the schedule has not ticked for %.0f s; it starts again", silent_s)
            self.counts["restart"] += 1
            dead = self.scheduler
            self._launch()
            _end(dead)

    def _add(
        self, name: str, work: Callable[..., None], *args: object, after_s: float = 0.0
    ) -> None:
        """Let *work* run once as the job *name*, in place of one of that name that waits.

        The caller holds the lock.
        """
        # The clock has whole seconds, so now is never in the future.
        at = datetime.fromtimestamp(clock.now() + math.ceil(after_s), UTC)
        self.scheduler.add_job(
            name,
            work,
            args=[self._generation, *args],
            trigger="date",
            run_date=at,
            replace_existing=True,
        )

    def _tick(self, generation: int) -> None:
        """One round; whatever happens in it, the next one is armed."""
        with self._changed:
            if generation != self._generation:
                return
            self._is_ticking, self._is_woken = True, False
            self.ticked_at = clock.monotonic()
        try:
            with self._job(generation, "tick"):
                self._round()
        finally:
            with self._changed:
                if generation == self._generation:
                    self._is_ticking = False
                    self.ticked_at = clock.monotonic()
                    self._add("tick", self._tick, after_s=0.0 if self._is_woken else self._pause())

    def _pause(self) -> float:
        """Seconds to the next tick; processes that started together drift apart."""
        signs_in = self.work.has_sign_ins
        seconds = min(SIGN_IN_TICK_S, self._tick_s) if signs_in else self._tick_s
        return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - no secret

    def _round(self) -> None:
        self.work.follow()
        if clock.monotonic() < self.paused_until:
            self._note_waiting(0)
            self.work.look()
        else:
            found = self.work.due_accounts()
            self._note_waiting(0 if found.in_flight else len(found.requested) + len(found.due))
            if found.requested:
                self._begin("requested", self._refresh, list(found.requested), True)
            if self._is_time_for(found):
                self._due_at = clock.monotonic() + DUE_S
                self._begin(
                    "due", self._refresh, list(found.due[: self._batch(found.accounts)]), False
                )
        if clock.monotonic() >= self._chores_at:
            self._begin("chores", self._do_chores)
        if self.work.has_sign_ins:
            self._begin("sign_ins", self._do_sign_ins)
        if clock.monotonic() >= self._renewals_at:
            self._renewals_at = clock.monotonic() + RENEWALS_S
            self._begin("renewal", self._do_renewal)

    def _is_time_for(self, found: DueAccounts) -> bool:
        """Whether to refresh now: a batch costs less, but a new account never waits."""
        if not found.due or found.in_flight >= AT_ONCE:
            return False
        return (
            clock.monotonic() >= self._due_at
            or len(found.due) >= BATCH
            or any(a.last_status is Status.PENDING for a in found.due)
        )

    def _note_waiting(self, waiting: int) -> None:
        with self._changed:
            self._health.note_waiting(waiting)

    def _batch(self, accounts: int) -> int:
        """With how many accounts a tick starts: twice what keeps up when all are in use."""
        shortest = min(
            self._services.settings.active_interval, self._services.settings.refresh_interval
        )
        return max(BATCH, math.ceil(2 * accounts * DUE_S / shortest))

    def _begin(self, kind: str, work: Callable[..., None], *args: object) -> None:
        """Start a job of *kind* beside the tick, unless as many as may are under way."""
        with self._changed:
            names = (f"{kind}-{number}" for number in range(RUNS[kind]))
            name = next((n for n in names if n not in self._taken), None)
            if name is not None and not self._services.stop.is_set():
                self._taken.add(name)
                self._add(name, self._run, name, work, args)

    def _run(
        self, generation: int, name: str, work: Callable[..., None], args: Sequence[Any]
    ) -> None:
        def progress() -> None:
            with self._changed:
                self._health.progressed((generation, name))

        with self._job(generation, name):
            work(progress, *args)

    def _refresh(
        self, progress: Callable[[], None], chosen: list[Account], by_person: bool
    ) -> None:
        try:
            self.work.refresh(chosen, by_person, progress)
        except Exception:
            times_failed = min(self._health.failures("refresh"), 10)
            self.paused_until = clock.monotonic() + min(
                PAUSE_FIRST_S * 2**times_failed, PAUSE_LAST_S
            )
            raise

    def _do_renewal(self, _progress: Callable[[], None]) -> None:
        self._given.renew_due()

    def _do_sign_ins(self, _progress: Callable[[], None]) -> None:
        self._given.sign_ins(clock.now())

    def _do_chores(self, _progress: Callable[[], None]) -> None:
        self._chores_at = clock.monotonic() + CHORES_S
        self._chores.work(clock.now(), self._services.stop)

    @contextmanager
    def _job(self, generation: int, name: str) -> Iterator[None]:
        """Around every job: the app's context, and what goes wrong is logged once and remembered
        until it goes well again.
        """
        kind = "refresh" if name.startswith(("due", "requested")) else name.partition("-")[0]
        with self._changed:
            self._health.alive((generation, name))
        try:
            with self._app.app_context():
                yield
            with self._changed:
                self._health.succeeded(kind)
        except QuotaError as error:
            self._note(kind, str(error))
        except Exception as error:
            self._note(kind, f"{kind} failed: {type(error).__name__}")
            raise
        finally:
            with self._changed:
                self._health.running.pop((generation, name), None)
                if generation == self._generation:
                    self._taken.discard(name)
                self._changed.notify_all()

    def _note(self, kind: str, text: str) -> None:
        with self._changed:
            is_news = self._health.failed(kind, text)
        self.counts["trouble"] += 1
        if is_news:
            logger.error("%s: %s", kind, text)


def _end(scheduler: Any) -> None:
    """End a scheduler's thread; its jobs go on until they see the stop."""
    if scheduler is not None and scheduler.running:
        # Without jobs first: a job that is just being started while the scheduler stops ends its
        # thread with an error.
        scheduler.remove_all_jobs()
        scheduler.shutdown(wait=False)
