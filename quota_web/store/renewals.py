"""The claims by which a refresh token is sent once, and what became of them.

Every function takes the open connection; none commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Text,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)

from quota_web.core import renewal_policy
from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.core.renewal_policy import SECOND_TRY_AFTER, CredentialKind, Renewal
from quota_web.store.database import insert_of
from quota_web.store.models import account, credential, renewal, setting, site_state


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of one refresh token that was sent."""

    refresh_fp: str
    account_id: int
    claim_id: int
    started_at: int
    tries: int
    #: None while it is under way.
    outcome: str | None
    ended_at: int | None
    code: str | None


_COLUMNS = [renewal.c[name] for name in Claim.__slots__]
_CLAIMED = ("refresh_fp", "account_id", "claim_id", "started_at", "tries")


def take_turn(conn: Connection, now: int) -> bool:
    """Whether a renewal may begin now; if so, no other one begins within the next minute."""
    after = site_state.c.renewal_after
    latest = now + renewal_policy.REST_S + CLOCK_SKEW_S
    taken = (
        update(site_state)
        .where(site_state.c.id == 1, after.is_(None) | (after <= now) | (after > latest))
        .values(renewal_after=now + renewal_policy.TURN_S)
    )
    return _is_done(conn, taken.returning(site_state.c.id))


def wait_until(conn: Connection, moment: int) -> None:
    """Let no renewal begin before *moment*, in any process."""
    after = func.coalesce(site_state.c.renewal_after, 0)
    conn.execute(
        update(site_state).where(site_state.c.id == 1, after < moment).values(renewal_after=moment)
    )


def not_before(conn: Connection) -> int | None:
    """The moment before which no renewal begins, in any process; None where there is none."""
    query = select(site_state.c.renewal_after).where(site_state.c.id == 1)
    found: int | None = conn.execute(query).scalar()
    return found


def claim(
    conn: Connection, fingerprints: Sequence[str], account_id: int, claim_id: int, now: int
) -> bool:
    """Whether the refresh token is ours to send, now and never again by others.

    *fingerprints* are the token's with each key; the credential must have one of them still.
    """
    refresh_fp = _present_fp(conn, account_id, fingerprints, Renewal.ON)
    if refresh_fp is None:
        return False
    values = (refresh_fp, account_id, claim_id, now, 1)
    new = select(*(literal(value) for value in values)).where(
        ~exists().where(renewal.c.refresh_fp.in_(fingerprints))
    )
    taken = insert_of(conn.dialect.name)(renewal).from_select(_CLAIMED, new)
    taken = taken.on_conflict_do_nothing().returning(renewal.c.claim_id)
    return _is_done(conn, taken)


def claim_again(
    conn: Connection, fingerprints: Sequence[str], account_id: int, claim_id: int, now: int
) -> bool:
    """The same for the one second try of a token whose answer was lost."""
    refresh_fp = _present_fp(conn, account_id, fingerprints, Renewal.UNSURE)
    again = (
        update(renewal)
        .where(
            renewal.c.refresh_fp == refresh_fp,
            renewal.c.account_id == account_id,
            renewal.c.outcome == Renewal.UNSURE,
            renewal.c.tries == 1,
        )
        .values(claim_id=claim_id, tries=2, started_at=now, outcome=None, ended_at=None)
    )
    return _is_done(conn, again.returning(renewal.c.claim_id))


def _is_done(conn: Connection, statement: Any) -> bool:
    """Whether a statement changed its row. Asked of the row itself: a driver that cannot count says
    −1, which is true.
    """
    return conn.execute(statement).first() is not None


def _present_fp(
    conn: Connection, account_id: int, fingerprints: Sequence[str], state: str
) -> str | None:
    """The fingerprint that the credential has, locked against a change of the key, if it is the
    token's and may be renewed.
    """
    query = select(credential.c.refresh_fp).where(
        credential.c.account_id == account_id,
        credential.c.refresh_fp.in_(fingerprints),
        credential.c.kind != CredentialKind.FILE,
        credential.c.renewal == state,
    )
    found: str | None = conn.execute(query.with_for_update()).scalar()
    return found


