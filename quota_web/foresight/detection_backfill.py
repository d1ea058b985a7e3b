"""Judge all readings again, a month a transaction, and settle what no later one can change.

What was judged before finds its row by its key and keeps its id. Nothing from before the first raw
reading is touched: those readings have been pruned, and what they showed is known from then.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from quota_web import store
from quota_web.foresight import detector_persistence
from quota_web.foresight.detector_persistence import Stored
from quota_web.foresight.detector_state import VERSION
from quota_web.foresight.event_detection import Judge
from quota_web.store.detected_events import JudgedCycle, JudgedEvent, Standing
from quota_web.store.detector_states import Extent, WindowState

MONTH = 30 * 86_400
#: Readings may be committed so much later than they were taken.
LATE_S = 300
#: The setting that says by which version of the rules all readings were judged.
MARK = "judged_by_rules"
_FOREVER = 2**62


@dataclass(slots=True)
class _Rebuild:
    """What has been judged so far, and what of the stored rows was found again."""

    judges: Stored
    extents: dict[int, Extent]
    windows: dict[str, list[WindowState]]
    keys: set[str] = field(default_factory=set)
    #: Ends of cycles by window id.
    ends: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def is_known_from_before(self, window_id: int | None, at: int) -> bool:
        """Whether readings from before *at* that had a part in it have been pruned."""
        extent = self.extents.get(window_id or 0)
        return extent is not None and extent.is_pruned and at <= extent.first_at


def ensure(now: int, is_stopped: Callable[[], bool] = lambda: False) -> bool:
    """Judge all readings where these rules have not yet; returns whether they have by now."""
    with store.database.reading() as conn:
        if store.auth.setting_of(conn, MARK) == str(VERSION):
            return True
    return rebuild(now, is_stopped=is_stopped)


def settle(now: int) -> None:
    """Tell what has become true by the time alone, and forget what no reading can change."""
    with store.database.transaction() as tx:
        whole = detector_persistence.load(tx, lock=True)
        changed = detector_persistence.tell(tx, whole, now, of_all=True)
        whole.judge.settle(now)
        detector_persistence.save(tx, whole)
        if changed:
            store.site_state.bump_version(tx, now)


def rebuild(
    now: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Judge all readings again; *progress* is told months done and in all.

    Returns False where it was stopped: what was judged until then is stored, and the next one
    begins anew.
    """
    work = _begin()
    first = min((extent.first_at for extent in work.extents.values()), default=now)
    ends = [*range(first + MONTH, now, MONTH), now]
    since = -1
    for done, until in enumerate(ends):
        progress(done, len(ends))
        if is_stopped():
            return False
        _feed_all(work, since, until)
        # The last days may still change; they are told in the last transaction.
        if until != now:
            _store_settled(work, until)
        since = until
    with store.database.transaction() as tx:
        _finish(tx, work, now)
    progress(len(ends), len(ends))
    return True


def _begin() -> _Rebuild:
    with store.database.reading() as conn:
        windows: dict[str, list[WindowState]] = defaultdict(list)
        for row in store.detector_states.states(conn):
            windows[str(row.account_id)].append(row)
        judges = Stored(Judge(detector_persistence.shared_logins(conn)))
        work = _Rebuild(judges, store.detector_states.extents(conn), windows)
    for name, rows in windows.items():
        for row in rows:
            work.judges.window_ids[name, row.key] = row.window_id
    return work


def _feed_all(work: _Rebuild, since: int, until: int) -> None:
    for name in work.windows:
        with store.database.reading() as conn:
            _feed(conn, work, name, since, until)


def _feed(conn: Connection, work: _Rebuild, name: str, since: int, until: int) -> None:
    judges, rows = work.judges, work.windows[name]
    account = judges.judge.account(name)
    for _, at, plan, credits in store.detector_states.account_facts(
        conn, [int(name)], since, until
    ):
        detector_persistence.feed_facts(account, at, plan, credits)
    ids = [row.window_id for row in rows]
    # What was seen before is left out below.
    readings = store.detector_states.readings(conn, ids, since - LATE_S, until)
    windows = {row.window_id: (row.key, row.length_s) for row in rows}
    detector_persistence.feed_rows(judges, account, windows, readings)


