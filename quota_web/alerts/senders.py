"""What sends: the client of webhooks and the program for everything else, as the settings say."""

from functools import cached_property

from quota_web.alerts.apprise_runner import AppriseRunner
from quota_web.alerts.webhook_client import WebhookClient
from quota_web.config import Settings


class Senders:
    """Both are made at first use; safe to use from many threads once they are."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def webhooks(self) -> WebhookClient:
        found = self._settings
        return WebhookClient(
            found.alert_targets,
            found.user_agent,
            https_proxy=found.https_proxy,
            no_proxy=found.no_proxy,
            ca_bundle=found.ca_bundle,
        )

    @cached_property
    def apprise(self) -> AppriseRunner:
        found = self._settings
        return AppriseRunner(
            found.alert_targets,
            https_proxy=found.https_proxy,
            no_proxy=found.no_proxy,
            ca_bundle=found.ca_bundle,
        )

    def close(self) -> None:
        """Cut what is under way; nothing can be sent any more."""
        for name in ("webhooks", "apprise"):
            if name in vars(self):
                getattr(self, name).close()