def of_claim(conn: Connection, claim_id: int) -> Claim | None:
    """What a claim of ours stands for now: a change of the key changes its fingerprint."""
    return _one(conn, select(*_COLUMNS).where(renewal.c.claim_id == claim_id))


def of_tokens(conn: Connection, fingerprints: Sequence[str]) -> Claim | None:
    """What became of a refresh token, given its fingerprints with each key."""
    return _one(conn, select(*_COLUMNS).where(renewal.c.refresh_fp.in_(fingerprints)))


def _one(conn: Connection, query: Select[Any]) -> Claim | None:
    row = conn.execute(query).first()
    return Claim(*row) if row else None


def list_all(conn: Connection) -> list[Claim]:
    """Every claim that there is."""
    return [Claim(*row) for row in conn.execute(select(*_COLUMNS))]


def put_claims(conn: Connection, claims: Sequence[Claim]) -> None:
    """Store claims of another database in place of those on the same tokens."""
    for one in claims:
        conn.execute(delete(renewal).where(renewal.c.refresh_fp == one.refresh_fp))
        values = {name: getattr(one, name) for name in Claim.__slots__}
        new = insert_of(conn.dialect.name)(renewal).values(**values)
        conn.execute(new.on_conflict_do_nothing())


def end(conn: Connection, claim_id: int, outcome: str, now: int, code: str | None) -> None:
    """Note what became of a claim; its token is not sent again."""
    conn.execute(
        update(renewal)
        .where(renewal.c.claim_id == claim_id)
        .values(outcome=outcome, ended_at=now, code=code)
    )


def end_open(conn: Connection, claim_id: int, outcome: str, now: int, code: str) -> bool:
    """The same for a claim that has no outcome yet; whether it had none."""
    statement = (
        update(renewal)
        .where(renewal.c.claim_id == claim_id, renewal.c.outcome.is_(None))
        .values(outcome=outcome, ended_at=now, code=code)
    )
    return _is_done(conn, statement.returning(renewal.c.claim_id))


def give_back(conn: Connection, found: Claim, now: int) -> None:
    """Let the token be claimed again, which was not sent or not taken: a first claim goes, a second
    one is as if it had not been.
    """
    if found.tries == 1:
        conn.execute(delete(renewal).where(renewal.c.claim_id == found.claim_id))
    else:
        conn.execute(
            update(renewal)
            .where(renewal.c.claim_id == found.claim_id)
            .values(tries=1, outcome=Renewal.UNSURE, ended_at=now)
        )


def lost(conn: Connection, now: int) -> list[Claim]:
    """Claims without an outcome whose process must have died."""
    moments = {"before": now - renewal_policy.LOST_AFTER_S, "after": now + CLOCK_SKEW_S}
    return [Claim(*row) for row in conn.execute(_LOST, moments)]


def under_way(conn: Connection) -> int:
    """How many claims have no outcome yet, in all processes."""
    query = select(func.count()).select_from(renewal).where(renewal.c.outcome.is_(None))
    return int(conn.execute(query).scalar_one())


def lost_since(conn: Connection, since: int) -> int:
    """How many answers were lost after *since*."""
    query = select(func.count()).select_from(renewal)
    those = query.where(renewal.c.outcome == Renewal.UNSURE, renewal.c.ended_at > since)
    return int(conn.execute(those).scalar_one())


def set_fingerprint(conn: Connection, account_id: int, old: str, new: str) -> None:
    """Give a credential's refresh token the fingerprint of another key, where it was claimed
    too. In the transaction that encrypts it anew.
    """
    conn.execute(
        update(credential)
        .where(credential.c.account_id == account_id, credential.c.refresh_fp == old)
        .values(refresh_fp=new)
    )
    conn.execute(
        update(renewal)
        .where(renewal.c.refresh_fp == old, ~exists().where(_OTHER.c.refresh_fp == new))
        .values(refresh_fp=new)
    )


