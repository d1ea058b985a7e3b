"""Judges readings in the transaction that stores them, and notes when answers fail and come back.

While readings merely go on, the batch's states are read and written and nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.core.display_order import NEEDS_A_PERSON
from quota_web.core.quota import Status
from quota_web.foresight import detector_persistence
from quota_web.foresight.causes import AccountJudge
from quota_web.foresight.detector_persistence import Stored
from quota_web.foresight.event_detection import Judge
from quota_web.store.recording import Recorded, is_stored_absence

#: The most readings that are caught up with here; more are left to a rebuild.
CATCH_UP = 5_000
ACTOR = "service"
SIGN_IN_ENDED, FAILING_SINCE, FINE_AGAIN = "sign_in_ended", "failing_since", "fine_again"


def judge_recorded(conn: Connection, recorded: Sequence[Recorded]) -> None:
    """Judge what these outcomes brought; called in the transaction that stored them."""
    for one in recorded:
        _note_turn(conn, one)
    answered = [one for one in recorded if one.outcome.snapshot is not None]
    if not answered:
        return
    present = _load(conn, answered)
    behind = _catch_up(conn, present, answered)
    told, fed = [], []
    for one in answered:
        name = str(one.outcome.account.id)
        if name in present.unjudged:
            continue
        account = present.judge.account(name)
        before = _marks(account)
        _feed(present, account, one)
        fed.append(name)
        if name in behind or _marks(account) != before:
            told.append(name)
    if told:
        _tell(conn, present, told, max(one.outcome.at for one in answered))
    detector_persistence.save(conn, present, fed)


def _load(conn: Connection, answered: Sequence[Recorded]) -> Stored:
    known = {w.id for one in answered for w in one.windows if w.taken_at or w.gone_at}
    ids = [one.outcome.account.id for one in answered]
    return detector_persistence.load(conn, ids, known=known, lock=True)


def _feed(present: Stored, account: AccountJudge, one: Recorded) -> None:
    outcome = one.outcome
    snapshot, at = outcome.snapshot, outcome.at
    if snapshot is None:
        return
    detector_persistence.feed_facts(account, at, snapshot.facts.plan, snapshot.facts.reset_credits)
    name, keys = str(outcome.account.id), set()
    for reading in snapshot.readings:
        keys.add(reading.key)
        account.window(reading.key, reading.length_s).feed(
            [(at, reading.used_percent, reading.resets_at)]
        )
        present.at[present.window_ids[name, reading.key]] = at
    for window in one.windows:
        key = window.reading.key
        if key not in keys and is_stored_absence(window, outcome.account):
            account.window(key, None).feed([(at, None, None)])
            present.at[window.id] = at


def _marks(account: AccountJudge) -> list[object]:
    """What changes when there is something to tell."""
    marks: list[object] = [len(account.plans), len(account.credits)]
    for window in account.windows.values():
        marks += [len(window.breaks), len(window.withdrawn), len(window.notes)]
        marks += [note.withdrawn_at for note in window.notes]
    return marks


def _tell(conn: Connection, present: Stored, told: Sequence[str], now: int) -> None:
    accounts = present.judge.accounts
    if any(detector_persistence.has_early_reset(accounts[name]) for name in told):
        # Read before the states: what others commit from here on is newer than these.
        standing = store.detected_events.standing(conn, -1, None)
        whole = detector_persistence.load(conn)
        whole.take(present, list(accounts))
        detector_persistence.tell(
            conn, whole, now, of_all=True, fed=list(accounts), standing=standing
        )
        return
    some = Judge()
    some.accounts = {name: accounts[name] for name in told}
    one = Stored(some, present.window_ids, present.at)
    detector_persistence.tell(conn, one, now, of_all=False)


# ---------------------------------------------------------------------------------- catching up


def _catch_up(conn: Connection, present: Stored, answered: Iterable[Recorded]) -> set[str]:
    """Judge readings that were stored and not judged: by an older program, or when this failed.

    Returns the accounts that had some.
    """
    behind: dict[str, list[Recorded]] = defaultdict(list)
    for one in answered:
        name = str(one.outcome.account.id)
        if name in present.unjudged or any(_is_behind(present, w) for w in one.windows):
            behind[name].append(one)
    for name, [one, *_] in behind.items():
        _catch_up_one(conn, present, name, one)
    return set(behind)


def _is_behind(present: Stored, window: Any) -> bool:
    at = present.at.get(window.id, -1)
    last = window.gone_at if window.gone_at is not None else window.taken_at
    return last is not None and last > at


def _catch_up_one(conn: Connection, present: Stored, name: str, one: Recorded) -> None:
    account_id, until = one.outcome.account.id, one.outcome.at - 1
    known = {window.id: window for window in one.windows}
    is_new = name in present.unjudged
    since = -1 if is_new else min(present.at.get(i, -1) for i in known)
    rows = store.detector_states.readings(conn, list(known), since, until, CATCH_UP + 1)
    if len(rows) > CATCH_UP:
        present.unjudged.add(name)
        present.judge.accounts.pop(name, None)
        return
    present.unjudged.discard(name)
    account = present.judge.account(name)
    for _, at, plan, credits in store.detector_states.account_facts(
        conn, [account_id], since, until
    ):
        detector_persistence.feed_facts(account, at, plan, credits)
    windows = {i: (w.reading.key, w.reading.length_s) for i, w in known.items()}
    detector_persistence.feed_rows(present, account, windows, rows)


# ------------------------------------------------------------------------------------- answers


def _note_turn(conn: Connection, one: Recorded) -> None:
    """Note that answers began to fail, or came again."""
    outcome = one.outcome
    if (said := turn(outcome.account.last_status, outcome.status)) is not None:
        kind, status = said
        store.audit_log.add(conn, outcome.at, kind, ACTOR, outcome.account.id, status=str(status))


def turn(before: Status, status: Status) -> tuple[str, Status] | None:
    """What an attempt's *status* means after that of the one *before*: the kind of event, and the
    status that it tells; None: nothing new.
    """
    was_fine = before in (Status.OK, Status.PENDING)
    if status in NEEDS_A_PERSON and before not in NEEDS_A_PERSON:
        return SIGN_IN_ENDED, status
    if status is not Status.OK and was_fine:
        return FAILING_SINCE, status
    if status is Status.OK and not was_fine:
        return FINE_AGAIN, before
    return None
