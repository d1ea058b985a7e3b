"""Accounts. Every function takes the open connection; none commits.

Names are compared by their folded form (`names.key`), because SQLite's own lower() knows ASCII
alone.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from quota_web.core import account_identity, faults, names
from quota_web.core.account_identity import Login
from quota_web.core.errors import AccountExists, AccountNotFound, Outdated
from quota_web.core.faults import Fault
from quota_web.core.language import mark
from quota_web.core.limits import CLOCK_SKEW_S
from quota_web.core.quota import Status
from quota_web.store import credentials
from quota_web.store.alert_tables import alert_state
from quota_web.store.extra_tables import account_extra
from quota_web.store.models import (
    account,
    account_fact,
    account_state,
    credential,
    cycle,
    event,
    forecast,
    limit_window,
    share_link,
    window_state,
)
from quota_web.store.reset_credit_tables import reset_credit, reset_credit_list
from quota_web.store.sign_in_tables import sign_in

FOLLOWED = "followed"
MANAGED = "managed"
#: Invented, without credentials: nothing is ever sent for it.
DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Account:
    """One account's row, without its credentials. Times are epoch seconds; None means never."""

    id: int
    name: str
    origin: str
    source_path: str | None
    source_hash: str | None
    source_gone_at: int | None
    chatgpt_account_id: str | None
    chatgpt_user_id: str | None
    email: str | None
    answer_user_id: str | None
    paused_at: int | None
    created_at: int
    #: As the last attempt left it, also while paused.
    last_status: Status
    fault: Fault | None
    http_status: int | None
    attempted_at: int | None
    taken_at: int | None
    cached_at: int | None
    run_first_at: int | None
    failures: int
    interval_s: int | None
    next_due_at: int | None
    requested_at: int | None
    claim_id: int | None
    claimed_at: int | None
    #: Grows with every change of this row or of what is known of the account.
    version: int

    @property
    def login(self) -> Login:
        return Login(self.chatgpt_account_id, self.chatgpt_user_id)

    @property
    def status(self) -> Status:
        """What people see: a paused account is paused, whatever happened before."""
        return Status.PAUSED if self.paused_at is not None else self.last_status

    def is_claimed(self, now: int, lasts: int) -> bool:
        """Whether a run fetches it at this moment; see `store.claims`."""
        return (
            self.claim_id is not None
            and self.claimed_at is not None
            and -CLOCK_SKEW_S <= now - self.claimed_at < lasts
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """Which accounts a command or page is about: those that follow *folder*, and with *managed*
    those of the database too.
    """

    folder: Path | None = None
    managed: bool = True
    #: Only the account of this name.
    only: str | None = None

    def holds(self, found: Account) -> bool:
        if self.only is not None and names.fold(found.name) != names.fold(self.only):
            return False
        if found.origin in (MANAGED, DEMO):
            return self.managed
        # As text: a Path of each account took most of the time of a look for those that are due.
        return self.folder is None or (
            found.source_path is not None and os.path.dirname(found.source_path) == str(self.folder)
        )


_ALL = Scope()
#: The columns in the order of Account's fields, `last_status` and `fault` made of three.
_FAULT_AT = Account.__slots__.index("last_status")
_COLUMNS = [
    account.c[name]
    for name in (
        *Account.__slots__[:_FAULT_AT],
        "status",
        "fault_code",
        "fault_data",
        *Account.__slots__[_FAULT_AT + 2 :],
    )
]
# Made once: putting a statement together costs as much as running it.
_IDS: Any = bindparam("ids", expanding=True)
_THERE = select(*_COLUMNS).where(account.c.deleted_at.is_(None))
_EVERY = _THERE.order_by(account.c.name_key)
_BY_IDS = _THERE.where(account.c.id.in_(_IDS))
_OF_LOGIN = (
    _THERE.add_columns(credential.c.access_fp)
    .join_from(account, credential, isouter=True)
    .where(account.c.chatgpt_account_id == bindparam("account"))
)


def list_all(conn: Connection, scope: Scope | None = None) -> list[Account]:
    """All accounts of *scope* that are not deleted, by name."""
    found = [_account(*row) for row in conn.execute(_EVERY).all()]
    return found if scope is None or scope == _ALL else [a for a in found if scope.holds(a)]


@dataclass(frozen=True, slots=True)
class Shown:
    """The account that a page showed, beside its name; None means not said.

    The version is that of its credentials, 0 for none.
    """

    id: int | None = None
    version: int | None = None


def as_shown(
    conn: Connection, name: str, shown: Shown | None, scope: Scope | None = None
) -> Account:
    """The account of that name, if it is the one that the page showed.

    Raises AccountNotFound, and Outdated where it is not.
    """
    shown = shown or Shown()
    try:
        found = get_by_name(conn, name, scope)
    except AccountNotFound:
        if shown.id is not None and get_by_id(conn, shown.id) is not None:
            raise Outdated(name) from None
        raise
    if shown.id not in (None, found.id) or shown.version not in (None, _version(conn, found.id)):
        raise Outdated(name)
    return found


def _version(conn: Connection, account_id: int) -> int:
    return (
        conn.execute(
            select(credential.c.version).where(credential.c.account_id == account_id)
        ).scalar()
        or 0
    )


def get_by_name(conn: Connection, name: str, scope: Scope | None = None) -> Account:
    """The account of that name, whatever the case; raises AccountNotFound."""
    if len(name) > names.MAX_NAME or not name.isprintable():
        # No account has such a name, and a database refuses some of these characters.
        raise AccountNotFound(name)
    found = _one(conn, account.c.name_key == names.fold(name))
    if found is None or (scope is not None and not scope.holds(found)):
        raise AccountNotFound(name)
    return found


def get_by_id(conn: Connection, account_id: int) -> Account | None:
    return _one(conn, account.c.id == account_id)


def get_by_ids(conn: Connection, ids: Iterable[int]) -> dict[int, Account]:
    return {row.id: _account(*row) for row in conn.execute(_BY_IDS, {"ids": list(ids)}).all()}


def of_login(conn: Connection, login: Login, access_fp: str) -> list[Account]:
    """The accounts that certainly hold this login, or this very token; first those that work."""
    rows = conn.execute(_OF_LOGIN, {"account": login.account_id, "access_fp": access_fp}).all()
    found = [(_account(*row[:-1]), row[-1]) for row in rows]
    certain = [a for a, fp in found if account_identity.is_same(a.login, login) or fp == access_fp]
    return sorted(certain, key=by_use)


def by_use(found: Account) -> tuple[bool, bool, int]:
    """Sorts accounts of one login: first those that are not paused, then those that answer, then
    the oldest.
    """
    return (found.paused_at is not None, found.last_status is not Status.OK, found.id)


def repeated(accounts: Iterable[Account]) -> dict[int, Account]:
    """The accounts that repeat another one's login, by id, with the one that they repeat."""
    by_login: dict[str, list[Account]] = {}
    for one in accounts:
        if one.chatgpt_account_id is not None:
            by_login.setdefault(one.chatgpt_account_id, []).append(one)
    # Mostly none: the rest is for those few alone.
    several = (a for those in by_login.values() if len(those) > 1 for a in those)
    ordered = {a.id: a for a in sorted(several, key=by_use)}
    found = account_identity.repeated((key, a.login) for key, a in ordered.items())
    return {key: ordered[holder] for key, holder in found.items()}


def by_paths(conn: Connection, paths: Sequence[str]) -> dict[str, Account]:
    """The accounts that follow these files, by path."""
    query = _THERE.where(account.c.origin == FOLLOWED, account.c.source_path.in_(paths))
    found = [_account(*row) for row in conn.execute(query).all()]
    return {a.source_path: a for a in found if a.source_path}


def _one(conn: Connection, condition: Any) -> Account | None:
    row = conn.execute(_THERE.where(condition)).first()
    return _account(*row) if row else None


# Equal rows make equal values, and most rows are as they were at the last look: kept by what stands
# in them, they cannot go stale.
@lru_cache(maxsize=256)
def _account(*row: Any) -> Account:
    values = list(row)
    status, code, data = values[_FAULT_AT : _FAULT_AT + 3]
    values[_FAULT_AT : _FAULT_AT + 3] = [_STATUS[status], faults.stored(code, data)]
    return Account(*values)


_STATUS = {status.value: status for status in Status}


def add(
    conn: Connection,
    name: str,
    origin: str,
    now: int,
    *,
    source_path: str | None = None,
    next_due_at: int | None = None,
) -> int:
    """Add an account and return its id; raises AccountExists when the name is taken."""
    values = {
        "name": name,
        "name_key": names.fold(name),
        "origin": origin,
        "created_at": now,
        "status": Status.PENDING,
        "source_path": source_path,
        "failures": 0,
    }
    if conn.dialect.name == "sqlite":
        # SQLite gives its highest id a second time once the row is gone; pages and events that name
        # it would mean the new account.
        values["id"] = conn.execute(_FREE_ID).scalar_one()
    try:
        with conn.begin_nested():
            result = conn.execute(
                insert(account).values(
                    **values, next_due_at=now if next_due_at is None else next_due_at
                )
            )
    except IntegrityError:
        raise AccountExists(name, mark("another account")) from None
    return new_id(result)


_FREE_ID = select(
    1
    + func.max(
        select(func.coalesce(func.max(account.c.id), 0)).scalar_subquery(),
        select(func.coalesce(func.max(event.c.account_id), 0)).scalar_subquery(),
    )
)


def new_id(result: Any) -> int:
    """The id of the row that an INSERT just made."""
    return int(result.inserted_primary_key[0])


def update_account(conn: Connection, account_id: int, **columns: Any) -> None:
    """Set just these columns of an account, which gives it a new version; raises AccountNotFound
    when it is no longer there.
    """
    result = conn.execute(
        update(account)
        .where(account.c.id == account_id, account.c.deleted_at.is_(None))
        .values(**columns, version=account.c.version + 1)
    )
    if result.rowcount == 0:
        raise AccountNotFound(f"account {account_id}")


def bump_version(conn: Connection, account_id: int) -> None:
    """Give an account a new version after a change that is stored outside its row."""
    conn.execute(
        update(account).where(account.c.id == account_id).values(version=account.c.version + 1)
    )


def rename(conn: Connection, account_id: int, name: str) -> None:
    """Give an account another name; raises AccountExists when that is taken."""
    try:
        with conn.begin_nested():
            update_account(conn, account_id, name=name, name_key=names.fold(name))
    except IntegrityError:
        raise AccountExists(name, mark("another account")) from None


def set_fault(conn: Connection, account_id: int, fault: Fault | None) -> None:
    """Say why an account cannot be asked, or with None that it is to be asked again."""
    columns: dict[str, Any] = {"http_status": None, "run_first_at": None}
    if fault is None:
        columns |= {"status": Status.PENDING, "fault_code": None, "fault_data": None, "failures": 0}
    else:
        columns |= {"status": fault.status, "fault_code": fault.code, "next_due_at": None}
        columns["fault_data"] = fault.data_json()
    update_account(conn, account_id, **columns)


def mark_deleted(conn: Connection, account_id: int, now: int) -> None:
    """Hide an account, free its name and delete its credentials; its history is deleted later,
    in chunks.
    """
    credentials.drop(conn, [account_id])
    update_account(
        conn, account_id, deleted_at=now, name_key=None, next_due_at=None, source_path=None
    )


def delete_rest(conn: Connection, account_id: int, windows: Sequence[int]) -> int:
    """Delete what is left of an account whose series, attempts and events are gone, its row last;
    returns the number of deleted rows. *windows* are the ids of its windows.
    """
    gone = 0
    for table in (forecast, cycle, window_state):
        gone += conn.execute(table.delete().where(table.c.window_id.in_(windows))).rowcount
    owned = (account_fact, account_state, alert_state, limit_window, credential)
    for table in (*owned, share_link, sign_in, reset_credit, reset_credit_list, account_extra):
        gone += conn.execute(table.delete().where(table.c.account_id == account_id)).rowcount
    return gone + conn.execute(account.delete().where(account.c.id == account_id)).rowcount


def count(conn: Connection) -> int:
    return int(
        conn.execute(
            select(func.count()).select_from(account).where(account.c.deleted_at.is_(None))
        ).scalar_one()
    )


def user_is_another(conn: Connection, account_id: int, user_id: str) -> bool:
    """Whether the token of another account here names this user of the upstream."""
    query = select(account.c.id).where(
        account.c.chatgpt_user_id == user_id,
        account.c.id != account_id,
        account.c.deleted_at.is_(None),
    )
    return conn.execute(query).first() is not None
