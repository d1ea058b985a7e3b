"""When sign-ins are renewed: by the schedule when one is due, and when a person says so; one at a
time in a process, and one in a minute over all.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex.renewal_answer import RenewalAnswer, Verdict
from quota_web.core import clock, renewal_policy
from quota_web.core.errors import BadDatabase, DatabaseFull
from quota_web.core.limits import FIRST_BELIEVABLE
from quota_web.core.quota import Status
from quota_web.core.renewal_policy import Renewal
from quota_web.refresh.hooks import AfterRefusal
from quota_web.services import Services
from quota_web.sign_ins import renewal, renewal_outcome, spare_use
from quota_web.sign_ins.renewal import RenewalContext
from quota_web.store.accounts import Account, Scope, Shown
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import DecryptionFailed
from quota_web.store.renewals import Claim

logger = logging.getLogger(__name__)

#: With less room than this nothing is renewed: the answer could not be stored.
ROOM_NEEDED = 4 * 1024**2
#: Used tokens of accounts that are gone are remembered so long.
REMEMBERED_S = 400 * renewal_policy.DAY
#: A token that no key opens is looked at again after so long.
UNOPENED_S = renewal_policy.HOUR
UNOPENED = "sealed_unreadable"


class Press(StrEnum):
    """What a person's wish came to, beside the verdicts of an answer."""

    #: It has no refresh token, or none that is renewed here.
    NOTHING_TO_RENEW = "nothing_to_renew"
    #: The setting says that nothing is renewed.
    SWITCHED_OFF = "switched_off"
    PAUSED = "paused"
    UNSURE = "is_unsure"
    DEAD = "is_dead"
    #: Nothing is renewed for some hours, since answers were lost.
    RESTING = "resting"
    #: Another renewal began within the last minute.
    TOO_SOON = "too_soon"
    NO_ROOM = "no_room"
    #: Another process has it, or it has changed.
    HELD = "held"
    UNOPENED = "unopened"


@dataclass(frozen=True, slots=True)
class Pressed:
    """What "Renew now" came to for one account."""

    name: str
    outcome: Press | Verdict
    #: Whether new tokens are stored.
    is_renewed: bool = False
    #: When it may be tried again, where that is what is in the way.
    may_at: int | None = None
    #: Until when its access token lasts.
    ends_at: int | None = None
    code: str | None = None
    #: In words, where no answer came.
    failure: str | None = None


@dataclass(slots=True)
class Renewals:
    """What renewals of this process share."""

    context: RenewalContext
    scope: Scope
    is_on: bool
    #: Held while one is under way.
    lock: threading.Lock


def make(services: Services, actor: str) -> Renewals:
    """The renewals of this process, as *actor* begins them."""
    context = RenewalContext(
        lambda: services.oauth, services.cipher, clock.now, actor, services.stop
    )
    return Renewals(context, services.scope, services.renews, services.renewal_lock)


def has_room() -> bool:
    """Whether an answer could be stored."""
    if isinstance(store.database.trouble(), DatabaseFull):
        return False
    file = store.database.file()
    free = store.filesystem.free_bytes(file.parent) if file is not None else None
    return free is None or free >= ROOM_NEEDED


