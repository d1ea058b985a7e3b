"""What becomes of a claim on a refresh token: the answer's tokens and the state of the renewal, in
one transaction that the caller opens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import spare_credentials
from quota_web.accounts.spare_credentials import Spare
from quota_web.codex.renewal_answer import NewTokens, RenewalAnswer, Verdict
from quota_web.core import renewal_policy
from quota_web.core.quota import Status
from quota_web.core.renewal_policy import Renewal
from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import ACCESS, IDENTITY, REFRESH, TokenCipher
from quota_web.store.renewals import Claim

#: Kinds of events.
RENEWED, FAILED = "credential.renewed", "credential.renewal_failed"
#: What is noted of a claim that no process will finish.
LOST = "process_ended"
USED_BEFORE, OTHER_NAME = "used_before", "used_under_another_name"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and whose token it is for."""

    account: Account
    #: As it was when the token was read.
    credential: EncryptedCredential
    claim_id: int
    answer: RenewalAnswer


def store_answer(
    tx: Connection, cipher: TokenCipher, answered: Answered, now: int, actor: str
) -> None:
    """Store what came back for a claim: tokens first of all.

    They go aside where the account has other tokens by now, and nowhere where it is gone.
    """
    account, answer = answered.account, answered.answer
    claim = store.renewals.of_claim(tx, answered.claim_id)
    before = store.credentials.get_by_ids(tx, [account.id]).get(account.id)
    # Without a claim nothing was sent.
    sent_fp = answered.credential.refresh_fp if claim is None else claim.refresh_fp
    is_ours = before is not None and before.refresh_fp == sent_fp
    if before is not None and sent_fp is not None and is_ours:
        tries = 1 if claim is None else claim.tries
        columns = _of_verdict(cipher, before, tries, answer, now)
        _change(tx, before, sent_fp, columns)
    if before is not None and (not is_ours or answer.verdict is Verdict.OTHER_IDENTITY):
        _keep_aside(tx, cipher, before, answered, now)
    if claim is not None:
        _end(tx, claim, answer, before if is_ours else None, now)
    _tell(tx, account.id, answer, before if is_ours else None, now, actor)


def save_tokens(tx: Connection, cipher: TokenCipher, answered: Answered, now: int) -> None:
    """The least that keeps an answer's tokens, where storing it as it should be has failed: they go
    aside, and the token that was sent is never sent again.
    """
    account_id, answer = answered.account.id, answered.answer
    before = store.credentials.get_by_ids(tx, [account_id]).get(account_id)
    if before is not None:
        _keep_aside(tx, cipher, before, answered, now)
    store.renewals.end(tx, answered.claim_id, answer.verdict, now, answer.code)


def _change(
    tx: Connection, before: EncryptedCredential, sent_fp: str, columns: dict[str, Any]
) -> None:
    """Change the credential whose token was sent; a renewal that was switched off meanwhile stays
    off, with the new tokens if there are any.
    """
    if before.renewal not in (Renewal.ON, Renewal.UNSURE):
        columns = {name: value for name, value in columns.items() if name not in _OF_STATE}
    if columns:
        store.renewals.set_state(tx, before.account_id, sent_fp, columns)


_OF_STATE = ("renewal", "renewal_code", "renew_at")


def _of_verdict(
    cipher: TokenCipher,
    before: EncryptedCredential,
    tries: int,
    answer: RenewalAnswer,
    now: int,
) -> dict[str, Any]:
    tokens = answer.tokens
    if answer.verdict in (Verdict.RENEWED, Verdict.RENEWED_PARTLY) and tokens is not None:
        return _of_tokens(cipher, before, tokens, answer, now)
    columns: dict[str, Any] = {"renewal_code": answer.code}
    if answer.verdict is Verdict.NOT_TAKEN:
        failures = before.renewal_failures + 1
        retry_at = renewal_policy.retry_at(failures, answer.retry_after_s, now)
        return columns | {"renewal_failures": failures, "renew_at": retry_at}
    if answer.verdict is Verdict.UNSURE:
        return columns | _unsure(before, tries, now)
    refusals = _refusals(before, answer)
    if _is_as_before(before, answer):
        retry_at = renewal_policy.retry_at(refusals, answer.retry_after_s, now)
        return columns | {"renewal_refusals": refusals, "renew_at": retry_at}
    return columns | {"renewal": Renewal.DEAD, "renew_at": None, "renewal_refusals": refusals}


