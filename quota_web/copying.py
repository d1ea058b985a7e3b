"""Act: move the whole history into another database, such as from SQLite to PostgreSQL."""

from quota_web.config import database_url
from quota_web.errors import BadInput
from quota_web.store import copying as store
from quota_web.store.copying import Progress, Sum


def copy_to(url: str, progress: Progress) -> dict[str, Sum]:
    """Copy everything to the database at *url* and compare both sides; *progress* is told a table, rows done, rows in all.

    Raises BadInput where *url* is no address or that database is not empty, BadDatabase where it cannot be used.
    """
    try:
        checked = database_url(url)
    except ValueError:
        raise BadInput("url", "give an address such as postgresql://USER@HOST/NAME") from None
    return store.copy(checked, progress)
