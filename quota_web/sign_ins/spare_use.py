"""Uses tokens that were kept aside where the present ones of an account have failed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import spare_credentials
from quota_web.accounts.spare_credentials import OTHER_LOGIN, Spare
from quota_web.codex import jwt
from quota_web.core import renewal_policy
from quota_web.core.renewal_policy import Renewal
from quota_web.sign_ins import renewal_outcome
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, IDENTITY, REFRESH, DecryptionFailed, TokenCipher


def use_where_others_failed(cipher: TokenCipher, failed: Sequence[int], now: int) -> None:
    """Put what was kept aside in the place of credentials that are of no use any more: of the
    accounts with the ids *failed*.
    """
    for account_id in failed:
        with store.database.transaction() as tx:
            use(tx, cipher, account_id, now)


def use(tx: Connection, cipher: TokenCipher, account_id: int, now: int) -> bool:
    """Put the newest usable tokens that were kept aside for an account in the place of its present
    ones; whether there were any.
    """
    held = store.credentials.get_by_ids(tx, [account_id]).get(account_id)
    found = store.accounts.get_by_id(tx, account_id)
    if held is None or found is None or held.spare_sealed is None:
        return False
    try:
        spares = spare_credentials.opened(cipher, account_id, held.spare_sealed)
    except DecryptionFailed:
        return False
    for place, spare in enumerate(spares):
        made = _usable(tx, cipher, held, spare, now)
        if made is not None:
            rest = [*spares[:place], *spares[place + 1 :]]
            sealed = spare_credentials.sealed(cipher, account_id, rest)
            store.credentials.put(tx, replace(made, spare_sealed=sealed))
            store.accounts.set_fault(tx, account_id, None)
            store.accounts.update_account(tx, account_id, next_due_at=now)
            store.audit_log.add(
                tx, now, "credential.spare_used", "schedule", account_id, name=found.name
            )
            store.site_state.bump_version(tx, now)
            return True
    # None of them is of use: those of another login alone are kept.
    others = [one for one in spares if one.why == OTHER_LOGIN]
    sealed = spare_credentials.sealed(cipher, account_id, others)
    store.credentials.set_spare(tx, account_id, sealed)
    return False


def _usable(
    tx: Connection, cipher: TokenCipher, held: EncryptedCredential, spare: Spare, now: int
) -> EncryptedCredential | None:
    """The credential that these tokens make; None where they are another login's, or used up."""
    if spare.why == OTHER_LOGIN:
        return None
    access, refresh, owner = spare.access_token, spare.refresh_token, held.account_id
    said = jwt.read(access.reveal() if access is not None else None)
    works = access is not None and (said.expires_at is None or said.expires_at > now)
    # Without an access token of its own the present one, which has failed, stays until a renewal.
    made = replace(
        held,
        refresh_sealed=cipher.seal(refresh, owner, REFRESH) if refresh else None,
        refresh_fp=cipher.fingerprints(refresh)[0] if refresh else None,
        key_id=cipher.key_id,
        kind=spare.kind,
        updated_at=now,
        refused_at=None if works else now,
        renewal_failures=0,
        renewal_refusals=0,
    )
    if access is not None:
        made = replace(
            made,
            access_sealed=cipher.seal(access, owner, ACCESS),
            access_fp=access.fingerprint(),
            access_expires_at=said.expires_at,
        )
    if spare.id_token is not None:
        made = replace(made, id_sealed=cipher.seal(spare.id_token, owner, IDENTITY))
    made = replace(made, **_state(tx, cipher, made, spare, works, now))
    return made if works or made.may_be_renewed else None


def _state(
    tx: Connection,
    cipher: TokenCipher,
    made: EncryptedCredential,
    spare: Spare,
    works: bool,
    now: int,
) -> dict[str, Any]:
    """How the renewal of tokens stands that were kept aside."""
    if spare.refresh_token is None:
        return {"renewal": Renewal.OFF, "renewal_code": None, "renew_at": None}
    claim = store.renewals.of_tokens(tx, cipher.fingerprints(spare.refresh_token))
    if claim is not None and claim.outcome is None:
        # Sent at this moment, or by a process that died: the answer may still come.
        again_at = renewal_policy.second_try_at(made.access_expires_at, now, now)
        return {"renewal": Renewal.UNSURE, "renewal_code": None, "renew_at": again_at}
    if claim is not None:
        return renewal_outcome.state_after(made, claim, now)
    due_at = renewal_policy.drawn_due_at(made.access_expires_at, None, now) if works else now
    return {"renewal": Renewal.ON, "renewal_code": None, "renew_at": due_at}
