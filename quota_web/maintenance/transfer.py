"""Act: move the whole history into another database, such as from SQLite to PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from quota_web import store
from quota_web.config import database_url
from quota_web.core.errors import BadInput
from quota_web.maintenance import transfer_rows
from quota_web.maintenance.transfer_rows import Progress, Sum
from quota_web.store.filesystem import DatabaseLock


@contextmanager
def alone(presence: DatabaseLock | None) -> Iterator[int]:
    """Keep every other process off our SQLite file meanwhile: what a service stored after the copy
    began would be left behind.

    Raises BadDatabase where another one uses it. A server lets nobody be kept off: says how many
    others are connected to our database there.
    """
    file = store.database.file()
    if file is None or presence is None:
        yield store.health.other_connections()
        return
    if not presence.alone():
        raise store.filesystem.in_use(file)
    try:
        yield 0
    finally:
        presence.shared()


def copy_to(url: str, progress: Progress) -> dict[str, Sum]:
    """Copy everything to the database at *url* and compare both sides; *progress* is told a table,
    rows done, rows in all.

    Raises BadInput where *url* is no address or that database is not empty, BadDatabase where it
    cannot be used.
    """
    try:
        checked = database_url(url)
    except ValueError:
        raise BadInput("url", "give an address such as postgresql://USER@HOST/NAME") from None
    return transfer_rows.copy(checked, progress)