def _refusals(before: EncryptedCredential | None, answer: RenewalAnswer) -> int:
    """How many requests in a row were refused as such, with this one."""
    return (before.renewal_refusals if before else 0) + (answer.verdict is Verdict.REFUSED_REQUEST)


def _is_as_before(before: EncryptedCredential | None, answer: RenewalAnswer) -> bool:
    """Whether the token that was sent was not taken, and may be sent again."""
    if answer.verdict is Verdict.REFUSED_REQUEST:
        return _refusals(before, answer) < renewal_policy.REFUSALS_MOST
    return answer.verdict is Verdict.NOT_TAKEN


def _unsure(before: EncryptedCredential, tries: int, now: int) -> dict[str, Any]:
    """The state after a lost answer; the second one is the last."""
    if tries > 1:
        return {"renewal": Renewal.UNSURE, "renew_at": None}
    again_at = renewal_policy.second_try_at(before.access_expires_at, before.updated_at, now)
    if before.refused_at is not None:
        # There is no access token to go on with.
        again_at = min(again_at, now + renewal_policy.SECOND_TRY_AFTER)
    return {"renewal": Renewal.UNSURE, "renew_at": again_at}


def _of_tokens(
    cipher: TokenCipher,
    before: EncryptedCredential,
    tokens: NewTokens,
    answer: RenewalAnswer,
    now: int,
) -> dict[str, Any]:
    owner = before.account_id
    columns: dict[str, Any] = {
        "renewal": Renewal.ON,
        "renewal_code": answer.code,
        "renewal_refusals": 0,
        "key_id": cipher.key_id,
        "version": before.version + 1,
    }
    if tokens.refresh_token is not None:
        columns |= {
            "refresh_sealed": cipher.seal(tokens.refresh_token, owner, REFRESH),
            "refresh_fp": cipher.fingerprints(tokens.refresh_token)[0],
        }
    if tokens.id_token is not None:
        columns["id_sealed"] = cipher.seal(tokens.id_token, owner, IDENTITY)
    expires_at, issued_at = before.access_expires_at, None
    if tokens.access_token is not None and _is_better(tokens, before, now):
        expires_at, issued_at = tokens.expires_at, tokens.issued_at
        columns |= {
            "access_sealed": cipher.seal(tokens.access_token, owner, ACCESS),
            "access_fp": tokens.access_token.fingerprint(),
            "access_expires_at": expires_at,
            "refused_at": None,
            "updated_at": now,
        }
    if answer.verdict is Verdict.RENEWED_PARTLY:
        failures = before.renewal_failures + 1
        retry_at = renewal_policy.retry_at(failures, answer.retry_after_s, now)
        return columns | {"renewal_failures": failures, "renew_at": retry_at}
    due_at = renewal_policy.drawn_due_at(expires_at, issued_at, now)
    # A token that ends sooner than it should must not be renewed in a loop.
    due_at = max(due_at, now + renewal_policy.BACKOFF_FIRST)
    return columns | {"renewal_failures": 0, "renewed_at": now, "renew_at": due_at}


def _is_better(tokens: NewTokens, before: EncryptedCredential, now: int) -> bool:
    """Whether the new access token is worth more than the stored one: no answer may leave the
    account worse off.
    """
    ends_at, ended_at = tokens.expires_at, before.access_expires_at
    if ends_at is None or ended_at is None:
        return True
    if ends_at <= now:
        return False
    return before.refused_at is not None or ends_at >= ended_at


def _keep_aside(
    tx: Connection,
    cipher: TokenCipher,
    before: EncryptedCredential,
    answered: Answered,
    now: int,
) -> None:
    """Keep tokens that are not the account's, or came when it had others."""
    tokens = answered.answer.tokens
    is_others = answered.answer.verdict is Verdict.OTHER_IDENTITY
    if tokens is None:
        return
    why = spare_credentials.OTHER_LOGIN if is_others else spare_credentials.LATE
    brought = (tokens.access_token, tokens.refresh_token, tokens.id_token)
    kept = Spare(why, now, answered.credential.kind, *brought)
    owner = before.account_id
    sealed = spare_credentials.with_newest(cipher, owner, before.spare_sealed, kept)
    store.credentials.set_spare(tx, owner, sealed)