_OTHER = renewal.alias("other")
# Made once, since the schedule asks twice a minute: putting a statement together costs more than
# running it.
_LOST = select(*_COLUMNS).where(
    renewal.c.outcome.is_(None),
    (renewal.c.started_at <= bindparam("before")) | (renewal.c.started_at > bindparam("after")),
)
_DUE = (
    select(credential.c.account_id)
    .join_from(credential, account)
    .where(
        account.c.deleted_at.is_(None),
        account.c.paused_at.is_(None),
        credential.c.kind != CredentialKind.FILE,
        credential.c.renewal.in_((Renewal.ON, Renewal.UNSURE)),
        credential.c.renew_at <= bindparam("now"),
    )
    .order_by(
        func.coalesce(credential.c.access_expires_at, credential.c.renew_at),
        credential.c.account_id,
    )
)


def due(conn: Connection, now: int) -> list[int]:
    """The ids of the accounts whose renewal is due, those first whose access token ends first."""
    return list(conn.execute(_DUE, {"now": now}).scalars())


def set_state(
    conn: Connection, account_id: int, refresh_fp: str, columns: Mapping[str, Any]
) -> bool:
    """Set columns of a credential, if it still has that refresh token; whether it has."""
    changed = (
        update(credential)
        .where(credential.c.account_id == account_id, credential.c.refresh_fp == refresh_fp)
        .values(dict(columns))
    )
    return _is_done(conn, changed.returning(credential.c.account_id))


def put_off(conn: Connection, account_id: int, until: int, code: str) -> None:
    """Let the schedule look at a credential again at *until* only."""
    conn.execute(
        update(credential)
        .where(credential.c.account_id == account_id)
        .values(renew_at=until, renewal_code=code)
    )


def hasten(conn: Connection, account_id: int, now: int) -> None:
    """Note that the upstream refused the access token, and let the renewal come at once: or an hour
    after a lost answer, where it is the second try.
    """
    c, ended_at = credential.c, renewal.c.ended_at
    lost_at = select(ended_at).where(renewal.c.refresh_fp == c.refresh_fp).scalar_subquery()
    earliest = case(
        (c.renewal == Renewal.UNSURE, func.coalesce(lost_at, now) + SECOND_TRY_AFTER), else_=now
    )
    conn.execute(
        update(credential)
        .where(c.account_id == account_id, c.renew_at.is_not(None))
        .values(refused_at=now, renew_at=case((c.renew_at < earliest, c.renew_at), else_=earliest))
    )


def count_result(conn: Connection, result: str) -> None:
    """Add one to the running total of renewals that came to *result*."""
    new = insert_of(conn.dialect.name)(setting).values(key=_TOTAL + result, value="1")
    before = cast(setting.c.value, BigInteger)
    added = {"value": cast(before + 1, Text)}
    conn.execute(new.on_conflict_do_update(index_elements=[setting.c.key], set_=added))


def totals(conn: Connection) -> dict[str, int]:
    """How many renewals came to each result, since ever."""
    query = select(setting.c.key, setting.c.value).where(setting.c.key.like(f"{_TOTAL}%"))
    return {key.removeprefix(_TOTAL): int(value) for key, value in conn.execute(query)}


_TOTAL = "renewals:"


def stop_all(conn: Connection, code: str) -> list[int]:
    """Renew nothing any more: another database may hold newer tokens, or renews these. Returns the
    ids of the accounts that were renewed.
    """
    is_going = credential.c.renewal.in_((Renewal.ON, Renewal.UNSURE))
    stopped = update(credential).where(is_going).returning(credential.c.account_id)
    values = {"renewal": Renewal.OFF, "renewal_code": code, "renew_at": None}
    return list(conn.execute(stopped.values(values)).scalars())


def forget(conn: Connection, before: int) -> int:
    """Forget tokens that were used before *before* and that no account holds any more."""
    held = exists().where(credential.c.refresh_fp == renewal.c.refresh_fp)
    return conn.execute(delete(renewal).where(renewal.c.ended_at < before, ~held)).rowcount