def renew_due(renewals: Renewals) -> RenewalAnswer | None:
    """Renew the one sign-in that is due and ends first, if one may be renewed now."""
    now = renewals.context.now()
    if not renewals.is_on or renewals.context.stop.is_set() or now < FIRST_BELIEVABLE:
        return None
    waiting = _waiting(renewals.scope, now)
    if waiting.lost or waiting.failed:
        _settle(waiting.lost, now)
        spare_use.use_where_others_failed(renewals.context.cipher, waiting.failed, now)
        waiting = _waiting(renewals.scope, now)
    for account in waiting.due:
        if not has_room():
            return None
        answer = _in_turn(renewals, account.id)
        if not isinstance(answer, Press):
            return answer
        if answer not in (Press.UNOPENED, Press.NOTHING_TO_RENEW):
            return None
    return None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What the schedule has to do: claims whose process died, the ids of accounts whose tokens have
    failed while others are kept aside, and the accounts that may be renewed now.
    """

    lost: Sequence[Claim]
    failed: Sequence[int]
    due: Sequence[Account]


def _waiting(scope: Scope, now: int) -> _Waiting:
    with store.database.reading() as conn:
        return _Waiting(
            store.renewals.lost(conn, now),
            store.credentials.failed_with_spare(conn, now),
            _due(conn, scope, now),
        )


def _due(conn: Connection, scope: Scope, now: int) -> Sequence[Account]:
    ids = store.renewals.due(conn, now)
    if not ids or renewal_policy.is_waiting(store.renewals.not_before(conn), now):
        return []
    found = store.accounts.get_by_ids(conn, ids)
    due = [found[i] for i in ids if i in found]
    # Nothing is sent for a deactivated account until a person acts.
    return [a for a in due if scope.holds(a) and a.last_status is not Status.DEACTIVATED]


def _in_turn(renewals: Renewals, account_id: int) -> RenewalAnswer | Press:
    """Renew an account's sign-in if one is due now."""
    context = renewals.context
    if not renewals.lock.acquire(blocking=False):
        return Press.TOO_SOON
    try:
        try:
            found = renewal.held(context.cipher, account_id)
        except DecryptionFailed:
            _look_later(account_id, context.now())
            return Press.UNOPENED
        if found is None:
            return Press.NOTHING_TO_RENEW
        with store.database.transaction() as tx:
            if not store.renewals.take_turn(tx, context.now()):
                return Press.TOO_SOON
        answer = renewal.renew(context, found)
        if answer is None:
            return Press.HELD
        _log(found.account.name, answer)
        return answer
    finally:
        renewals.lock.release()


def _look_later(account_id: int, now: int) -> None:
    with store.database.transaction() as tx:
        store.renewals.put_off(tx, account_id, now + UNOPENED_S, UNOPENED)


def _log(name: str, answer: RenewalAnswer) -> None:
    level = logging.INFO if answer.verdict is Verdict.RENEWED else logging.WARNING
    words = [f"renewal {answer.verdict}", answer.code or "", answer.failure or ""]
    logger.log(level, "%s: %s", name, ", ".join(word for word in words if word))


def settle_lost(now: int) -> None:
    """Flag what a process was renewing when it died."""
    with store.database.reading() as conn:
        lost = store.renewals.lost(conn, now)
    _settle(lost, now)


def _settle(lost: Sequence[Claim], now: int) -> None:
    for claim in lost:
        with store.database.transaction() as tx:
            renewal_outcome.end_lost(tx, claim, now)


def forget_old(now: int) -> None:
    """Forget tokens that were used long ago and that no account holds."""
    with store.database.transaction() as tx:
        store.renewals.forget(tx, now - REMEMBERED_S)


def renew_now(renewals: Renewals, name: str, shown: Shown | None = None) -> Pressed:
    """Renew an account's sign-in as a person wishes, unless something is in the way: then nothing
    is sent and nothing is waited for.

    Raises AccountNotFound and Outdated.
    """
    now = renewals.context.now()
    settle_lost(now)
    with store.database.reading() as conn:
        account = store.accounts.as_shown(conn, name, shown, renewals.scope)
        sealed = store.credentials.get_by_ids(conn, [account.id]).get(account.id)
        not_before = store.renewals.not_before(conn)
    in_the_way = _in_the_way(renewals, account, sealed, not_before, now)
    if in_the_way is not None:
        may_at = not_before if in_the_way in (Press.TOO_SOON, Press.RESTING) else None
        return _pressed(account, in_the_way, sealed, may_at=may_at)
    answer = _in_turn(renewals, account.id)
    with store.database.reading() as conn:
        after = store.credentials.get_by_ids(conn, [account.id]).get(account.id)
        not_before = store.renewals.not_before(conn)
    if isinstance(answer, Press):
        may_at = not_before if answer is Press.TOO_SOON else None
        return _pressed(account, answer, after, may_at=may_at)
    return _pressed(account, answer.verdict, after, answer)


