"""Writes what became of attempts: readings with their rollups, latest values, facts, attempts, and
the account's row.

Everything of one result goes in one transaction, and many results share it: a transaction of its
own for each account costs several times the work itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, case, insert, select, update

from quota_web.core.faults import Fault
from quota_web.core.quota import Facts, Reading, Snapshot, Status
from quota_web.store import rollups
from quota_web.store.accounts import Account, new_id
from quota_web.store.database import insert_of
from quota_web.store.many_rows import run_many
from quota_web.store.models import account, account_fact, attempt, limit_window
from quota_web.store.rollups import SPANS, gone_row, rise_of, rollup_row
from quota_web.store.windows import KnownWindow

CONFLICT_FLAG = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. Exactly one of *snapshot* and *fault* is there."""

    account: Account
    at: int
    snapshot: Snapshot | None
    fault: Fault | None
    duration_ms: int
    failures: int
    interval_s: int
    next_due_at: int | None

    @property
    def status(self) -> Status:
        return self.fault.status if self.fault else Status.OK


@dataclass(frozen=True, slots=True)
class Recorded:
    """An outcome that has been stored, and what was known of its account before."""

    outcome: Outcome
    windows: Sequence[KnownWindow]
    #: None before the first snapshot.
    facts: Facts | None


def is_stored_absence(window: KnownWindow, before: Account) -> bool:
    """Whether an answer without *window* is stored: the first one is, and the one right after it,
    since one alone may be a mistake of the upstream.
    """
    return window.gone_at is None or window.gone_at == before.taken_at


@dataclass(slots=True)
class _Batch:
    """The rows of many outcomes, gathered so that each table is written with one statement."""

    accounts: list[dict[str, Any]]
    attempts_new: list[dict[str, Any]]
    attempts_on: list[dict[str, Any]]
    facts: list[dict[str, Any]]
    latest: list[dict[str, Any]]
    gone: list[dict[str, Any]]
    readings: list[dict[str, Any]]
    rollups: list[dict[str, Any]]
    gone_rollups: list[dict[str, Any]]


def record(
    conn: Connection,
    outcomes: Sequence[Outcome],
    claim_id: int,
    windows: Mapping[int, list[KnownWindow]],
    facts: Mapping[int, Facts],
) -> set[int]:
    """Store the outcomes whose claim is still ours and return the ids of their accounts.

    *windows* and *facts* are what was known of these accounts, read in the same transaction.
    """
    mine = _still_mine(conn, [o.account.id for o in outcomes], claim_id)
    batch = _Batch([], [], [], [], [], [], [], [], [])
    for outcome in outcomes:
        if outcome.account.id in mine:
            known = windows.get(outcome.account.id, [])
            if outcome.snapshot is not None:
                _gather_snapshot(
                    conn, batch, outcome, outcome.snapshot, known, facts.get(outcome.account.id)
                )
            _gather_attempt(batch, outcome, claim_id)
    _write(conn, batch)
    return mine


def _still_mine(conn: Connection, ids: Sequence[int], claim_id: int) -> set[int]:
    return set(conn.execute(_MINE, {"ids": ids, "claim_id": claim_id}).scalars())


def _gather_snapshot(
    conn: Connection,
    batch: _Batch,
    outcome: Outcome,
    snapshot: Snapshot,
    known: list[KnownWindow],
    facts: Facts | None,
) -> None:
    if snapshot.facts != facts:
        batch.facts.append(fact_row(outcome.account.id, outcome.at, snapshot.facts))
    by_key = {w.reading.key: w for w in known}
    for measured in snapshot.readings:
        window = by_key.pop(measured.key, None)
        window_id = window.id if window else _add_window(conn, outcome.account.id, measured.key)
        _gather_reading(batch, window_id, measured, outcome.at, window)
    for window in by_key.values():
        if is_stored_absence(window, outcome.account):
            _gather_gone(batch, window, outcome.at)


def _add_window(conn: Connection, account_id: int, key: str) -> int:
    return new_id(conn.execute(insert(limit_window).values(account_id=account_id, key=key)))


def _gather_reading(
    batch: _Batch, window_id: int, measured: Reading, at: int, before: KnownWindow | None
) -> None:
    before_used = (
        before.reading.used_percent
        if before and before.gone_at is None and before.taken_at is not None
        else None
    )
    rise = rise_of(measured.used_percent, before_used)
    spend = measured.spend
    batch.latest.append(
        {
            "b_id": window_id,
            "upstream_name": measured.upstream_name,
            "length_s": measured.length_s,
            "used_percent": measured.used_percent,
            "resets_at": measured.resets_at,
            "taken_at": at,
            "spend_limit": spend.limit if spend else None,
            "spend_used": spend.used if spend else None,
            "spend_unit": spend.unit if spend else None,
            "rose_at": at if rise > 0 else before.rose_at if before else None,
        }
    )
    flags = CONFLICT_FLAG if measured.conflict else 0
    batch.readings.append(
        {
            "window_id": window_id,
            "taken_at": at,
            "used_percent": measured.used_percent,
            "resets_at": measured.resets_at,
            "flags": flags,
        }
    )
    batch.rollups += [
        rollup_row(span, window_id, at, measured.used_percent, measured.resets_at, rise)
        for span in SPANS
    ]


def _gather_gone(batch: _Batch, window: KnownWindow, at: int) -> None:
    if window.gone_at is None:
        batch.gone.append({"b_id": window.id, "gone_at": at})
    batch.readings.append(
        {
            "window_id": window.id,
            "taken_at": at,
            "used_percent": None,
            "resets_at": None,
            "flags": 0,
        }
    )
    batch.gone_rollups += [gone_row(span, window.id, at) for span in SPANS]


