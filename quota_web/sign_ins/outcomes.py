"""What becomes of a sign-in, and the words for it."""

from enum import StrEnum

from quota_web.core.errors import QuotaError
from quota_web.core.language import lookup, mark


class SignInState(StrEnum):
    """The state of a sign-in, as `/api/sign-in/<id>` calls it."""

    WAITING = "waiting"
    DONE = "done"
    DECLINED = "declined"
    EXPIRED = "expired"
    UNAVAILABLE = "unavailable"
    BLOCKED = "blocked"
    OTHER_IDENTITY = "other_identity"
    FAILED = "failed"


class SignInRefused(QuotaError):
    """A sign-in that cannot begin or go on; *outcome* and *code* say why to a program."""

    def __init__(
        self, outcome: SignInState, code: str | None, message: str, /, **data: object
    ) -> None:
        self.outcome, self.code = outcome, code
        super().__init__(message, **data)


#: By the outcome, where the code says nothing more.
_WORDS = {
    SignInState.WAITING: mark("Waiting for you to sign in."),
    SignInState.DONE: mark("Signed in."),
    SignInState.DECLINED: mark(
        "ChatGPT says that the sign-in was declined. Start again if that was not meant."
    ),
    SignInState.EXPIRED: mark("The time for this sign-in is over. Start again."),
    SignInState.UNAVAILABLE: mark(
        "ChatGPT offers no sign-in by a code here. Use the link instead."
    ),
    SignInState.BLOCKED: mark(
        "ChatGPT answers this machine's address with a challenge or not at all, so nothing can be "
        "signed in from here. Try again later, or through QUOTA_HTTPS_PROXY."
    ),
    SignInState.OTHER_IDENTITY: mark("You signed in with another login than this account's."),
    SignInState.FAILED: mark("The sign-in did not work. Start again."),
}
#: By the code, which says more.
_MORE = {
    "answer_lost": mark("ChatGPT's answer did not arrive, and a code works once. Start again."),
    "no_answer": mark("ChatGPT's answer did not arrive, and a code works once. Start again."),
    "not_reached": mark("ChatGPT's sign-in cannot be reached from here. Try again later."),
    "key_changed": mark("The key of this installation was changed meanwhile. Start again."),
    "cancelled": mark("The sign-in was cancelled."),
    "name_taken": mark("Another login has that name by now. Start again under another one."),
}


#: What a person tries too late.
OVER = mark("this sign-in is over; start again")


def message(outcome: SignInState, code: str | None = None) -> str:
    """One or two sentences, as a message to translate."""
    return _MORE.get(code or "") or _WORDS[outcome]


def words(outcome: SignInState, code: str | None) -> str:
    """The same in the current language."""
    return lookup(message(outcome, code))
