"""What the schedule's jobs show of their health: signs of life, lasting troubles, idleness.

The caller guards it by a lock of its own.
"""

from quota_web.core import clock

#: Seconds that a run may bring no result, and that chores may take in all.
RUN_S, CHORES_MOST_S = 240.0, 3_600.0

#: A generation of the schedule and a job's name.
Job = tuple[int, str]


class JobHealth:
    """The jobs under way and what went wrong lately, in one process."""

    def __init__(self, idle_after_s: float) -> None:
        self._idle_after_s = idle_after_s
        #: Jobs with their last sign of life, those of schedules that were left behind included.
        self.running: dict[Job, float] = {}
        #: By kind of job: how often in a row it failed, and how it failed last.
        self._troubles: dict[str, tuple[int, str]] = {}
        #: Since when accounts have been due and none was in flight, and how many are.
        self._idle_since: float | None = None
        self._waiting = 0

    def alive(self, job: Job) -> None:
        """Note a sign of life."""
        self.running[job] = clock.monotonic()

    def progressed(self, job: Job) -> None:
        """Note that an account was refreshed."""
        self.alive(job)
        self._idle_since = None

    def failed(self, kind: str, text: str) -> bool:
        """Note a failure; returns whether it is another one than before."""
        times_seen, before = self._troubles.get(kind, (0, ""))
        self._troubles[kind] = (times_seen + 1, text)
        return text != before

    def succeeded(self, kind: str) -> None:
        """Forget the failures of *kind*."""
        self._troubles.pop(kind, None)

    def failures(self, kind: str) -> int:
        """How often in a row *kind* has failed."""
        return self._troubles.get(kind, (0, ""))[0]

    def note_waiting(self, waiting: int) -> None:
        """Remember since when accounts wait though none is in flight."""
        self._waiting = waiting
        if not waiting:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = clock.monotonic()

    def complaint(self) -> str | None:
        """What is wrong, None where nothing is."""
        lasting = [text for times_seen, text in self._troubles.values() if times_seen > 1]
        return lasting[0] if lasting else self._hung() or self._idle()

    def _hung(self) -> str | None:
        """What the oldest run that shows no sign of life is, if that is too long ago."""
        now = clock.monotonic()
        for (_, name), alive_at in sorted(self.running.items(), key=lambda job: job[1]):
            kind = name.partition("-")[0]
            most_s = CHORES_MOST_S if kind == "chores" else RUN_S
            if kind != "tick" and now - alive_at > most_s:
                return f"a run ({kind}) has brought nothing for {now - alive_at:.0f} s"
        return None

    def _idle(self) -> str | None:
        """That accounts are due and none is refreshed, if it lasts."""
        idle_s = 0.0 if self._idle_since is None else clock.monotonic() - self._idle_since
        if idle_s <= self._idle_after_s:
            return None
        return f"{self._waiting} accounts are due and none has been refreshed for {idle_s:.0f} s"