def _in_the_way(
    renewals: Renewals,
    account: Account,
    sealed: EncryptedCredential | None,
    not_before: int | None,
    now: int,
) -> Press | None:
    """Why nothing is sent, if so; the account's own reasons first."""
    if not renewals.is_on:
        return Press.SWITCHED_OFF
    if sealed is None or sealed.refresh_sealed is None or sealed.renewal == Renewal.OFF:
        return Press.NOTHING_TO_RENEW
    if sealed.renewal in (Renewal.UNSURE, Renewal.DEAD):
        return Press.UNSURE if sealed.renewal == Renewal.UNSURE else Press.DEAD
    if account.paused_at is not None:
        return Press.PAUSED
    if renewal_policy.is_waiting(not_before, now):
        is_resting = renewal_policy.is_resting(not_before, now)
        return Press.RESTING if is_resting else Press.TOO_SOON
    return None if has_room() else Press.NO_ROOM


def _pressed(
    account: Account,
    outcome: Press | Verdict,
    sealed: EncryptedCredential | None,
    answer: RenewalAnswer | None = None,
    may_at: int | None = None,
) -> Pressed:
    return Pressed(
        account.name,
        outcome,
        outcome is Verdict.RENEWED,
        may_at,
        sealed.access_expires_at if sealed else None,
        answer.code if answer else sealed.renewal_code if sealed else None,
        answer.failure if answer else None,
    )


def after_refusal(renewals: Renewals, account_id: int, *, may_send: bool) -> AfterRefusal:
    """The upstream refused an account's access token: one renewal of it is asked for, and with
    *may_send* begun if one is due.
    """
    now, held = renewals.context.now(), _present(account_id)
    if not renewals.is_on or held is None:
        return AfterRefusal()
    if not held.may_be_renewed and held.spare_sealed is None:
        return AfterRefusal()
    if not _ask_for_renewal(renewals, account_id, now):
        is_used = _use_spare(renewals, account_id, now)
        return AfterRefusal(_present(account_id) if is_used else None)
    if may_send and has_room():
        try:
            answer = _in_turn(renewals, account_id)
        except BadDatabase as error:
            logger.warning("a renewal waits for the database: %s", error)
            return AfterRefusal(is_awaited=True)
        if isinstance(answer, RenewalAnswer) and answer.verdict is Verdict.RENEWED:
            return AfterRefusal(_present(account_id))
    after = _present(account_id)
    return AfterRefusal(is_awaited=after is not None and after.may_be_renewed)


def _ask_for_renewal(renewals: Renewals, account_id: int, now: int) -> bool:
    """Let the sign-in be renewed next, unless the refused token is itself what a renewal brought
    and has never worked: that would not end.
    """
    with store.database.transaction() as tx:
        account = store.accounts.get_by_id(tx, account_id)
        sealed = store.credentials.get_by_ids(tx, [account_id]).get(account_id)
        if account is None or sealed is None or not sealed.may_be_renewed:
            return False
        was_renewed = sealed.renewed_at is not None and sealed.renewed_at == sealed.updated_at
        worked_at = account.taken_at
        if was_renewed and (worked_at is None or worked_at < sealed.updated_at):
            return False
        store.renewals.hasten(tx, account_id, now)
        store.accounts.update_account(
            tx, account_id, next_due_at=now + renewal_policy.TURN_S, requested_at=None
        )
        store.site_state.bump_version(tx, now)
    return True


def _use_spare(renewals: Renewals, account_id: int, now: int) -> bool:
    with store.database.transaction() as tx:
        return spare_use.use(tx, renewals.context.cipher, account_id, now)


def _present(account_id: int) -> EncryptedCredential | None:
    with store.database.reading() as conn:
        return store.credentials.get_by_ids(conn, [account_id]).get(account_id)
