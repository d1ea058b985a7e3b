"""What an attempt to ask the upstream came to. By itself, because what asks is slow to load."""

from collections.abc import Mapping
from dataclasses import dataclass

from quota_web.core.faults import Fault
from quota_web.core.quota import Snapshot, Status


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What became of one attempt: a snapshot, or a fault."""

    status: Status
    #: None where no answer came.
    http_status: int | None = None
    snapshot: Snapshot | None = None
    fault: Fault | None = None
    #: Seconds that the upstream asks to wait.
    retry_after_s: int | None = None
    #: As they came, cookies masked; only where they were asked for, like the body.
    headers: Mapping[str, str] | None = None
    body_bytes: bytes | None = None
    requests_sent: int = 0
    duration_ms: int = 0
    #: True where the stop of the program cut it off: then it says nothing about the account.
    dropped: bool = False
    #: True where new credentials are still to come, so that it says nothing about the account yet.
    awaits_renewal: bool = False

    @property
    def says_nothing(self) -> bool:
        """Whether nothing of it is stored."""
        return self.dropped or self.awaits_renewal
