"""Renews one sign-in: the refresh token is claimed, sent once, and what came back is stored first
of all.

1. The connection is opened; where that fails, nothing was sent.
2. The token is claimed in the database, committed, and sent. A claim is never made twice, so no two
   processes send one token, and a process that dies leaves a claim that says so.
3. The first thing after the answer is one transaction with the new tokens and the outcome.

When it is done at all is renewal_service.py's to say.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex import jwt
from quota_web.codex.oauth import OAuthClient
from quota_web.codex.renewal_answer import RenewalAnswer
from quota_web.core.account_identity import Login
from quota_web.core.errors import BadDatabase
from quota_web.core.renewal_policy import Renewal
from quota_web.core.secret import Secret
from quota_web.sign_ins import renewal_outcome
from quota_web.sign_ins.renewal_outcome import Answered
from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, REFRESH, DecryptionFailed, TokenCipher

logger = logging.getLogger(__name__)

#: How long a busy or full database is waited for before the answer is tried to be stored again.
STORE_PAUSE_FIRST_S, STORE_PAUSE_LAST_S = 0.05, 2.0

_T = TypeVar("_T")


@dataclass(slots=True)
class RenewalContext:
    """What a renewal works with."""

    #: Made at first use.
    client: Callable[[], OAuthClient]
    cipher: TokenCipher
    now: Callable[[], int]
    #: The actor of what is noted.
    actor: str
    #: Set when the process is to end: nothing more is sent.
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Held:
    """An account with a refresh token that may be sent."""

    account: Account
    credential: EncryptedCredential
    refresh_token: Secret
    #: With each key, the present one's first.
    fingerprints: tuple[str, ...]
    #: Whose the tokens are, by all that says so.
    logins: tuple[Login, ...]


def held(cipher: TokenCipher, account_id: int) -> Held | None:
    """An account's refresh token; None where it has none that may be renewed.

    Raises DecryptionFailed where no key opens it.
    """
    with store.database.reading() as conn:
        account = store.accounts.get_by_id(conn, account_id)
        sealed = store.credentials.get_by_ids(conn, [account_id]).get(account_id)
    if account is None or sealed is None or sealed.refresh_sealed is None:
        return None
    if not sealed.may_be_renewed:
        return None
    token = cipher.open(sealed.refresh_sealed, account_id, REFRESH)
    logins = [account.login]
    with suppress(DecryptionFailed):
        said = jwt.read(cipher.open(sealed.access_sealed, account_id, ACCESS).reveal())
        logins.append(Login(said.account_id, said.user_id))
    return Held(account, sealed, token, tuple(cipher.fingerprints(token)), tuple(logins))


def renew(context: RenewalContext, found: Held) -> RenewalAnswer | None:
    """Renew a sign-in, once; None where another process has the token or the account has changed,
    and nothing was sent.

    Raises BadDatabase where the claim could not be stored; nothing was sent then either.
    """
    claim_id = secrets.randbits(62)
    try:
        answer = context.client().renew(
            found.refresh_token,
            found.logins,
            lambda: _claim(context, found, claim_id),
            context.now,
        )
    except BadDatabase:
        # Whether the claim was stored is not known, but nothing was sent.
        with suppress(BadDatabase), store.database.transaction() as tx:
            renewal_outcome.give_back(tx, claim_id, context.now())
        raise
    if answer is None:
        with store.database.transaction() as tx:
            renewal_outcome.adopt(tx, found.account.id, found.fingerprints, context.now())
        return None
    # Nothing comes between the answer and this: it is the only copy of a token.
    _store(context, Answered(found.account, found.credential, claim_id, answer))
    return answer


def _store(context: RenewalContext, answered: Answered) -> None:
    cipher, name = context.cipher, answered.account.name
    try:
        _for_sure(
            lambda tx: renewal_outcome.store_answer(
                tx, cipher, answered, context.now(), context.actor
            )
        )
    except Exception:
        logger.exception("%s: a renewal could not be stored; its tokens are kept", name)
        _for_sure(lambda tx: renewal_outcome.save_tokens(tx, cipher, answered, context.now()))
        raise


def _claim(context: RenewalContext, found: Held, claim_id: int) -> bool:
    """Write down that the token is sent. Called when the connection stands."""
    if context.stop.is_set():
        return False
    account_id = found.account.id
    is_second = found.credential.renewal == Renewal.UNSURE
    take = store.renewals.claim_again if is_second else store.renewals.claim
    with store.database.transaction() as tx:
        account = store.accounts.get_by_id(tx, account_id)
        if account is None or account.paused_at is not None:
            return False
        return take(tx, found.fingerprints, account_id, claim_id, context.now())


def _for_sure(act: Callable[[Connection], _T]) -> _T:
    """Store what must not be lost, as often as it takes; what else fails is a bug, and raised."""
    pause, told = STORE_PAUSE_FIRST_S, ""
    while True:
        try:
            with store.database.transaction() as tx:
                return act(tx)
        except BadDatabase as error:
            if str(error) != told:
                told = str(error)
                logger.error("a renewed sign-in waits to be stored: %s", told)
        time.sleep(pause)
        pause = min(2 * pause, STORE_PAUSE_LAST_S)
