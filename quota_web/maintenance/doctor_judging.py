"""What the doctor says of accounts whose readings are not judged."""

from collections.abc import Iterator

from quota_web import store
from quota_web.core import names
from quota_web.core.checkout import COMMAND
from quota_web.core.errors import BadDatabase
from quota_web.foresight import detector_persistence
from quota_web.foresight.incremental_detection import CATCH_UP
from quota_web.maintenance.findings import Finding, Level


def findings() -> Iterator[Finding]:
    """A line for the accounts that no refresh catches up with; nothing where there are none, or
    the database cannot be read.
    """
    place = store.health.place()
    if place is not None and not place.is_there:
        return
    try:
        with store.database.reading() as conn:
            ids = [int(name) for name in detector_persistence.load(conn).unjudged]
            late = [i for i in ids if store.history.size(conn, i).readings > CATCH_UP]
            accounts = store.accounts.get_by_ids(conn, late)
    except BadDatabase:
        return
    if accounts:
        named = ", ".join(sorted(names.printable(a.name) for a in accounts.values()))
        text = f"the readings of {named} are not judged: resets and cycles are missing"
        yield Finding("cycles", Level.WARN, text, f"run `{COMMAND} doctor --rebuild`")
