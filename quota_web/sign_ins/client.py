"""The client of the sign-in's side, by the settings."""

from quota_web.codex.oauth import OAuthClient
from quota_web.services import Services, oauth_client


def make_client(services: Services) -> OAuthClient:
    """One for a few requests; the caller closes it."""
    return oauth_client(services.settings)
