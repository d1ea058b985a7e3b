"""Logins as people paste and upload them, and what is stored of one."""

import io
import json

from quota_web import store
from quota_web.accounts import account_service, stored_credentials
from quota_web.codex import auth_file
from quota_web.codex.auth_file import Credentials
from tests.fakes import auth_document, make_jwt
from tests.installation import Installation


def document(
    account_id: str = "acct-1",
    user_id: str = "user-1",
    email: str | None = "a@example.com",
    **tokens: object,
) -> dict[str, object]:
    """An auth.json whose tokens name one user and an e-mail address."""
    held = {
        "access_token": make_jwt(account_id, user_id=user_id),
        "id_token": make_jwt(account_id, user_id=user_id, email=email),
        **tokens,
    }
    return auth_document(account_id, **held)  # type: ignore[arg-type]


def text(*args: str, **kwargs: str | None) -> str:
    """The same as it is pasted."""
    return json.dumps(document(*args, **kwargs))  # type: ignore[arg-type]


def upload(name: str, *args: str, **kwargs: str | None) -> tuple[io.BytesIO, str]:
    """The same as a file field sends it."""
    return (io.BytesIO(text(*args, **kwargs).encode()), name)


def managed(installation: Installation, name: str = "alice") -> Installation:
    """The house with an account that is kept in it, asked once."""
    account_service.add(
        installation.services.cipher, name, auth_file.parse(document()), installation.now, "test"
    )
    installation.ask(name)
    return installation


def stored(installation: Installation, name: str) -> Credentials:
    """The credentials of an account in the clear."""
    with store.database.reading() as conn:
        found = store.accounts.get_by_name(conn, name)
        sealed = store.credentials.get_by_ids(conn, [found.id])[found.id]
    return stored_credentials.opened(installation.services.cipher, found, sealed)