def _store_settled(work: _Rebuild, until: int) -> None:
    settled = work.judges.judge.settle(until)
    events = _new_only(work, detector_persistence.rows_of(settled, work.judges.window_ids))
    cycles = detector_persistence.cycles_of(settled.cycles, work.judges.window_ids)
    _note(work, events, cycles)
    with store.database.transaction() as tx:
        changed = store.detected_events.put_events(tx, events, VERSION)
        changed += _put_cycles(tx, work, cycles)
        if changed:
            store.site_state.bump_version(tx, until)


def _new_only(work: _Rebuild, events: list[JudgedEvent]) -> list[JudgedEvent]:
    return [e for e in events if not work.is_known_from_before(e.window_id, e.at)]


def _note(work: _Rebuild, events: list[JudgedEvent], cycles: list[JudgedCycle]) -> None:
    work.keys.update(e.key for e in events)
    for one in cycles:
        work.ends[one.window_id].add(one.ended_at)


def _put_cycles(conn: Connection, work: _Rebuild, cycles: list[JudgedCycle]) -> int:
    since = dict.fromkeys((c.window_id for c in cycles), _FOREVER)
    read_from = {i: extent.first_at for i, extent in work.extents.items() if extent.is_pruned}
    return store.detected_events.put_cycles(conn, cycles, since, VERSION, read_from)


def _finish(conn: Connection, work: _Rebuild, now: int) -> None:
    """Judge what came meanwhile, tell the last days, and withdraw what was not found again."""
    present = detector_persistence.load(conn, lock=True)
    judges = work.judges
    here: dict[str, list[WindowState]] = defaultdict(list)
    for row in store.detector_states.states(conn):
        here[str(row.account_id)].append(row)
    for name in set(judges.judge.accounts) - set(here):
        del judges.judge.accounts[name]
    work.windows |= here
    judges.window_ids |= present.window_ids
    for name in judges.judge.accounts:
        last = max((judges.at.get(w.window_id, -1) for w in work.windows[name]), default=-1)
        _feed(conn, work, name, last, _FOREVER)
    present.take(judges, list(judges.judge.accounts))
    said = present.judge.judgement(now)
    events = _new_only(work, detector_persistence.rows_of(said, present.window_ids))
    cycles = detector_persistence.cycles_of(said.cycles, present.window_ids)
    _note(work, events, cycles)
    store.detected_events.put_events(conn, events, VERSION)
    _put_cycles(conn, work, cycles)
    _withdraw_old(conn, work, now)
    detector_persistence.save(conn, present)
    store.auth.set_setting(conn, MARK, str(VERSION))
    store.site_state.bump_version(conn, now)


def _withdraw_old(conn: Connection, work: _Rebuild, now: int) -> None:
    standing = store.detected_events.standing(conn, -1, None)
    gone = [row for row in standing if row.key not in work.keys and _is_judged(work, row)]
    store.detected_events.withdraw(conn, gone, now)
    for window_id, extent in work.extents.items():
        since = extent.first_at + 1 if extent.is_pruned else -1
        there = store.detected_events.cycle_keys(conn, window_id, since)
        ends = work.ends[window_id]
        store.detected_events.drop_cycles(
            conn, [i for i, (_, end) in there.items() if end not in ends]
        )


def _is_judged(work: _Rebuild, row: Standing) -> bool:
    """Whether the readings that showed it are still there, so that it must have been found."""
    if row.window_id is not None:
        is_here = row.window_id in work.extents
        return is_here and not work.is_known_from_before(row.window_id, row.at)
    if row.account_id is not None:
        return str(row.account_id) in work.judges.judge.accounts
    pruned = [e.first_at for e in work.extents.values() if e.is_pruned]
    return row.at > max(pruned, default=-1)
