"""The results document in the file that QUOTA_STATE_FILE names, whole at every moment."""

import logging

from quota_web import store
from quota_web.core import clock, names
from quota_web.reports.overview import ViewCache
from quota_web.reports.results_json import EntryCache
from quota_web.services import Services

logger = logging.getLogger(__name__)


def write(services: Services) -> str | None:
    """Write the file, where the settings name one; returns why it cannot be written, if so."""
    file = services.settings.state_file
    if file is None:
        return None
    interval = services.settings.refresh_interval
    seen = services.the(ViewCache).overview(services.scope, clock.now(), interval)
    try:
        store.filesystem.write_private(file, services.the(EntryCache).document(seen))
    except OSError as error:
        shown = names.printable(str(file))
        return f"QUOTA_STATE_FILE: {shown} cannot be written: {error.strerror}"
    return None


def write_or_log(services: Services) -> None:
    """The same for a server: what is wrong becomes a line of its log."""
    if (fault := write(services)) is not None:
        logger.error(fault)
