"""What commands and requests need: settings, the cipher for tokens, the client of the upstream, and
a database that is up to date.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, current_app

from quota_web import store
from quota_web.config import Settings
from quota_web.store.accounts import Scope
from quota_web.store.encryption import TokenCipher
from quota_web.store.locks import DatabaseLock

if TYPE_CHECKING:
    from quota_web.codex.client import UsageClient
    from quota_web.codex.oauth import OAuthClient


T = TypeVar("T")

#: How long after the signal to end a renewal under way may last.
HURRY_S = 7.0


class Services:
    """What one app needs. Nothing is opened, read or connected to before its first use."""

    def __init__(self, settings: Settings, client: "UsageClient | None" = None) -> None:
        self.settings = settings
        self.cipher = TokenCipher(
            settings.instance_dir, settings.secret_key, settings.secret_key_old
        )
        #: Set when the process is to end: nothing more is sent, and waits end.
        self.stop = threading.Event()
        #: Wakes the schedule of this process; None where none runs.
        self.wake: Callable[[], None] | None = None
        #: When the command was given that this process is for; None where it serves many.
        self.began_at: int | None = None
        #: Held while this process renews a sign-in: its answer may be the only copy of a token.
        self.renewal_lock = threading.Lock()
        self._client = client
        self._oauth: OAuthClient | None = None
        self._parts: dict[type, Any] = {}
        self._is_ready = False
        #: Shows a restore that this process uses the database.
        self._presence: DatabaseLock | None = None
        self._lock = threading.Lock()

    @property
    def scope(self) -> Scope:
        """The accounts that this app refreshes and shows: all of them, unless a folder was named;
        then that folder's and the managed ones.
        """
        return Scope(
            folder=self.settings.account_dir if self.settings.account_dir_named else None,
            only=self.settings.only_account,
        )

    @property
    def renews(self) -> bool:
        """Whether sign-ins are renewed at all."""
        return self.settings.renew != "off"

    @property
    def client(self) -> "UsageClient":
        """The upstream's client; made at first use, because requests is slow to load."""
        with self._lock:
            if self._client is None:
                self._client = _client(self.settings, self.stop)
            return self._client

    @property
    def oauth(self) -> "OAuthClient":
        """The client of the sign-in's side; made at first use."""
        with self._lock:
            if self._oauth is None:
                self._oauth = _oauth_client(self.settings)
            return self._oauth

    def the(self, part: type[T]) -> T:
        """The one *part* of its kind that this app has, such as what it keeps of its accounts; made
        at first use.
        """
        with self._lock:
            if part not in self._parts:
                self._parts[part] = part()
            found: T = self._parts[part]
            return found

    @property
    def presence(self) -> DatabaseLock | None:
        """The lock that shows other processes that this one uses the SQLite file; None before
        `ready`, and for PostgreSQL.
        """
        return self._presence

    def close(self) -> None:
        """Let go of the upstream's connections and of the database's lock, where there are any."""
        with self._lock:
            client, self._client = self._client, None
            oauth, self._oauth = self._oauth, None
        if client is not None:
            client.close()
        if oauth is not None:
            oauth.close()
        self.leave_database()

    def leave_database(self) -> None:
        """Let go of the database's lock, where there is one; `ready` takes it again."""
        with self._lock:
            presence, self._presence = self._presence, None
            self._is_ready = False
        if presence is not None:
            presence.leave()

    def end(self) -> None:
        """Send nothing more, and cut requests under way; responses that came are still stored.

        A renewal under way is not cut: it ends within a few seconds.
        """
        self.stop.set()
        with self._lock:
            client, oauth = self._client, self._oauth
        if oauth is not None:
            oauth.hurry(HURRY_S)
        if client is not None:
            client.cut()

    def ready(self) -> None:
        """Bring the database up to date, once a process."""
        if not self._is_ready:
            with self._lock:
                self._presence = store.schema.ensure(self.cipher)
                self._is_ready = True


def init_app(app: Flask, client: "UsageClient | None" = None) -> None:
    app.extensions["quota_services"] = Services(app.config["SETTINGS"], client)


def services() -> Services:
    """The services of the current app."""
    return cast(Services, current_app.extensions["quota_services"])


def _client(settings: Settings, stop: threading.Event) -> "UsageClient":
    from quota_web.codex.client import UsageClient

    return UsageClient(
        settings.usage_url,
        settings.user_agent,
        https_proxy=settings.https_proxy,
        no_proxy=settings.no_proxy,
        ca_bundle=settings.ca_bundle,
        retries=settings.retries,
        retry_delay=settings.retry_delay,
        timeout=settings.timeout,
        pool_size=settings.concurrency,
        stop=stop,
    )


def _oauth_client(settings: Settings) -> "OAuthClient":
    """A client of the sign-in's side, as the settings say."""
    from quota_web.codex.oauth import OAuthClient

    return OAuthClient(
        settings.auth_url,
        settings.oauth_client_id,
        settings.user_agent,
        https_proxy=settings.https_proxy,
        no_proxy=settings.no_proxy,
        ca_bundle=settings.ca_bundle,
    )