def _gather_attempt(batch: _Batch, outcome: Outcome, claim_id: int) -> None:
    before, fault, at = outcome.account, outcome.fault, outcome.at
    values = {
        "status": outcome.status,
        "http_status": 200 if fault is None else fault.http_status,
        "fault_code": _code(fault),
        "fault_data": fault.data_json() if fault else None,
    }
    goes_on = before.run_first_at is not None and (
        before.last_status,
        before.http_status,
        _code(before.fault),
    ) == (outcome.status, values["http_status"], values["fault_code"])
    if goes_on:
        batch.attempts_on.append(
            {
                "b_account": before.id,
                "b_first": before.run_first_at,
                "b_at": at,
                "b_ms": outcome.duration_ms,
                "b_data": values["fault_data"],
            }
        )
    else:
        times = {"first_at": at, "last_at": at}
        spent = {"count": 1, "ms_sum": outcome.duration_ms, "ms_max": outcome.duration_ms}
        batch.attempts_new.append({"account_id": before.id} | times | values | spent)
    first_at = before.run_first_at if goes_on else at
    batch.accounts.append(_account_row(outcome, claim_id, first_at) | values)


def _account_row(outcome: Outcome, claim_id: int, first_at: int | None) -> dict[str, Any]:
    """What an attempt changes on the account's row, beside its status and fault."""
    before = outcome.account
    identity = outcome.snapshot.identity if outcome.snapshot else None
    return {
        "b_id": before.id,
        "b_claim": claim_id,
        "attempted_at": outcome.at,
        "taken_at": outcome.at if outcome.snapshot else before.taken_at,
        "run_first_at": first_at,
        "failures": outcome.failures,
        "interval_s": outcome.interval_s,
        "next_due_at": outcome.next_due_at,
        "email": before.email or (identity.email if identity else None),
        "answer_user_id": (identity.user_id if identity else None) or before.answer_user_id,
    }


def _code(fault: Fault | None) -> str | None:
    return fault.code if fault else None


def ask_by(conn: Connection, account_id: int, at: int) -> None:
    """Let the schedule ask an account that has just been recorded at that moment, unless it is due
    before.
    """
    later = (account.c.next_due_at.is_(None)) | (account.c.next_due_at > at)
    mine = update(account).where(account.c.id == account_id, later)
    conn.execute(mine.values(next_due_at=at))


def fact_row(account_id: int, since: int, facts: Facts) -> dict[str, Any]:
    """Facts as a row that counts from *since* on."""
    values = {
        f: getattr(facts, f)
        for f in (
            "plan",
            "allowed",
            "limit_reached",
            "reached_type",
            "spend_reached",
            "reset_credits",
        )
    }
    credits = json.dumps(asdict(facts.credits)) if facts.credits else None
    models = json.dumps([asdict(m) for m in facts.model_usage]) if facts.model_usage else None
    said = {"credits": credits, "model_usage": models}
    return {"account_id": account_id, "since": since, **values, **said}


# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)
_MINE = select(account.c.id).where(
    account.c.id.in_(_IDS),
    account.c.claim_id == bindparam("claim_id"),
    account.c.deleted_at.is_(None),
)
# No other run takes these over before the transaction ends; SQLite's write lock does that by
# itself.
_MINE = _MINE.with_for_update()
_WINDOW = update(limit_window).where(limit_window.c.id == bindparam("b_id"))
_LATEST = _WINDOW.values(gone_at=None)
_GONE = _WINDOW.values(used_percent=None, resets_at=None)
_ACCOUNT = (
    update(account)
    .where(account.c.id == bindparam("b_id"), account.c.claim_id == bindparam("b_claim"))
    .values(
        claim_id=None,
        claimed_at=None,
        cached_at=None,
        requested_at=None,
        version=account.c.version + 1,
    )
)
_ATTEMPT_ON = (
    update(attempt)
    .where(
        attempt.c.account_id == bindparam("b_account"), attempt.c.first_at == bindparam("b_first")
    )
    .values(
        last_at=bindparam("b_at"),
        count=attempt.c.count + 1,
        ms_sum=attempt.c.ms_sum + bindparam("b_ms"),
        ms_max=case(
            (attempt.c.ms_max > bindparam("b_ms"), attempt.c.ms_max), else_=bindparam("b_ms")
        ),
        fault_data=bindparam("b_data"),
    )
)


def _write(conn: Connection, batch: _Batch) -> None:
    if batch.facts:
        # A row from after this moment is left from a clock that has been put back since.
        conn.execute(
            account_fact.delete().where(
                account_fact.c.account_id == bindparam("account_id"),
                account_fact.c.since >= bindparam("since"),
            ),
            [{"account_id": f["account_id"], "since": f["since"]} for f in batch.facts],
        )
        conn.execute(insert(account_fact), batch.facts)
    for statement, rows in (
        (_LATEST, batch.latest),
        (_GONE, batch.gone),
        (_ATTEMPT_ON, batch.attempts_on),
        (_ACCOUNT, batch.accounts),
    ):
        run_many(conn, statement, rows)
    run_many(conn, _new_attempts(conn.dialect.name), batch.attempts_new)
    rollups.write(conn, batch.readings, batch.rollups, batch.gone_rollups)


@cache
def _new_attempts(dialect: str) -> Executable:
    """A second outcome within the same second takes the place of the first."""
    new = insert_of(dialect)(attempt)
    replaced = ("last_at", "status", "http_status", "fault_code", "fault_data")
    statement: Executable = new.on_conflict_do_update(
        index_elements=["account_id", "first_at"], set_={c: new.excluded[c] for c in replaced}
    )
    return statement
