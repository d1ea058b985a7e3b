"""Act: one request beside quota for an account, with its own token and in no transaction."""

from quota_web.codex.classify import Classification
from quota_web.core.quota import Status
from quota_web.services import Services
from quota_web.store.accounts import DEMO, Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, DecryptionFailed

#: What concerns this machine or the other side as a whole ends a pass.
_ENDS_PASS = frozenset({Status.ADDRESS_BLOCKED, Status.RATE_LIMITED, Status.UNREACHABLE})


def may_be_asked(account: Account) -> bool:
    """Whether anything may be sent for an account at all."""
    is_asked = account.origin != DEMO and account.paused_at is None
    return is_asked and account.chatgpt_account_id is not None


def ask(
    present: Services, account: Account, sealed: EncryptedCredential, path: str, now: int
) -> Classification | None:
    """What the address *path*, beside that of the usage endpoint, answers once; None where the
    account's token cannot be opened.
    """
    try:
        token = present.cipher.open(sealed.access_sealed, account.id, ACCESS)
    except DecryptionFailed:
        return None
    account_id = account.chatgpt_account_id or ""
    return present.client.ask(path, account_id, token, sealed.fedramp, now)


def ends_pass(answer: Classification) -> bool:
    """Whether the next request would very likely be answered the same way."""
    return answer.fault is not None and answer.fault.status in _ENDS_PASS
