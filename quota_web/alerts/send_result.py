"""What came of one try to send a message. Never the receiver's answer: whoever may add a channel
could read with it what only this machine can.
"""

from dataclasses import dataclass
from enum import StrEnum


class SendCode(StrEnum):
    SENT = "sent"
    #: It may not be sent there, now or later.
    FORBIDDEN = "forbidden"
    #: No answer came.
    NO_ANSWER = "no_answer"
    #: An answer came that is no success.
    REFUSED = "refused"
    #: The receiver wants no more.
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class SendResult:
    code: SendCode
    #: Of HTTP; None where there was none.
    status: int | None = None
    #: Why it failed, in a few words without any address.
    reason: str | None = None
    #: What the receiver asks to wait.
    retry_after_s: int | None = None
    duration_ms: int = 0

    @property
    def text(self) -> str | None:
        """Why it failed, as the database keeps it."""
        if self.code is SendCode.SENT:
            return None
        return self.reason or (f"HTTP {self.status}" if self.status else str(self.code))
