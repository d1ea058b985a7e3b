"""How the renewal of an account's sign-in stands, as pages and commands tell it. Pure."""

from dataclasses import dataclass
from typing import Any

from quota_web.core import renewal_policy
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.core.times import iso
from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential

#: A state beside those of `Renewal`: it is on, and nothing is renewed for some hours.
RESTING = "resting"
#: Why renewal is off where no credential says so.
SETTING, NO_REFRESH_TOKEN = "setting", "no_refresh_token"


@dataclass(frozen=True, slots=True)
class RenewalState:
    """What may be told of it; no token is part of it. Times are epoch seconds."""

    kind: str
    #: `on`, `off`, `unsure`, `dead` or `resting`.
    state: str
    access_ends_at: int | None
    #: When it is renewed next; None where it is not.
    next_at: int | None
    last_at: int | None
    #: Why it is not simply on.
    code: str | None
    #: By when a person has to sign in again; None where none is needed.
    sign_in_by: int | None
    #: Whether a renewal has to come before quota can be read.
    is_renewing: bool
    is_paused: bool
    #: Whether a person may renew it now, and may switch its renewal on or off.
    may_press: bool
    may_switch: bool


def of(
    account: Account,
    sealed: EncryptedCredential | None,
    not_before: int | None,
    now: int,
    *,
    renews: bool,
) -> RenewalState | None:
    """None where no credential is stored. *not_before* is the moment before which nothing is
    renewed, *renews* whether the settings let sign-ins be renewed.
    """
    if sealed is None:
        return None
    can = renews and sealed.may_be_renewed
    resting = can and renewal_policy.is_resting(not_before, now)
    state = str(sealed.renewal) if renews else str(Renewal.OFF)
    next_at = sealed.renew_at if can and account.paused_at is None else None
    if next_at is not None and resting and not_before is not None:
        next_at = max(next_at, not_before)
    has_token = sealed.refresh_sealed is not None
    is_on = state == Renewal.ON
    ends_at = sealed.access_expires_at
    return RenewalState(
        kind=sealed.kind,
        state=RESTING if resting and is_on else state,
        access_ends_at=ends_at,
        next_at=next_at,
        last_at=sealed.renewed_at,
        code=_code(sealed, renews),
        sign_in_by=None if can and is_on and account.paused_at is None else ends_at,
        is_renewing=renews and sealed.is_renewing(now) and account.paused_at is None,
        is_paused=account.paused_at is not None,
        may_press=is_on and not resting and account.paused_at is None,
        may_switch=has_token and sealed.kind != CredentialKind.FILE and renews,
    )


def _code(sealed: EncryptedCredential, renews: bool) -> str | None:
    if sealed.kind == CredentialKind.FILE:
        return None
    if not renews:
        return SETTING
    return NO_REFRESH_TOKEN if sealed.refresh_sealed is None else sealed.renewal_code


def document(found: RenewalState | None) -> dict[str, Any] | None:
    """The same for programs."""
    if found is None:
        return None
    return {
        "kind": found.kind,
        "access_ends_at": iso(found.access_ends_at),
        "renewal": {
            "state": found.state,
            "next_at": iso(found.next_at),
            "last_at": iso(found.last_at),
            "code": found.code,
            "sign_in_by": iso(found.sign_in_by),
        },
    }
