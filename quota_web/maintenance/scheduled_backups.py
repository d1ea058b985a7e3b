"""One verified backup a day in the folder that `QUOTA_BACKUP_DIR` names, of which the newest are
kept.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from quota_web import store
from quota_web.core import times
from quota_web.core.errors import BadSetting
from quota_web.maintenance import backup
from quota_web.maintenance.findings import Finding, Level, mib
from quota_web.services import services

logger = logging.getLogger(__name__)

#: Nothing else in the folder is touched. The day is that of UTC.
NAME = re.compile(r"codex-quota-\d{4}-\d{2}-\d{2}\.sqlite")
#: One that is older than this was missed.
OLD_S = 2 * 86_400
LOCK = "scheduled-backup.lock"


@dataclass(frozen=True, slots=True)
class Kept:
    """The backups that are there: how many, and the newest one's time and size in bytes."""

    count: int
    newest_at: int
    newest_size: int


def chore(now: int) -> None:
    """What the schedule does each hour, where `QUOTA_BACKUP_DIR` is set."""
    settings = services().settings
    if settings.backup_dir is not None:
        run(settings.backup_dir, settings.backup_keep, settings.instance_dir, now)


def run(folder: Path, keep: int, instance_dir: Path, now: int) -> Path | None:
    """Make today's backup if it is not there yet, and delete all but the newest *keep*.

    Returns the new file; None where there is nothing to do. Raises BadSetting (the folder cannot
    be written, the disk is full), BadDatabase or BadInput. Old ones go only once a new one is good.
    """
    target = folder / f"codex-quota-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}.sqlite"
    if os.path.lexists(target):
        return None
    _make(folder)
    with _alone(instance_dir / LOCK) as is_alone:
        # Another process makes it, or has made it meanwhile.
        if not is_alone or os.path.lexists(target):
            return None
        content = backup.backup(target)
        for old in _backups(folder)[keep:]:
            old.unlink(missing_ok=True)
    logger.info("backup: %s, %d bytes", target, content.size)
    return target


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Whether this process alone makes a backup during the block."""
    descriptor = store.locks.lock_file(lock)
    try:
        yield store.locks.try_lock(descriptor)
    finally:
        os.close(descriptor)


def kept(folder: Path) -> Kept | None:
    """What is there; None for no backup, or a folder that cannot be read."""
    try:
        found = _backups(folder)
        if not found:
            return None
        newest = found[0].stat()
    except OSError:
        return None
    return Kept(len(found), int(newest.st_mtime), newest.st_size)


def finding(folder: Path, zone: tzinfo | None, now: int) -> Finding:
    """How old the newest one is, for `doctor`."""
    found = kept(folder)
    if found is None:
        text = f"{folder}: holds none yet"
        return Finding("backups", Level.WARN, text, "the service makes one a day")
    text = (
        f"{folder}: {found.count}, the newest of {times.local(found.newest_at, zone)} "
        f"({mib(found.newest_size)})"
    )
    if now - found.newest_at <= OLD_S:
        return Finding("backups", Level.OK, text)
    advice = "see why in the service's log; a backup is due once a day"
    return Finding("backups", Level.WARN, text, advice)


def _backups(folder: Path) -> list[Path]:
    """The newest first; their names hold their days."""
    return sorted((p for p in folder.iterdir() if NAME.fullmatch(p.name)), reverse=True)


def _make(folder: Path) -> None:
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            store.filesystem.sync_name(folder)
    except OSError as error:
        reason = store.filesystem.no_entry(folder, error)
        raise BadSetting(f"QUOTA_BACKUP_DIR: {reason}") from None
