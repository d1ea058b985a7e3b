"""What `doctor` says of each thing that it looks at."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is."""

    what: str
    verdict: Level
    text: str
    #: What to do; empty where there is nothing to do.
    advice: str = ""


def mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size < 2**30 else f"{size / 2**30:,.1f} GiB"
