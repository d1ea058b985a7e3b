"""An account's credentials on their way into the database, encrypted, and back."""

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex.auth_file import Credentials
from quota_web.core.errors import BadInput
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
    only_access: bool = False,
) -> None:
    """Store an account's credentials; its next request is due at once.

    Of a followed account *only_access* is stored: its refresh token stays in its file, where nobody
    here can spend it.
    """
    refresh, identity = (
        (None, None) if only_access else (credentials.refresh_token, credentials.id_token)
    )
    store.credentials.put(
        tx,
        EncryptedCredential(
            account_id=account_id,
            access_sealed=cipher.seal(credentials.access_token, account_id, ACCESS),
            refresh_sealed=cipher.seal(refresh, account_id, REFRESH) if refresh else None,
            id_sealed=cipher.seal(identity, account_id, IDENTITY) if identity else None,
            access_expires_at=credentials.expires_at,
            access_fp=credentials.access_token.fingerprint(),
            refresh_fp=refresh.fingerprint() if refresh else None,
            client_id=credentials.client_id,
            fedramp=credentials.fedramp,
            key_id=cipher.key_id,
            version=1,
            updated_at=now,
        ),
    )
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
            "name", f"{found.name}: the stored token cannot be opened with the present key"
        ) from None


def _opened(cipher: TokenCipher, sealed: bytes | None, owner: int, kind: str) -> Secret | None:
    return cipher.open(sealed, owner, kind) if sealed is not None else None
