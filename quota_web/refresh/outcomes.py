"""What an answer of the upstream means: the outcome that is stored for its account, and whether the
address of this machine is blocked.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex.fetch_result import FetchResult
from quota_web.core import policy, quota
from quota_web.core.faults import Fault
from quota_web.core.policy import Intervals
from quota_web.core.quota import Snapshot, Status
from quota_web.store.accounts import Account
from quota_web.store.recording import Outcome
from quota_web.store.windows import KnownWindow


def outcome_of(
    tx: Connection,
    found: Account,
    answer: FetchResult,
    known: Sequence[KnownWindow],
    pace: Intervals,
    now: int,
) -> Outcome:
    """What an answer means for its account: what is stored, and when the next request is due."""
    snapshot, fault = answer.snapshot, answer.fault
    if snapshot is not None and _is_of_another_user(tx, found, snapshot):
        snapshot, fault = (
            None,
            Fault("bad_response", {"reason": "it speaks of another account", "http_status": 200}),
        )
    if snapshot is None:
        fault = fault or Fault("bad_response", {"reason": "it says nothing"})
        failures = found.failures + 1
        due_at = policy.after_failure(found.id, fault.status, failures, answer.retry_after_s, now)
        if fault.status is Status.RATE_LIMITED and due_at is not None:
            # The upstream may demand a longer wait than we accept; the message names the moment of
            # our next request.
            fault = replace(fault, data={**fault.data, "at": due_at})
        return Outcome(
            found,
            now,
            None,
            fault,
            answer.duration_ms,
            failures,
            found.interval_s or pace.idle,
            due_at,
        )
    readings = quota.with_known_keys(snapshot.readings, [w.reading for w in known])
    snapshot = replace(snapshot, readings=readings)
    block = quota.block_state(snapshot.facts, snapshot.readings, now, now)
    interval_s, due_at = policy.after_success(
        found.id,
        pace,
        _rose_at(snapshot, known, now),
        [r.resets_at for r in snapshot.readings],
        block,
        now,
    )
    return Outcome(found, now, snapshot, None, answer.duration_ms, 0, interval_s, due_at)


def _rose_at(snapshot: Snapshot, known: Sequence[KnownWindow], now: int) -> list[int | None]:
    """When each window last rose, this answer included."""
    before = {w.reading.key: w for w in known if w.gone_at is None and w.taken_at is not None}
    risen = [
        r.key
        for r in snapshot.readings
        if r.key in before and r.used_percent > before[r.key].reading.used_percent
    ]
    return [now if w.reading.key in risen else w.rose_at for w in before.values()]


def _is_of_another_user(tx: Connection, found: Account, snapshot: Snapshot) -> bool:
    """Whether an answer names another user than the account's: numbers must never cross over.

    The token's own claim settles it, once an answer has named that user: the upstream is not
    documented, and where its answers never agreed with the token, only a user id that is known as
    another account's here counts as another user.
    """
    user, claimed = snapshot.identity.user_id, found.chatgpt_user_id
    if user is None or user == claimed:
        return False
    if claimed is not None and found.answer_user_id == claimed:
        return True
    return store.accounts.user_is_another(tx, found.id, user)


def note_address(tx: Connection, outcomes: Sequence[Outcome], now: int) -> None:
    """Hold back the requests of all accounts while the upstream refuses this machine's address;
    one answer lifts that.
    """
    if any(o.snapshot is not None for o in outcomes):
        if store.site_state.read(tx).address_blocked_until is not None:
            store.site_state.block_address(tx, None)
        return
    refused = [o.failures for o in outcomes if o.status is Status.ADDRESS_BLOCKED]
    if refused:
        store.site_state.block_address(tx, now + policy.address_block_seconds(max(refused)))
