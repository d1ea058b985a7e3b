"""The words for how a renewal stands, and for what a pressed "Renew now" came to: the one place of
both. Times stand in them as ISO text, which pages put into the reader's words. Pure.
"""

from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.core.times import iso_text
from quota_web.reports.renewal_state import NO_REFRESH_TOKEN, RESTING, SETTING, RenewalState

#: Why a renewal did not get through, or has ended; other codes are shown as they are.
_CODES = {
    "refresh_token_reused": mark("its refresh token was used elsewhere"),
    "refresh_token_expired": mark("its refresh token has expired"),
    "refresh_token_invalidated": mark("it was revoked: `codex logout` anywhere does that"),
    "app_session_terminated": mark("the session was ended at ChatGPT"),
    "other_identity": mark("tokens of another login came back"),
    "used_before": mark("its refresh token had been used before"),
    "used_under_another_name": mark("the same sign-in is renewed under another name"),
    "invalid_client": mark("its refresh token belongs to another program"),
    "not_reached": mark("ChatGPT was not reached"),
    "no_answer": mark("no answer came"),
    "process_ended": mark("the service ended meanwhile"),
    "unusable_answer": mark("the answer could not be read"),
    "address_blocked": mark("this machine’s address is refused"),
    "unsupported_country_region_territory": mark("the country of this machine is not served"),
    "sealed_unreadable": mark("the stored token cannot be opened with the present key"),
    "no_access_token": mark("the answer had no access token"),
    "access_token_expired": mark("the access token that came had ended already"),
}
#: Why it is off, as a sentence.
_OFF = {
    SETTING: mark("Not renewed: QUOTA_RENEW is off."),
    NO_REFRESH_TOKEN: mark("Not renewed: it has no refresh token."),
    "restored": mark(
        "Not renewed: it came from a backup, and a newer copy of its refresh token may be in use."
    ),
    "moved": mark("Not renewed here: it was copied to another database, which renews it."),
    "handed_over": mark("Not renewed here: its refresh token was handed over in an export."),
}
_SHORT = {
    Renewal.ON: mark("renewed by itself"),
    Renewal.OFF: mark("not renewed"),
    Renewal.UNSURE: mark("renewal unsure"),
    Renewal.DEAD: mark("renewal has ended"),
    RESTING: mark("renewals rest"),
}


def short(found: RenewalState) -> str:
    """In a few words."""
    if found.is_renewing:
        return _("renewing")
    if found.kind == CredentialKind.FILE:
        return _("renewed by its file’s owner")
    return _(_SHORT[found.state])


def why(code: str | None) -> str:
    """A reason in words; a code that is not known is shown as it is."""
    return _(_CODES[code]) if code in _CODES else code or ""


def sentences(found: RenewalState) -> list[str]:
    """How it stands and what to do, a sentence each."""
    said = [_state(found)]
    if found.is_renewing:
        said.insert(0, _("Renewing: the access token is of no use until then."))
    elif found.is_paused:
        said = [_("Paused: nothing is sent, so it is not renewed.")]
    if found.sign_in_by is not None and found.kind == CredentialKind.FILE:
        by = iso_text(found.sign_in_by)
        said.append(_("By %(time)s run codex once on that machine, or sign in here.", time=by))
    elif found.sign_in_by is not None:
        said.append(_("Sign in again by %(time)s.", time=iso_text(found.sign_in_by)))
    return said


def _state(found: RenewalState) -> str:
    next_at = "" if found.next_at is None else iso_text(found.next_at)
    if found.kind == CredentialKind.FILE:
        return _("Renewed by the program that owns the file.")
    if found.state == RESTING:
        return _("Answers were lost, so nothing is renewed before %(time)s.", time=next_at)
    if found.state == Renewal.UNSURE:
        return _unsure(found, next_at)
    if found.state == Renewal.DEAD:
        return _("Its renewal has ended: %(reason)s.", reason=why(found.code))
    if found.state == Renewal.OFF:
        return _off(found)
    if found.code is None:
        return _("Renewed by itself, next about %(time)s.", time=next_at)
    return _(
        "The last renewal did not get through: %(reason)s. It is tried again about %(time)s.",
        reason=why(found.code),
        time=next_at,
    )


def _unsure(found: RenewalState, next_at: str) -> str:
    if not next_at:
        return _(
            "It is not known whether the last two renewals arrived: %(reason)s.",
            reason=why(found.code),
        )
    return _(
        "It is not known whether the last renewal arrived: %(reason)s. It is tried once more "
        "about %(time)s.",
        reason=why(found.code),
        time=next_at,
    )


def _off(found: RenewalState) -> str:
    if found.code in _OFF:
        return _(_OFF[found.code])
    if found.kind == CredentialKind.COPY:
        return _("Not renewed: the program that it was copied from may do that.")
    return _("Its renewal is switched off.")


#: What a press came to, by its outcome.
_PRESSED = {
    "renewed": mark("renewed"),
    "renewed_partly": mark("a new refresh token is stored, but no access token came"),
    "other_identity": mark("tokens of another login came back; they are kept aside"),
    "not_taken": mark("not renewed: %(reason)s; nothing is lost"),
    "dead": mark("its renewal has ended: %(reason)s; sign in again"),
    "unsure": mark("no usable answer: %(reason)s; whether it was renewed is not known"),
    "refused_request": mark("the request was refused: %(reason)s"),
    "nothing_to_renew": mark("has nothing that is renewed here; sign in"),
    "switched_off": mark("not renewed: QUOTA_RENEW is off"),
    "paused": mark("is paused, so nothing is sent"),
    "is_unsure": mark(
        "nothing was sent: whether the last renewal arrived is not known; sign in again"
    ),
    "is_dead": mark("nothing was sent: its renewal has ended (%(reason)s); sign in again"),
    "resting": mark(
        "nothing was sent: answers were lost, renewals rest until %(time)s; or sign in again"
    ),
    "too_soon": mark("nothing was sent: one renewal a minute; the next may begin at %(time)s"),
    "no_room": mark("nothing was sent: the disk is full"),
    "held": mark("nothing was sent: another process renews it, or it has just changed"),
    "unopened": mark("nothing was sent: the stored token cannot be opened with the present key"),
}


def pressed(outcome: str, code: str | None, failure: str | None, time: str) -> str:
    """What a pressed "Renew now" came to; *time* is when it may be pressed again."""
    reason = failure or why(code) or _("no reason given")
    return _(_PRESSED[outcome], reason=reason, time=time)
