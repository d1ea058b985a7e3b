"""The client of the sign-in's side, by the settings."""

from quota_web.codex.oauth import OAuthClient
from quota_web.services import Services


def make_client(services: Services) -> OAuthClient:
    """One for a few requests; the caller closes it."""
    settings = services.settings
    return OAuthClient(
        settings.auth_url,
        settings.oauth_client_id,
        settings.user_agent,
        https_proxy=settings.https_proxy,
        no_proxy=settings.no_proxy,
        ca_bundle=settings.ca_bundle,
    )
