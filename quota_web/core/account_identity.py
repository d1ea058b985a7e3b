"""When two accounts are one ChatGPT login: the same user in the same workspace. The one place that
decides it.

A workspace's id is shared by all of its members, and some tokens name no user. So there are two
questions: is it certain that two are one, and does nothing speak against it.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

#: As much of an account id as tells most of them apart.
SHORT_ID = 8


@dataclass(frozen=True, slots=True)
class Login:
    """Whose tokens an account has; None where nothing said so."""

    account_id: str | None
    user_id: str | None

    @property
    def is_known(self) -> bool:
        return self.account_id is not None and self.user_id is not None


def is_same(one: Login, other: Login) -> bool:
    """Whether two are certainly one login; an unknown user equals no other."""
    return one.is_known and one == other


def may_be_same(one: Login, other: Login) -> bool:
    """Whether the workspace is the same and no user id speaks against it."""
    users = {one.user_id, other.user_id} - {None}
    return one.account_id == other.account_id and len(users) <= 1


def repeated(logins: Iterable[tuple[K, Login]]) -> dict[K, K]:
    """The accounts that repeat a login that came before, by key, with the key that had it first."""
    first: dict[Login, K] = {}
    found = {key: first.setdefault(login, key) for key, login in logins if login.is_known}
    return {key: holder for key, holder in found.items() if key != holder}


def short_ids(owners: Iterable[tuple[int, str | None, str | None]]) -> dict[int, str]:
    """The beginning of the account id of each of (key, e-mail address, account id) that shares its
    address with another workspace, by key.
    """
    by_email: dict[str, dict[int, str]] = {}
    for key, email, account_id in owners:
        if email and account_id:
            by_email.setdefault(email.casefold(), {})[key] = account_id
    told: dict[int, str] = {}
    for those in by_email.values():
        ids = set(those.values())
        if len(ids) > 1:
            length = next(n for n in range(SHORT_ID, 129) if len({i[:n] for i in ids}) == len(ids))
            told |= {key: account_id[:length] for key, account_id in those.items()}
    return told
