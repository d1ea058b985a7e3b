"""Stores what a sign-in that was made here brought: a credential of our own, which is renewed."""

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import account_service, stored_credentials
from quota_web.accounts.account_service import Saved
from quota_web.codex.credentials import Credentials
from quota_web.core import names
from quota_web.core.errors import AccountNotFound, OtherLogin
from quota_web.core.renewal_policy import CredentialKind
from quota_web.store.accounts import MANAGED, Account
from quota_web.store.encryption import TokenCipher


def store_own(
    tx: Connection,
    cipher: TokenCipher,
    name: str,
    credentials: Credentials,
    now: int,
    actor: str,
    account_id: int | None = None,
) -> Saved:
    """Store the tokens of a sign-in in the caller's transaction.

    With *account_id* it was made for that account: a followed, pasted or ended one becomes ours
    with its history, and its file stays as it is. Without, a login that is here already is updated
    under the name that it has, else an account *name* is added. Raises AccountNotFound, OtherLogin
    where the account has another login, BadInput for the name, AccountExists where it is taken.
    """
    name = names.validate(name)
    if account_id is None:
        found = account_service.standing(tx, name, credentials)
    else:
        found = _meant(tx, name, credentials, account_id)
    held_by = store.accounts.add(tx, name, MANAGED, now) if found is None else found.id
    if found is not None:
        _let_go_of_file(tx, found)
    stored_credentials.put(tx, cipher, held_by, credentials, now, kind=CredentialKind.OWN)
    shown = name if found is None else found.name
    store.audit_log.add(tx, now, "credential.signed_in", actor, held_by, name=shown)
    store.site_state.bump_version(tx, now)
    given = None if found is None else account_service.other_name(name, found)
    return Saved(shown, found is None, given_name=given)


def _meant(tx: Connection, name: str, credentials: Credentials, account_id: int) -> Account:
    found = store.accounts.get_by_id(tx, account_id)
    if found is None:
        raise AccountNotFound(name)
    if not account_service.same_login(found, credentials):
        raise OtherLogin(found.name)
    return found


def _let_go_of_file(tx: Connection, found: Account) -> None:
    """Keep the account in the database alone from now on."""
    store.accounts.update_account(
        tx, found.id, origin=MANAGED, source_path=None, source_hash=None, source_gone_at=None
    )
