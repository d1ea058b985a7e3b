"""Credentials → auth.json: a new file, or one that exists with other tokens in their places."""

import json
from datetime import UTC, datetime

from quota_web.codex import account_discovery, auth_file, auth_text
from quota_web.codex.account_discovery import Found, JsonObject
from quota_web.codex.credentials import (
    Credentials,
    foreign,
    named_account_id,
    only,
    outcome,
    refused,
    split,
)
from quota_web.codex.json_guard import JsonRefused
from quota_web.core.account_identity import may_be_same
from quota_web.core.errors import CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.secret import Secret


def to_document(credentials: Credentials) -> bytes:
    """A new file in the Codex CLI's own shape, for export and for accounts that have no file
    yet.
    """
    tokens: JsonObject = {
        "id_token": _revealed(credentials.id_token) or "",
        "access_token": credentials.access_token.reveal(),
        "refresh_token": _revealed(credentials.refresh_token) or "",
        "account_id": credentials.account_id,
    }
    document: JsonObject = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
    said = auth_file.parse(document)
    beside = {"email": (credentials.email, said.email), "plan_type": (credentials.plan, said.plan)}
    beside |= {
        "chatgpt_user_id": (credentials.user_id, said.user_id),
        "client_id": (credentials.client_id, said.client_id),
    }
    document.update(
        {name: known for name, (known, in_tokens) in beside.items() if known and known != in_tokens}
    )
    return _dumped(document)


def updated(raw: bytes | None, credentials: Credentials) -> bytes:
    """The file *raw* with the tokens of *credentials* in the places that its shape has for them;
    unknown fields are kept.

    Tokens that *credentials* lacks stay as they are, unless the file held another login: then they
    are emptied. A file that is missing or no JSON is replaced by a new one; one of several logins
    or of another service raises CredentialsRefused.
    """
    try:
        document = auth_text.document(raw or b"")
    except JsonRefused:
        return to_document(credentials)
    if not isinstance(document, dict | list):
        return to_document(credentials)
    items = split(document)
    places, same_login = _places(items, credentials)
    if any(item.in_text or not (item.where or item.among) for item in places):
        raise refused("file_unreadable", "its tokens are kept in a text; import it instead")
    for item in places:
        _write(item, credentials, same_login)
    return _dumped(document)


def _places(items: list[Found], credentials: Credentials) -> tuple[list[Found], bool]:
    """Where the tokens of the one login stand, and whether it is the login of *credentials*."""
    try:
        chosen, before = only(items)
    except CredentialsRefused:
        own = [item for item in items if foreign(item) is None]
        usable = [item for item in own if not isinstance(outcome(item), Fault)]
        if len(usable) > 1 or not own:
            raise
        return [next((item for item in own if item.where), own[0])], False
    return [item for item in items if item is chosen or outcome(item) == before], _is_same_login(
        before, credentials
    )


def _is_same_login(before: Credentials, after: Credentials) -> bool:
    """Whether tokens of both may stand beside each other: one account id is shared by all users of
    a workspace.
    """
    # With the same token only the account id was corrected.
    return before.access_token == after.access_token or may_be_same(before.login, after.login)


def _write(item: Found, credentials: Credentials, same_login: bool) -> None:
    """Put the tokens where the entry keeps them, and its expiry in step with them."""
    where = list(item.where)
    if not where:
        among = item.among or []
        among[among.index(item.bare)] = json.loads(to_document(credentials))
        return
    if account_discovery.holds_agent_identity(where) or (
        item.access is None and account_discovery.holds_api_key(where)
    ):
        where[-1].update({"auth_mode": "chatgpt", "tokens": {}})
        where = [where[-1]["tokens"], where[-1]]  # type: ignore[list-item]
    home = where[0]
    for names, value in (
        (account_discovery.REFRESH, credentials.refresh_token),
        (account_discovery.ID, credentials.id_token),
    ):
        holder = _holder(where, names)
        if value is not None or (holder is not None and not same_login):
            _put(holder or home, names, _revealed(value) or "")
    _put_access(home, item.access, credentials.access_token.reveal())
    if (
        named_account_id(item) is not None
        or account_discovery.web_account_id(where) != credentials.account_id
    ):
        _put(
            _holder([home, *item.beside, *where[1:]], account_discovery.ACCOUNT_ID) or home,
            account_discovery.ACCOUNT_ID,
            credentials.account_id,
        )
    if credentials.expires_at is not None:
        for part in where[:2]:
            part.update(
                {
                    name: _moment_like(part[name], credentials.expires_at)
                    for name in account_discovery.EXPIRY
                    if _is_moment(part.get(name))
                }
            )


def _put_access(home: JsonObject, access: str | None, token: str) -> None:
    """Put an access token where the last one was; under a name that says so where it would not be
    found there again.
    """
    name = access or next(
        (name for name in account_discovery.ACCESS[:2] if name in home), account_discovery.ACCESS[0]
    )
    home[name] = token
    if account_discovery.access_field(home) != name:
        del home[name]
        home[account_discovery.ACCESS[0]] = token


def _holder(where: list[JsonObject], names: tuple[str, ...]) -> JsonObject | None:
    """The object that has one of these fields, even an empty one."""
    return next((part for part in where if any(name in part for name in names)), None)


def _put(part: JsonObject, names: tuple[str, ...], value: str) -> None:
    part[next((name for name in names if name in part), names[0])] = value


def _is_moment(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and bool(value)


def _moment_like(old: object, at: int) -> object:
    """A moment written the way *old* was: milliseconds, seconds or ISO 8601."""
    if isinstance(old, str):
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return at * 1000 if isinstance(old, int | float) and old > 1e11 else at


def _dumped(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None