def _end(
    tx: Connection,
    claim: Claim,
    answer: RenewalAnswer,
    before: EncryptedCredential | None,
    now: int,
) -> None:
    """Close the claim, or open it again where the token can still be sent."""
    if _is_as_before(before, answer):
        store.renewals.give_back(tx, claim, now)
    elif answer.tokens is not None and answer.tokens.refresh_token is None:
        # The old token stays the present one, whatever try this was.
        store.renewals.give_back(tx, replace(claim, tries=1), now)
    else:
        store.renewals.end(tx, claim.claim_id, answer.verdict, now, answer.code)
    if answer.verdict is Verdict.UNSURE:
        _rest_if_many_are_lost(tx, now)


def _rest_if_many_are_lost(tx: Connection, now: int) -> None:
    lost = store.renewals.lost_since(tx, now - renewal_policy.LOST_WITHIN_S)
    if lost >= renewal_policy.LOST_MOST:
        store.renewals.wait_until(tx, now + renewal_policy.REST_S)


def _tell(
    tx: Connection,
    account_id: int,
    answer: RenewalAnswer,
    before: EncryptedCredential | None,
    now: int,
    actor: str,
) -> None:
    """Note it, and let the account be looked at where its access token is new or of no use."""
    found = store.accounts.get_by_id(tx, account_id)
    if found is None:
        return
    kind = RENEWED if answer.verdict is Verdict.RENEWED else FAILED
    said = {"result": str(answer.verdict), "code": answer.code, "request": answer.request_id}
    told = {name: value for name, value in said.items() if value is not None}
    store.renewals.count_result(tx, answer.verdict)
    store.audit_log.add(tx, now, kind, actor, found.id, name=found.name, **told)
    if before is not None:
        _look_again(tx, found, before, now)
    store.accounts.bump_version(tx, found.id)
    store.site_state.bump_version(tx, now)


def _look_again(tx: Connection, found: Account, before: EncryptedCredential, now: int) -> None:
    """Let an account be refreshed soon whose access token was of no use, when it has another one
    now or nothing will bring one.
    """
    after = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
    is_expired = found.last_status is Status.EXPIRED
    if after is None or not (is_expired or before.is_useless(now)):
        return
    is_new = after.access_fp != before.access_fp
    if is_new and is_expired:
        store.accounts.set_fault(tx, found.id, None)
    if is_new or not after.may_be_renewed:
        store.accounts.update_account(tx, found.id, next_due_at=now)


def give_back(tx: Connection, claim_id: int, now: int) -> None:
    """Undo a claim of which nothing was sent."""
    claim = store.renewals.of_claim(tx, claim_id)
    if claim is not None:
        store.renewals.give_back(tx, claim, now)


def end_lost(tx: Connection, claim: Claim, now: int) -> None:
    """Mark a claim whose process died: its token may be used up, so it is flagged and not sent
    again before long.
    """
    if not store.renewals.end_open(tx, claim.claim_id, Renewal.UNSURE, now, LOST):
        return
    account_id, answer = claim.account_id, RenewalAnswer(Verdict.UNSURE, LOST)
    before = store.credentials.get_by_ids(tx, [account_id]).get(account_id)
    if before is not None and before.refresh_fp == claim.refresh_fp:
        columns = _unsure(before, claim.tries, now) | {"renewal_code": LOST}
        _change(tx, before, claim.refresh_fp, columns)
    else:
        before = None
    _rest_if_many_are_lost(tx, now)
    _tell(tx, account_id, answer, before, now, "schedule")


def adopt(tx: Connection, account_id: int, fingerprints: Sequence[str], now: int) -> None:
    """Let the state of a credential follow what is known of its token, which could not be claimed:
    it was sent under another name, or before it was stored here again.
    """
    claim = store.renewals.of_tokens(tx, fingerprints)
    held = store.credentials.get_by_ids(tx, [account_id]).get(account_id)
    if claim is None or claim.outcome is None or held is None or held.refresh_fp is None:
        return
    if held.refresh_fp not in fingerprints or not held.may_be_renewed:
        return
    columns = state_after(held, claim, now)
    store.renewals.set_state(tx, account_id, held.refresh_fp, columns)
    store.accounts.bump_version(tx, account_id)
    store.site_state.bump_version(tx, now)


def state_after(held: EncryptedCredential, claim: Claim, now: int) -> dict[str, Any]:
    """How the renewal of a credential stands whose token was claimed before."""
    if claim.outcome == Renewal.UNSURE and claim.account_id == held.account_id:
        return _unsure(held, claim.tries, now) | {"renewal_code": claim.code}
    code = USED_BEFORE if claim.account_id == held.account_id else OTHER_NAME
    return {"renewal": Renewal.DEAD, "renewal_code": code, "renew_at": None}
