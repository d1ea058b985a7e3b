"""An account's credentials on their way into the database, encrypted, and back."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import spare_credentials
from quota_web.accounts.spare_credentials import Spare
from quota_web.codex import jwt
from quota_web.codex.auth_file import Credentials
from quota_web.core import renewal_policy
from quota_web.core.errors import BadInput
from quota_web.core.language import mark
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.core.secret import Secret
from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, IDENTITY, REFRESH, DecryptionFailed, TokenCipher


def put(
    tx: Connection,
    cipher: TokenCipher,
    account_id: int,
    credentials: Credentials,
    now: int,
    *,
    kind: str = CredentialKind.COPY,
) -> None:
    """Store an account's credentials; its next request is due at once.

    Of a followed account's file the access token alone is stored: its refresh token stays where it
    is, where it cannot be spent from here. What could still be renewed before is kept aside.
    """
    held = store.credentials.get_by_ids(tx, [account_id]).get(account_id)
    store.credentials.put(tx, _made(cipher, account_id, credentials, held, now, kind))
    owner = {
        "chatgpt_account_id": credentials.account_id,
        "chatgpt_user_id": credentials.user_id,
        "email": credentials.email,
    }
    store.accounts.set_fault(tx, account_id, None)
    store.accounts.update_account(
        tx,
        account_id,
        **{k: v for k, v in owner.items() if v is not None},
        next_due_at=now,
        claim_id=None,
        claimed_at=None,
        answer_user_id=None,
    )


def _made(
    cipher: TokenCipher,
    account_id: int,
    credentials: Credentials,
    held: EncryptedCredential | None,
    now: int,
    kind: str,
) -> EncryptedCredential:
    is_file = kind == CredentialKind.FILE
    refresh = None if is_file else credentials.refresh_token
    identity = None if is_file else credentials.id_token
    fingerprints = cipher.fingerprints(refresh) if refresh else [None]
    made = EncryptedCredential(
        account_id=account_id,
        access_sealed=cipher.seal(credentials.access_token, account_id, ACCESS),
        refresh_sealed=cipher.seal(refresh, account_id, REFRESH) if refresh else None,
        id_sealed=cipher.seal(identity, account_id, IDENTITY) if identity else None,
        access_expires_at=credentials.expires_at,
        access_fp=credentials.access_token.fingerprint(),
        refresh_fp=fingerprints[0],
        client_id=credentials.client_id,
        fedramp=credentials.fedramp,
        key_id=cipher.key_id,
        version=1,
        updated_at=now,
        kind=kind,
    )
    if kind == CredentialKind.OWN:
        return replace(made, **_renewed_from_now_on(credentials, now)) if refresh else made
    if held is None:
        return made
    if refresh is not None and held.refresh_fp in fingerprints:
        return replace(made, **{name: getattr(held, name) for name in _OF_RENEWAL})
    return replace(made, spare_sealed=with_spare(cipher, held, now))


#: What is kept where the same refresh token is stored again.
_OF_RENEWAL = (
    "kind",
    "renewal",
    "renewal_code",
    "renew_at",
    "renewed_at",
    "renewal_failures",
    "renewal_refusals",
    "spare_sealed",
)


def _renewed_from_now_on(credentials: Credentials, now: int) -> dict[str, Any]:
    issued_at = jwt.read(credentials.access_token.reveal()).issued_at
    due_at = renewal_policy.drawn_due_at(credentials.expires_at, issued_at, now)
    return {"renewal": Renewal.ON, "renew_at": due_at}


def with_spare(cipher: TokenCipher, held: EncryptedCredential, now: int) -> bytes | None:
    """What is kept aside when *held* is replaced: its tokens before all others, if they could
    still be renewed.
    """
    if not held.may_be_renewed:
        return held.spare_sealed
    try:
        tokens = (
            cipher.open(held.access_sealed, held.account_id, ACCESS),
            _opened(cipher, held.refresh_sealed, held.account_id, REFRESH),
            _opened(cipher, held.id_sealed, held.account_id, IDENTITY),
        )
    except DecryptionFailed:
        return held.spare_sealed
    kept = Spare(spare_credentials.REPLACED, now, held.kind, *tokens)
    return spare_credentials.with_newest(cipher, held.account_id, held.spare_sealed, kept)


def opened(cipher: TokenCipher, found: Account, sealed: EncryptedCredential) -> Credentials:
    """An account's stored credentials in the clear.

    Raises BadInput where the present key does not open them.
    """
    try:
        return Credentials(
            access_token=cipher.open(sealed.access_sealed, found.id, ACCESS),
            refresh_token=_opened(cipher, sealed.refresh_sealed, found.id, REFRESH),
            id_token=_opened(cipher, sealed.id_sealed, found.id, IDENTITY),
            account_id=found.chatgpt_account_id or "",
            user_id=found.chatgpt_user_id,
            email=found.email,
            expires_at=sealed.access_expires_at,
            fedramp=sealed.fedramp,
            client_id=sealed.client_id,
        )
    except DecryptionFailed:
        raise BadInput(
            "name",
            mark("%(name)s: the stored token cannot be opened with the present key"),
            name=found.name,
        ) from None


def _opened(cipher: TokenCipher, sealed: bytes | None, owner: int, kind: str) -> Secret | None:
    return cipher.open(sealed, owner, kind) if sealed is not None else None
