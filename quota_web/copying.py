"""Act: move the whole history into another database, such as from SQLite to PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from quota_web.config import database_url
from quota_web.errors import BadInput
from quota_web.store import condition, engine, files
from quota_web.store import copying as store
from quota_web.store.copying import Progress, Sum
from quota_web.store.files import Presence


@contextmanager
def alone(presence: Presence | None) -> Iterator[int]:
    """Keep every other process off our SQLite file meanwhile: what a service stored after the copy began would be left behind.

    Raises BadDatabase where another one uses it. A server lets nobody be kept off: says how many others are connected to our database there.
    """
    file = engine.file()
    if file is None or presence is None:
        yield condition.other_connections()
        return
    if not presence.alone():
        raise files.in_use(file)
    try:
        yield 0
    finally:
        presence.shared()


def copy_to(url: str, progress: Progress) -> dict[str, Sum]:
    """Copy everything to the database at *url* and compare both sides; *progress* is told a table, rows done, rows in all.

    Raises BadInput where *url* is no address or that database is not empty, BadDatabase where it cannot be used.
    """
    try:
        checked = database_url(url)
    except ValueError:
        raise BadInput("url", "give an address such as postgresql://USER@HOST/NAME") from None
    return store.copy(checked, progress)
