"""The last step of signing in: a code is exchanged for tokens, once, and these are stored."""

import json
import secrets
import time

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex import auth_file, device_login
from quota_web.codex.credentials import Credentials
from quota_web.codex.device_login import Grant, LoginAnswer, LoginVerdict
from quota_web.codex.oauth import TOKEN_PATH
from quota_web.codex.renewal_answer import NewTokens
from quota_web.core.errors import (
    AccountExists,
    BadInput,
    CredentialsRefused,
    DatabaseBusy,
    OtherLogin,
)
from quota_web.core.secret import Secret
from quota_web.services import Services
from quota_web.sign_ins import outcomes, own_credentials
from quota_web.sign_ins.outcomes import SignInState
from quota_web.store.encryption import DecryptionFailed
from quota_web.store.sign_ins import SignIn

ACTOR = "sign-in"
TOKENS = "tokens"
#: How long storing tokens is tried while the database is busy, in seconds: there is no second
#: copy of them.
STORE_FOR_S = 60.0


def run(services: Services, row: SignIn, grant: Grant, redirect: str, now: int) -> None:
    """Exchange *grant* and store what comes, unless another process does."""
    client = services.oauth

    def claim() -> bool:
        with store.database.transaction() as tx:
            return store.sign_ins.claim_exchange(tx, row.id, secrets.randbits(62), now)

    fields = {
        "grant_type": "authorization_code",
        "code": grant.code.reveal(),
        "redirect_uri": redirect,
        "client_id": client.client_id,
        "code_verifier": grant.verifier.reveal(),
    }
    sent = client.post(TOKEN_PATH, fields, claim, as_form=True)
    if sent.is_held_back:
        return
    answer = device_login.of_exchange(sent.exchange, (grant.code, grant.verifier))
    if not sent.is_sent:
        # The code is as good as before, but it is unknown for how long: the person starts again.
        answer = LoginAnswer(LoginVerdict.NOT_REACHED, code="not_reached")
    _store(services, row, answer, now)


def _store(services: Services, row: SignIn, answer: LoginAnswer, now: int) -> None:
    """Store the tokens and the outcome in one transaction; repeated while the database is busy."""
    give_up_at = time.monotonic() + STORE_FOR_S
    while True:
        try:
            with store.database.transaction() as tx:
                _stored(tx, services, row, answer, now)
            break
        except DatabaseBusy:
            if time.monotonic() > give_up_at:
                raise
    if services.wake is not None:
        services.wake()


def _stored(tx: Connection, services: Services, row: SignIn, answer: LoginAnswer, now: int) -> None:
    if answer.tokens is None:
        outcome = (
            SignInState.BLOCKED
            if answer.verdict is LoginVerdict.ADDRESS_BLOCKED
            else SignInState.FAILED
        )
        store.sign_ins.end(tx, row.id, outcome, answer.code)
        store.site_state.touch(tx)
        return
    try:
        found = auth_file.parse(_document(answer.tokens, services.settings.oauth_client_id))
    except CredentialsRefused as error:
        store.sign_ins.end(tx, row.id, SignInState.FAILED, error.fault.code)
        store.site_state.touch(tx)
        return
    _store_account(tx, services, row, found, now)


def _document(found: NewTokens | Credentials, client_id: str | None) -> dict[str, object]:
    """Tokens as a file of the Codex CLI holds them."""
    named = {
        "access_token": found.access_token,
        "refresh_token": found.refresh_token,
        "id_token": found.id_token,
    }
    tokens = {name: token.reveal() for name, token in named.items() if token is not None}
    return {"tokens": {**tokens, "client_id": client_id}}


def _store_account(
    tx: Connection, services: Services, row: SignIn, found: Credentials, now: int
) -> None:
    cipher = services.cipher
    try:
        with tx.begin_nested():
            name = own_credentials.store_own(
                tx, cipher, row.name, found, now, ACTOR, row.account_id
            ).name
    except OtherLogin:
        # Kept until the person says what becomes of it.
        store.sign_ins.end(tx, row.id, SignInState.OTHER_IDENTITY)
        kept = Secret(json.dumps(_document(found, found.client_id)))
        sealed = cipher.seal(kept, row.id, TOKENS)
        store.sign_ins.update_one(tx, row.id, tokens_sealed=sealed)
        return
    except AccountExists:
        store.sign_ins.end(tx, row.id, SignInState.FAILED, "name_taken")
        return
    _finish(tx, row, name, now)


def _finish(tx: Connection, row: SignIn, name: str, now: int) -> None:
    """Note what the sign-in became, and let its first reading be the schedule's next request."""
    held = store.accounts.get_by_name(tx, name)
    store.sign_ins.end(tx, row.id, SignInState.DONE)
    store.sign_ins.update_one(tx, row.id, account_id=held.id, name=name, tokens_sealed=None)
    store.accounts.update_account(tx, held.id, requested_at=now)
    store.site_state.bump_version(tx, now)


def add_as_new(services: Services, row: SignIn, name: str, now: int) -> str:
    """Add the login that signed in instead of the account's own as an account *name*; returns the
    name that it has. Raises BadInput where that is no longer possible, or the name is taken.
    """
    if row.outcome != SignInState.OTHER_IDENTITY or row.tokens_sealed is None:
        raise BadInput("name", outcomes.OVER)
    try:
        kept = services.cipher.open(row.tokens_sealed, row.id, TOKENS).reveal()
    except DecryptionFailed:
        raise BadInput("name", outcomes.OVER) from None
    found = auth_file.parse(json.loads(kept))
    try:
        with store.database.transaction() as tx:
            saved = own_credentials.store_own(tx, services.cipher, name, found, now, ACTOR)
            store.sign_ins.update_one(tx, row.id, outcome=None)
            _finish(tx, row, saved.name, now)
    except AccountExists as error:
        raise BadInput("name", error.said) from None
    if services.wake is not None:
        services.wake()
    return saved.name
