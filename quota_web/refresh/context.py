"""What a refresh works with in this app, and the accounts brought in step with their folders before
it.
"""

from quota_web.accounts import folder_sync
from quota_web.accounts.folder_sync import SyncResult
from quota_web.core import clock
from quota_web.core.policy import Intervals
from quota_web.refresh import hooks, refresh_service
from quota_web.refresh.refresh_service import RefreshContext
from quota_web.services import Services

__all__ = ["make_context", "sync_folders"]


def make_context(
    services: Services, keep_raw: bool = False, by_button: bool = False
) -> RefreshContext:
    """The context of a refresh that a person wants; with *by_button* the reading of an exhausted
    account answers less long.
    """
    settings = services.settings
    cache_s = settings.cache_seconds
    return RefreshContext(
        services.client,
        services.cipher,
        Intervals(settings.refresh_interval, settings.active_interval, settings.skip_cache),
        settings.concurrency,
        clock.now,
        services.stop,
        keep_raw=keep_raw,
        cache_s=min(cache_s, refresh_service.BUTTON_CACHE_S) if by_button else cache_s,
        renews=services.renews,
        hooks=hooks.hooks(),
    )


def sync_folders(services: Services) -> list[SyncResult]:
    """Bring the accounts in step with their folders; the results, a folder each."""
    settings = services.settings
    return [
        folder_sync.sync(services.cipher, folder, clock.now())
        for folder in folder_sync.folders(settings.account_dir, settings.account_dir_named)
    ]
