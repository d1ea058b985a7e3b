"""auth.json in every shape → Credentials.

What is wrong with a file is a `CredentialsRefused` that carries the fault; nothing of the file's content is in its text.
An expired token is not refused here: that is judged later, by someone who knows what time it is.
"""

import json
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from quota_web.codex import auth_shapes, claims
from quota_web.codex.auth_shapes import MAX_ENTRIES, MAX_FILE, BrokenLine, Found, JsonObject, first_text
from quota_web.codex.json_guard import JsonRefused, size_in_words
from quota_web.codex.text import clean
from quota_web.errors import CredentialsRefused
from quota_web.faults import Fault
from quota_web.logins import Login, may_be_same
from quota_web.secret import Secret

MAX_TOKEN = 16_384
MAX_NAME = 80
#: Waits before the next try to read a file that its owner is just writing (the Codex CLI truncates it in place): a second in all.
READ_WAITS_S = (0.05, 0.1, 0.2, 0.3, 0.35)

_TOKEN = re.compile(r"[\x21-\x7e]+")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to ask for one account's quota, with what its tokens and its file say of whose it is."""

    access_token: Secret
    refresh_token: Secret | None
    id_token: Secret | None
    account_id: str
    user_id: str | None = None
    email: str | None = None
    plan: str | None = None
    #: Epoch seconds; None where the access token does not say.
    expires_at: int | None = None
    fedramp: bool = False
    #: The program that the refresh token was issued to.
    client_id: str | None = None

    @property
    def login(self) -> Login:
        return Login(self.account_id, self.user_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """One account of a file to import: its credentials, or the reason why they cannot be used."""

    name: str | None
    credentials: Credentials | None
    fault: Fault | None


def parse(document: object) -> Credentials:
    """The credentials of the one account in *document* (decoded JSON, or a bare token). Raises CredentialsRefused."""
    return _credentials(_only(document))


def read(raw: bytes) -> Credentials:
    """The credentials of a file of one account, given as bytes. Raises CredentialsRefused."""
    try:
        return parse(_document(raw))
    except JsonRefused as error:
        raise _refused("file_unreadable", str(error)) from None


def entries(raw: bytes, file_name: str) -> list[Entry]:
    """Every account in a file to import, usable or not; never raises for what is in it.

    Names come from the entry, else the e-mail address, else *file_name*.
    """
    try:
        found = [item for document in auth_shapes.documents(raw) for item in auth_shapes.split(document)]
    except JsonRefused as error:
        return [Entry(_file_stem(file_name), None, Fault("file_unreadable", {"reason": str(error)}))]
    if not found or len(found) > MAX_ENTRIES:
        reason = "no account in it" if not found else f"more than {MAX_ENTRIES} accounts"
        return [Entry(_file_stem(file_name), None, Fault("file_unreadable", {"reason": reason}))]
    stem = _file_stem(file_name)
    alone = sum(item.other_platform is None for item in found) < 2
    return [_entry(item, stem if alone else f"{stem}-{number}") for number, item in enumerate(found, 1)]


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most 2 MiB; symbolic links are followed. Raises CredentialsRefused.

    A pipe, a device or a folder is refused without waiting for it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _refused("file_unreadable", "not a regular file")
            raw = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise CredentialsRefused(Fault("file_gone")) from None
    except IsADirectoryError:
        raise _refused("file_unreadable", "not a regular file") from None
    except (OSError, ValueError) as error:
        words = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "not a usable file name"
        raise _refused("file_unreadable", words) from None
    if len(raw) > MAX_FILE:
        raise _refused("file_unreadable", f"larger than {size_in_words(MAX_FILE)}")
    return raw


def read_path(path: Path, sleep: Callable[[float], object] = time.sleep) -> Credentials:
    """The credentials in a file, which may be half-written at this moment. Raises CredentialsRefused.

    A file that looks like the beginning of one is read several times within a second.
    """
    return read_whole(path, sleep)[1]


def read_whole(path: Path, sleep: Callable[[float], object] = time.sleep) -> tuple[bytes, Credentials]:
    """Like `read_path`, with the bytes that the credentials were read from. Raises CredentialsRefused."""
    for wait in (*READ_WAITS_S, None):
        raw = read_file(path)
        try:
            return raw, parse(_document(raw))
        except JsonRefused as error:
            if not error.incomplete or wait is None:
                raise _refused("file_unreadable", str(error)) from None
        sleep(wait)
    raise AssertionError("the last try returns or raises")


def to_document(credentials: Credentials) -> bytes:
    """A new file in the Codex CLI's own shape, for export and for accounts that have no file yet."""
    tokens: JsonObject = {
        "id_token": _revealed(credentials.id_token) or "",
        "access_token": credentials.access_token.reveal(),
        "refresh_token": _revealed(credentials.refresh_token) or "",
        "account_id": credentials.account_id,
    }
    document: JsonObject = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
    said = parse(document)
    beside = {"email": (credentials.email, said.email), "plan_type": (credentials.plan, said.plan)}
    beside |= {"chatgpt_user_id": (credentials.user_id, said.user_id), "client_id": (credentials.client_id, said.client_id)}
    document.update({name: known for name, (known, in_tokens) in beside.items() if known and known != in_tokens})
    return _dumped(document)


def updated(raw: bytes | None, credentials: Credentials) -> bytes:
    """The file *raw* with the tokens of *credentials* in the places that its shape has for them; unknown fields are kept.

    Tokens that *credentials* lacks stay as they are, unless the file held another login: then they are emptied.
    A file that is missing or no JSON is replaced by a new one; one of several accounts or of another service raises CredentialsRefused.
    """
    try:
        document = _document(raw or b"")
    except JsonRefused:
        return to_document(credentials)
    entry = _only(document)
    if not isinstance(entry, dict):
        return to_document(credentials)
    try:
        same_login = _is_same_login(_credentials(entry), credentials)
    except CredentialsRefused:
        same_login = False
    _write(entry, credentials, same_login)
    return _dumped(document)


def _is_same_login(before: Credentials, after: Credentials) -> bool:
    """Whether tokens of both may stand beside each other: one account id is shared by all users of a workspace."""
    # With the same token only the account id was corrected.
    return before.access_token == after.access_token or may_be_same(before.login, after.login)


def _write(entry: JsonObject, credentials: Credentials, same_login: bool) -> None:
    """Put the tokens where the entry keeps them, and its expiry in step with them."""
    if auth_shapes.holds_agent_identity(entry) or _access_fault(entry) == "api_key":
        entry["auth_mode"], entry["tokens"] = "chatgpt", {}
    where = auth_shapes.layers(entry)
    home = _holder(where, auth_shapes.ACCESS) or where[0]
    for names, value in ((auth_shapes.REFRESH, credentials.refresh_token), (auth_shapes.ID, credentials.id_token)):
        holder = _holder(where, names)
        if value is not None or (holder is not None and not same_login):
            _put(holder or home, names, _revealed(value) or "")
    _put(home, auth_shapes.ACCESS, credentials.access_token.reveal())
    if first_text(where, auth_shapes.ACCOUNT_ID) is not None or auth_shapes.web_account_id(entry) != credentials.account_id:
        _put(_holder(where, auth_shapes.ACCOUNT_ID) or home, auth_shapes.ACCOUNT_ID, credentials.account_id)
    if credentials.expires_at is not None:
        for part in where:
            part.update({name: _moment_like(part[name], credentials.expires_at) for name in auth_shapes.EXPIRY if part.get(name)})


def _access_fault(entry: JsonObject) -> str | None:
    fault = _fault_of(entry)
    return fault.code if fault else None


def _holder(where: list[JsonObject], names: tuple[str, ...]) -> JsonObject | None:
    """The object that has one of these fields, even an empty one."""
    return next((part for part in where if any(name in part for name in names)), None)


def _put(part: JsonObject, names: tuple[str, ...], value: str) -> None:
    part[next((name for name in names if name in part), names[0])] = value


def _moment_like(old: object, at: int) -> object:
    """A moment written the way *old* was: milliseconds, seconds or ISO 8601."""
    if isinstance(old, str):
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return at * 1000 if isinstance(old, int | float) and old > 1e11 else at


def _dumped(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _document(raw: bytes) -> object:
    found = auth_shapes.documents(raw)
    return found[0] if len(found) == 1 else found


def _only(document: object) -> object:
    """The one entry of a document that is ChatGPT's."""
    found = list(auth_shapes.split(document))
    own = [item for item in found if item.other_platform is None]
    if len(own) > 1:
        usable = [item for item in own if _fault_of(item.entry) is None]
        if len(usable) > 1:
            raise _refused("file_unreadable", f"holds {len(usable)} accounts; import it instead")
        own = usable or own
    if not own:
        raise CredentialsRefused(_other(found[0])) if found else _refused("file_unreadable", "no account in it")
    return own[0].entry


def _fault_of(entry: object) -> Fault | None:
    try:
        _credentials(entry)
    except CredentialsRefused as refused:
        return refused.fault
    return None


def _entry(item: Found, file_stem: str) -> Entry:
    if item.other_platform is not None:
        return Entry(_usable_name(item.name) or file_stem, None, _other(item))
    try:
        credentials = _credentials(item.entry)
    except CredentialsRefused as refused:
        return Entry(_usable_name(item.name) or file_stem, None, refused.fault)
    return Entry(_usable_name(item.name) or _usable_name(credentials.email) or file_stem, credentials, None)


def _other(item: Found) -> Fault:
    return Fault("other_platform", {"platform": item.other_platform or "?"})


def _file_stem(file_name: str) -> str:
    """A file's name without folder and the ends that auth files have."""
    stem = re.split(r"[/\\]", file_name)[-1]
    for end in (".json", ".jsonl", ".txt", ".auth"):
        stem = stem[: -len(end)] if stem.lower().endswith(end) else stem
    return _usable_name(stem) or "account"


def _usable_name(name: str | None) -> str | None:
    """A suggested name made fit for an account: no path separators, no leading dot, short enough."""
    return clean(re.sub(r"[/\\]", "-", name).lstrip("."), MAX_NAME) if name else None


def _credentials(entry: object) -> Credentials:
    """The credentials in a single entry. Raises CredentialsRefused."""
    if isinstance(entry, BrokenLine):
        raise _refused("file_unreadable", f"not valid JSON (line {entry.number})")
    if isinstance(entry, str):
        entry = {"refresh_token" if auth_shapes.is_refresh_token(auth_shapes.strip_bearer(entry)) else "access_token": entry}
    if not isinstance(entry, dict):
        raise _refused("file_unreadable", "not a JSON object")
    where = auth_shapes.layers(entry)
    access = _access_token(entry, where)
    id_value = first_text(where, auth_shapes.ID)
    id_token, refresh_token = _optional_token(id_value), _optional_token(first_text(where, auth_shapes.REFRESH))
    id_claims = claims.of(id_value) if isinstance(id_value, dict) else claims.read(id_token)
    access_claims = claims.read(access)
    found = Credentials(
        access_token=Secret(access),
        refresh_token=Secret(refresh_token) if refresh_token else None,
        id_token=Secret(id_token) if id_token else None,
        account_id=_account_id(entry, where, id_claims, access_claims),
        expires_at=access_claims.expires_at,
        fedramp=id_claims.fedramp or access_claims.fedramp,
    )
    return _with_owner(found, entry, where, id_claims, access_claims)


def _with_owner(found: Credentials, entry: JsonObject, where: list[JsonObject], of_id: claims.Claims, of_access: claims.Claims) -> Credentials:
    """Add whose the credentials are: the tokens' claims first, since files get copied and edited."""
    user = auth_shapes.web_user(entry)
    return replace(
        found,
        user_id=of_id.user_id or of_access.user_id or clean(first_text(where, auth_shapes.USER_ID)) or clean(user.get("id")),
        email=of_id.email or of_access.email or clean(first_text([*where, user], auth_shapes.EMAIL)),
        plan=of_id.plan or of_access.plan or clean(first_text(where, auth_shapes.PLAN)),
        client_id=clean(first_text(where, auth_shapes.CLIENT_ID)) or of_access.client_id or of_id.client_id,
    )


def _access_token(entry: JsonObject, where: list[JsonObject]) -> str:
    if auth_shapes.holds_agent_identity(entry):
        raise CredentialsRefused(Fault("agent_identity"))
    value = first_text(where, auth_shapes.ACCESS)
    if value is None:
        if auth_shapes.holds_api_key(entry):
            raise CredentialsRefused(Fault("api_key"))
        if first_text(where, auth_shapes.REFRESH) is not None:
            raise CredentialsRefused(Fault("refresh_token_only"))
        raise CredentialsRefused(Fault("missing_access_token"))
    if not isinstance(value, str):
        raise _refused("bad_access_token", "is not text")
    return _checked_token(auth_shapes.strip_bearer(value))


def _checked_token(token: str) -> str:
    if not token:
        raise CredentialsRefused(Fault("missing_access_token"))
    if token.startswith("sess-"):
        raise CredentialsRefused(Fault("session_token"))
    if token.startswith("sk-"):
        raise CredentialsRefused(Fault("api_key"))
    if auth_shapes.is_refresh_token(token):
        raise CredentialsRefused(Fault("refresh_token_only"))
    if len(token) > MAX_TOKEN:
        raise _refused("bad_access_token", f"is longer than {MAX_TOKEN} characters")
    if not _TOKEN.fullmatch(token):
        raise _refused("bad_access_token", "has characters that no token has (spaces, line breaks or non-ASCII)")
    if token.count(".") == 4:
        raise CredentialsRefused(Fault("encrypted_token"))
    return token


def _optional_token(value: object) -> str | None:
    """A refresh or id token if it is one; a broken one is as good as none, for nothing here depends on it."""
    token = auth_shapes.strip_bearer(value) if isinstance(value, str) else ""
    return token if len(token) <= MAX_TOKEN and _TOKEN.fullmatch(token) else None


def _account_id(entry: JsonObject, where: list[JsonObject], of_id: claims.Claims, of_access: claims.Claims) -> str:
    """The account id that the file names, else the id token's, else the access token's."""
    value = first_text(where, auth_shapes.ACCOUNT_ID) or auth_shapes.web_account_id(entry)
    if value is not None:
        if not isinstance(value, str):
            raise _refused("bad_account_id", "is not text")
        if not _ACCOUNT_ID.fullmatch(value.strip()):
            raise _refused("bad_account_id", "may hold letters, digits, _ and - only, 128 at most")
        return value.strip()
    for claim in (of_id.account_id, of_access.account_id):
        if claim and _ACCOUNT_ID.fullmatch(claim):
            return claim
    raise CredentialsRefused(Fault("missing_account_id"))


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None


def _refused(code: str, reason: str) -> CredentialsRefused:
    return CredentialsRefused(Fault(code, {"reason": reason}))
