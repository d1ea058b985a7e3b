"""A person switches the renewal of a sign-in on or off: of a copy that nothing else uses, or of one
that came from a backup.
"""

from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import renewal_policy
from quota_web.core.errors import BadInput
from quota_web.core.language import mark
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.sign_ins import renewal_outcome
from quota_web.store.accounts import Account, Scope, Shown
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import REFRESH, DecryptionFailed, TokenCipher


def switch_on(
    cipher: TokenCipher,
    client_id: str,
    name: str,
    now: int,
    actor: str,
    scope: Scope | None = None,
    shown: Shown | None = None,
) -> str:
    """Renew an account's sign-in from now on; returns its name. The caller has the person's word
    that nothing else uses the refresh token.

    Raises AccountNotFound, Outdated, and BadInput where it has no token that could be renewed.
    """
    with store.database.transaction() as tx:
        found = store.accounts.as_shown(tx, name, shown, scope)
        held = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
        if held is not None and held.renewal == Renewal.ON:
            return found.name
        columns = _switched_on(tx, cipher, client_id, found, held, now)
        _store(tx, found, columns, now, actor, "credential.renewal_on")
    return found.name


def switch_off(
    name: str, now: int, actor: str, scope: Scope | None = None, shown: Shown | None = None
) -> str:
    """Renew an account's sign-in no more; returns its name. What is under way is still stored."""
    with store.database.transaction() as tx:
        found = store.accounts.as_shown(tx, name, shown, scope)
        held = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
        if held is not None and held.renewal in (Renewal.ON, Renewal.UNSURE):
            columns = {"renewal": Renewal.OFF, "renewal_code": None, "renew_at": None}
            _store(tx, found, columns, now, actor, "credential.renewal_off")
    return found.name


def _switched_on(
    tx: Connection,
    cipher: TokenCipher,
    client_id: str,
    found: Account,
    held: EncryptedCredential | None,
    now: int,
) -> dict[str, Any]:
    if held is None or held.refresh_sealed is None or held.kind == CredentialKind.FILE:
        raise BadInput("name", mark("%(name)s: has no refresh token here"), name=found.name)
    if held.client_id not in (None, client_id):
        raise BadInput(
            "name", mark("%(name)s: its refresh token belongs to another program"), name=found.name
        )
    try:
        prints = cipher.fingerprints(cipher.open(held.refresh_sealed, found.id, REFRESH))
    except DecryptionFailed:
        raise BadInput(
            "name",
            mark("%(name)s: the stored token cannot be opened with the present key"),
            name=found.name,
        ) from None
    claim = store.renewals.of_tokens(tx, prints)
    state: dict[str, Any]
    if claim is None:
        due_at = renewal_policy.drawn_due_at(held.access_expires_at, None, held.updated_at)
        state = {"renewal": Renewal.ON, "renewal_code": None, "renew_at": due_at}
    else:
        state = renewal_outcome.state_after(held, claim, now)
    if claim is not None and (claim.outcome is None or state["renew_at"] is None):
        raise BadInput(
            "name",
            mark("%(name)s: its refresh token was used before; sign in again"),
            name=found.name,
        )
    beside = {"refresh_fp": prints[0], "renewal_failures": 0, "renewal_refusals": 0}
    return state | beside | {"refused_at": None}


def _store(
    tx: Connection, found: Account, columns: dict[str, Any], now: int, actor: str, kind: str
) -> None:
    store.credentials.set_columns(tx, found.id, columns)
    store.audit_log.add(tx, now, kind, actor, found.id, name=found.name)
    store.accounts.bump_version(tx, found.id)
    store.site_state.bump_version(tx, now)
