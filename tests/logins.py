"""Logins as people paste and upload them, and what is stored of one."""

import io
import json

from quota_web import accounts
from quota_web.codex import auth_file
from quota_web.codex.auth_file import Credentials
from quota_web.store import accounts as store
from quota_web.store import engine
from tests.fakes import auth_document, make_jwt
from tests.house import House


def document(account_id: str = "acct-1", user_id: str = "user-1", email: str | None = "a@example.com", **tokens: object) -> dict[str, object]:
    """An auth.json whose tokens name one user and an e-mail address."""
    held = {"access_token": make_jwt(account_id, user_id=user_id), "id_token": make_jwt(account_id, user_id=user_id, email=email), **tokens}
    return auth_document(account_id, **held)  # type: ignore[arg-type]


def text(*args: str, **kwargs: str | None) -> str:
    """The same as it is pasted."""
    return json.dumps(document(*args, **kwargs))  # type: ignore[arg-type]


def upload(name: str, *args: str, **kwargs: str | None) -> tuple[io.BytesIO, str]:
    """The same as a file field sends it."""
    return (io.BytesIO(text(*args, **kwargs).encode()), name)


def managed(house: House, name: str = "alice") -> House:
    """The house with an account that is kept in it, asked once."""
    accounts.add(house.world.sealer, name, auth_file.parse(document()), house.now, "test")
    house.ask(name)
    return house


def stored(house: House, name: str) -> Credentials:
    """The credentials of an account in the clear."""
    with engine.reading() as conn:
        found = store.by_name(conn, name)
        sealed = store.credentials(conn, [found.id])[found.id]
    return accounts.opened(house.world.sealer, found, sealed)
