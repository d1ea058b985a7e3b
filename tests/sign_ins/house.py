"""An installation and its issuer together: accounts are signed in, time passes, sign-ins are
renewed.
"""

import json
from dataclasses import replace
from typing import Any

from quota_web import store
from quota_web.accounts import account_service, spare_credentials, stored_credentials
from quota_web.accounts.spare_credentials import Spare
from quota_web.codex import auth_file
from quota_web.codex.auth_file import Credentials
from quota_web.codex.renewal_answer import RenewalAnswer
from quota_web.services import services
from quota_web.sign_ins import own_credentials, renewal_service
from quota_web.sign_ins.renewal_service import Pressed, Renewals
from quota_web.store.credentials import EncryptedCredential
from tests import logins
from tests.fakes import NOW
from tests.installation import Installation
from tests.issuer import DAY, FakeIssuer

#: More than a minute later: the next renewal may begin.
LATER = 61


class House:
    """One installation whose accounts are signed in at one issuer; both have the same clock."""

    def __init__(self, installation: Installation, issuer: FakeIssuer) -> None:
        self.installation, self.issuer = installation, issuer
        issuer.now = lambda: installation.now

    def sign_in(self, name: str = "alice", number: int = 1, **claims: Any) -> str:
        """Sign in here; the refresh token."""
        made = self.issuer.sign_in(f"acct-{number}", f"user-{number}", **claims)
        with store.database.transaction() as tx:
            cipher = services().cipher
            found = credentials_of(made, number)
            own_credentials.store_own(tx, cipher, name, found, self.installation.now, "test")
        return made["refresh_token"]

    def paste(self, name: str = "alice", number: int = 1, **options: Any) -> str:
        """Paste a copy of a sign-in that was made elsewhere; the refresh token."""
        made = self.issuer.sign_in(f"acct-{number}", f"user-{number}")
        account_service.add(
            services().cipher,
            name,
            credentials_of(made, number),
            self.installation.now,
            "test",
            **options,
        )
        return made["refresh_token"]

    def renewals(self, **changes: Any) -> Renewals:
        made = renewal_service.make(services(), "test")
        context = replace(made.context, now=lambda: self.installation.now)
        return replace(made, context=context, **changes)

    def renew_due(self, after: int = LATER, **changes: Any) -> RenewalAnswer | None:
        """What the schedule does, so many seconds later."""
        self.installation.now += after
        return renewal_service.renew_due(self.renewals(**changes))

    def renew_now(self, name: str = "alice", after: int = LATER) -> Pressed:
        """What a person does, so many seconds later."""
        self.installation.now += after
        return renewal_service.renew_now(self.renewals(), name)

    def make_due(self, name: str = "alice") -> None:
        """Let the time pass until the renewal is due."""
        self.installation.now = max(self.installation.now, self.held(name).renew_at or 0)

    def held(self, name: str = "alice") -> EncryptedCredential:
        with store.database.reading() as conn:
            found = store.accounts.get_by_name(conn, name)
            return store.credentials.get_by_ids(conn, [found.id])[found.id]

    def state(self, name: str = "alice") -> tuple[str, str | None]:
        found = self.held(name)
        return found.renewal, found.renewal_code

    def tokens(self, name: str = "alice") -> Credentials:
        return logins.stored(self.installation, name)

    def refresh_token(self, name: str = "alice") -> str:
        return revealed(self.tokens(name))

    def spares(self, name: str = "alice") -> list[Spare]:
        found = self.held(name)
        return spare_credentials.opened(services().cipher, found.account_id, found.spare_sealed)

    def claims(self) -> list[tuple[Any, ...]]:
        return self.installation.rows("SELECT outcome, tries FROM renewal ORDER BY started_at")

    def kinds(self) -> list[str]:
        query = "SELECT kind FROM event WHERE kind LIKE 'credential.%' ORDER BY id"
        return [str(kind) for (kind,) in self.installation.rows(query)]


def revealed(found: Credentials | Spare) -> str:
    assert found.refresh_token is not None
    return found.refresh_token.reveal()


def credentials_of(made: dict[str, str], number: int = 1) -> Credentials:
    document = {"tokens": {**made, "account_id": f"acct-{number}"}}
    return auth_file.parse(json.loads(json.dumps(document)))


__all__ = ["DAY", "LATER", "NOW", "House", "credentials_of", "revealed", "stored_credentials"]
