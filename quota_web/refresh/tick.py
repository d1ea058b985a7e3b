"""What the schedule does in each round: follow the folders, find the accounts that are due, refresh
them, log the results.

Knows nothing of jobs and threads; scheduler.py decides when each part runs.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from quota_web import store
from quota_web.accounts import folder_sync
from quota_web.core import clock, labels, times
from quota_web.core.limits import FIRST_BELIEVABLE
from quota_web.core.quota import FIVE_HOUR, WEEKLY, Snapshot
from quota_web.refresh import context, hooks, queue, refresh_service, worker
from quota_web.refresh.other_clocks import Began, OtherClocks
from quota_web.refresh.queue import DueAccounts
from quota_web.refresh.refresh_service import RefreshContext, RefreshResult
from quota_web.services import Services
from quota_web.store.accounts import Account

logger = logging.getLogger(__name__)

#: The schedule's requests at once, over all processes.
AT_ONCE = 4
#: How long answers wait to be stored together.
GATHER_S = 0.3
#: The folders' files are read anew this often, also when nothing about them seems to have changed.
FOLLOW_FULLY_S = 300.0
#: How long the state file may lag behind while a refresh goes on.
STATE_LAG_S = 5.0

#: What can be seen of a folder without reading its files; why, where not even that.
Look = tuple[object, ...]


class Tick:
    """The schedule's work in one process."""

    def __init__(self, services: Services, write_state_file: Callable[[], None]) -> None:
        self._services, self._state_file = services, write_state_file
        self._looks: dict[Path, Look] = {}
        self._read_all_at = float("-inf")
        self._complaints: set[str] = set()
        self._clocks = OtherClocks()
        self._seen_version: object = None
        self._seen_at = self._next_due_at = 0
        self._state_lock = threading.Lock()
        #: Whether a sign-in to ChatGPT was under way at the last look.
        self.has_sign_ins = False

    def look(self) -> object:
        """Look what there is to do; equal while nothing was written, by any process."""
        with store.database.reading() as conn:
            self.has_sign_ins = store.sign_ins.has_any(conn)
            return store.site_state.read(conn).version

    def follow(self) -> None:
        """Bring the accounts in step with their folders, if a look at these says that something
        changed, or after a while anyway.
        """
        read_all = clock.monotonic() - self._read_all_at >= FOLLOW_FULLY_S
        if read_all:
            settings = self._services.settings
            self._looks = dict.fromkeys(
                folder_sync.folders(settings.account_dir, settings.account_dir_named), ()
            )
            self._read_all_at = clock.monotonic()
        changed = [
            (folder, look)
            for folder in self._looks
            if (look := look_at(folder)) != self._looks[folder]
        ]
        complaints = {line for folder, _ in changed for line in self._sync(folder)}
        # Noted after the files were read: if one cannot be, the next round tries again.
        self._looks.update(changed)
        for line in sorted(complaints - self._complaints):
            logger.warning(line)
        if changed:
            self._complaints = complaints

    def due_accounts(self) -> DueAccounts:
        """Which accounts are due now; read from the database only where the data changed, or an
        account has become due since.
        """
        if worker.free_dead_claims():
            self.invalidate()
        now, version = clock.now(), self.look()
        is_quiet = version == self._seen_version and self._seen_at <= now < self._next_due_at
        if is_quiet or now < FIRST_BELIEVABLE:
            return DueAccounts((), (), 0, 0, now)
        pace = self._context().pace
        # No two machines share a file.
        is_shared = store.database.file() is None
        believed = partial(self._clocks.believed, pace=pace, now=now) if is_shared else tuple
        found = queue.due_accounts(self._services.scope, pace, worker.CLAIM_LASTS, now, believed)
        self._seen_version, self._seen_at, self._next_due_at = version, now, found.next_due_at
        return found

    def invalidate(self) -> None:
        """Let the next call of due_accounts() read the database: a person waits."""
        self._next_due_at = 0

    def refresh(
        self,
        chosen: Sequence[Account],
        by_person: bool,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Refresh *chosen*, with a log line for each, and leave the state file as new as the data.

        *progress* is called with each result.
        """
        refresh_context = (
            context.make_context(self._services, by_button=True) if by_person else self._context()
        )
        written_at, is_written = clock.monotonic(), True
        began = Began(clock.now(), written_at)
        for result in refresh_service.refresh_scheduled(refresh_context, chosen):
            progress()
            if result.answer is not None and result.fault != worker.RENEWING:
                self._clocks.note(result.account_id, began)
            log(result, self._services)
            is_written = False
            if clock.monotonic() - written_at >= STATE_LAG_S:
                self._write_state_file()
                written_at, is_written = clock.monotonic(), True
        if not is_written:
            self._write_state_file()
        hooks.hooks().finished()

    def _context(self) -> RefreshContext:
        refresh_context = context.make_context(self._services, by_button=True)
        refresh_context.slots = refresh_context.limit = AT_ONCE
        refresh_context.gather_s = GATHER_S
        return refresh_context

    def _sync(self, folder: Path) -> Iterable[str]:
        report = folder_sync.sync(self._services.cipher, folder, clock.now())
        zone = self._services.settings.timezone
        lines = [problem.line(zone) for problem in report.problems]
        return [*lines, str(report.folder_fault)] if report.folder_fault is not None else lines

    def _write_state_file(self) -> None:
        with self._state_lock:
            self._state_file()


def look_at(folder: Path) -> Look:
    """What can be seen of a folder's auth files without opening one."""
    try:
        with os.scandir(folder) as entries:
            files = [(e.name, *_stat(e)) for e in entries if e.name.endswith(".auth.json")]
        return tuple(sorted(files))
    except OSError as error:
        return ("unreadable", error.errno)


def _stat(file: "os.DirEntry[str]") -> Look:
    try:
        seen = file.stat()
    except OSError as error:
        return (error.errno,)
    return (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


def log(result: RefreshResult, services: Services) -> None:
    """One line for one account's refresh; quieter where nothing is wrong."""
    duration = result.answer.duration_ms if result.answer else None
    zone = services.settings.timezone
    words = [str(result.status)]
    if result.fault is not None:
        words.append(result.fault.text(lambda at: times.local(at, zone)))
    elif result.answer is not None and result.answer.snapshot is not None:
        words += _left(result.answer.snapshot)
    elif result.source is not None:
        words.append(result.source)
    if duration is not None:
        words.append(f"{duration} ms")
    fields = {
        "account": result.name,
        "status": str(result.status),
        "source": result.source,
        "duration_ms": duration,
    }
    logger.log(
        logging.INFO if result.fault is None else logging.WARNING,
        "%s: %s",
        result.name,
        ", ".join(words),
        extra=fields,
    )


def _left(snapshot: Snapshot) -> list[str]:
    by_key = {reading.key: reading.remaining_percent for reading in snapshot.readings}
    return [
        f"{labels.window_title(key).lower()} {by_key[key]:g} %"
        for key in (FIVE_HOUR, WEEKLY)
        if key in by_key
    ]
