"""Act: what the schedule tidies up beside asking: histories of deleted accounts, old readings, the database's log."""

import threading


class Chores:
    def __init__(self, retention_days: int | None) -> None:
        self._retention_days = retention_days

    def work(self, now: int, stop: threading.Event) -> bool:
        return False
