"""auth.json in every shape → Credentials.

What is wrong with a file is a `CredentialsRefused` that carries the fault; nothing of the file's
content is in its text. An expired token is not refused here: that is judged later, by someone who
knows what time it is.
"""

import json
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from quota_web.codex import auth_formats, auth_text, entry_credentials, jwt
from quota_web.codex.auth_formats import Found, JsonObject, first_text
from quota_web.codex.auth_text import MAX_ENTRIES
from quota_web.codex.entry_credentials import MAX_TOKEN, Credentials, refused
from quota_web.codex.json_guard import JsonRefused, size_in_words
from quota_web.codex.text import clean
from quota_web.core.errors import CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.limits import MAX_CREDENTIALS
from quota_web.core.logins import may_be_same
from quota_web.core.secret import Secret

__all__ = [
    "MAX_TOKEN",
    "Credentials",
    "Entry",
    "entries",
    "parse",
    "read",
    "read_file",
    "read_path",
    "read_whole",
    "to_document",
    "updated",
]

MAX_NAME = 80
#: Waits before the next try to read a file that its owner is just writing (the Codex CLI truncates
#: it in place): a second in all.
READ_WAITS_S = (0.05, 0.1, 0.2, 0.3, 0.35)


@dataclass(frozen=True, slots=True)
class Entry:
    """One account of a file to import: its credentials, or the reason why they cannot be used."""

    name: str | None
    credentials: Credentials | None
    fault: Fault | None
    #: False for what stands among accounts, or in a file, and has nothing to do with signing in.
    is_sign: bool = True


def parse(document: object) -> Credentials:
    """The credentials of the one login in *document* (decoded JSON, or a bare token).

    Raises CredentialsRefused.
    """
    return _only(_split(document))[1]


def read(raw: bytes) -> Credentials:
    """The credentials of a file of one login, given as bytes. Raises CredentialsRefused."""
    try:
        return parse(_document(raw))
    except JsonRefused as error:
        raise refused("file_unreadable", str(error)) from None


def entries(raw: bytes, file_name: str) -> list[Entry]:
    """Every account in a file to import, usable or not; never raises for what is in it.

    Names come from the entry, else the e-mail address, else *file_name*.
    """
    stem = _file_stem(file_name)
    try:
        found = [
            item for document in auth_text.documents(raw) for item in auth_formats.split(document)
        ]
    except JsonRefused as error:
        return [Entry(stem, None, Fault("file_unreadable", {"reason": str(error)}))]
    if not found or len(found) > MAX_ENTRIES:
        reason = "no account in it" if not found else f"more than {MAX_ENTRIES} accounts"
        return [
            Entry(stem, None, Fault("file_unreadable", {"reason": reason}), is_sign=bool(found))
        ]
    alone = sum(item.service is None or item.service.kind != "other" for item in found) < 2
    return [
        _entry(item, stem if alone else f"{stem}-{number}") for number, item in enumerate(found, 1)
    ]


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most 2 MiB; symbolic links are followed. Raises
    CredentialsRefused.

    A pipe, a device or a folder is refused without waiting for it.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refused("file_unreadable", "not a regular file")
            raw = file.read(MAX_CREDENTIALS + 1)
    except FileNotFoundError:
        raise CredentialsRefused(Fault("file_gone")) from None
    except IsADirectoryError:
        raise refused("file_unreadable", "not a regular file") from None
    except (OSError, ValueError) as error:
        words = (
            os.strerror(error.errno).lower()
            if isinstance(error, OSError) and error.errno
            else "not a usable file name"
        )
        raise refused("file_unreadable", words) from None
    if len(raw) > MAX_CREDENTIALS:
        raise refused("file_unreadable", f"larger than {size_in_words(MAX_CREDENTIALS)}")
    return raw


def _without_waiting(path: str, flags: int) -> int:
    # Given to open(), which closes what this has opened also where that is a folder.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_path(path: Path, sleep: Callable[[float], object] = time.sleep) -> Credentials:
    """The credentials in a file, which may be half-written at this moment. Raises
    CredentialsRefused.

    A file that looks like the beginning of one is read several times within a second.
    """
    return read_whole(path, sleep)[1]


def read_whole(
    path: Path, sleep: Callable[[float], object] = time.sleep
) -> tuple[bytes, Credentials]:
    """Like `read_path`, with the bytes that the credentials were read from.

    Raises CredentialsRefused.
    """
    for wait in (*READ_WAITS_S, None):
        raw = read_file(path)
        try:
            return raw, parse(_document(raw))
        except JsonRefused as error:
            if not error.incomplete or wait is None:
                raise refused("file_unreadable", str(error)) from None
        sleep(wait)
    raise AssertionError("the last try returns or raises")


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
    said = parse(document)
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
        document = _document(raw or b"")
    except JsonRefused:
        return to_document(credentials)
    if not isinstance(document, dict | list):
        return to_document(credentials)
    items = _split(document)
    places, same_login = _places(items, credentials)
    if any(item.in_text or not (item.where or item.among) for item in places):
        raise refused("file_unreadable", "its tokens are kept in a text; import it instead")
    for item in places:
        _write(item, credentials, same_login)
    return _dumped(document)


def _places(items: list[Found], credentials: Credentials) -> tuple[list[Found], bool]:
    """Where the tokens of the one login stand, and whether it is the login of *credentials*."""
    try:
        chosen, before = _only(items)
    except CredentialsRefused:
        own = [item for item in items if _foreign(item) is None]
        usable = [item for item in own if not isinstance(_outcome(item), Fault)]
        if len(usable) > 1 or not own:
            raise
        return [next((item for item in own if item.where), own[0])], False
    return [item for item in items if item is chosen or _outcome(item) == before], _is_same_login(
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
    if auth_formats.holds_agent_identity(where) or (
        item.access is None and auth_formats.holds_api_key(where)
    ):
        where[-1].update({"auth_mode": "chatgpt", "tokens": {}})
        where = [where[-1]["tokens"], where[-1]]  # type: ignore[list-item]
    home = where[0]
    for names, value in (
        (auth_formats.REFRESH, credentials.refresh_token),
        (auth_formats.ID, credentials.id_token),
    ):
        holder = _holder(where, names)
        if value is not None or (holder is not None and not same_login):
            _put(holder or home, names, _revealed(value) or "")
    _put_access(home, item.access, credentials.access_token.reveal())
    if (
        entry_credentials.named_account_id(item) is not None
        or auth_formats.web_account_id(where) != credentials.account_id
    ):
        _put(
            _holder([home, *item.beside, *where[1:]], auth_formats.ACCOUNT_ID) or home,
            auth_formats.ACCOUNT_ID,
            credentials.account_id,
        )
    if credentials.expires_at is not None:
        for part in where[:2]:
            part.update(
                {
                    name: _moment_like(part[name], credentials.expires_at)
                    for name in auth_formats.EXPIRY
                    if _is_moment(part.get(name))
                }
            )


def _put_access(home: JsonObject, access: str | None, token: str) -> None:
    """Put an access token where the last one was; under a name that says so where it would not be
    found there again.
    """
    name = access or next(
        (name for name in auth_formats.ACCESS[:2] if name in home), auth_formats.ACCESS[0]
    )
    home[name] = token
    if auth_formats.access_field(home) != name:
        del home[name]
        home[auth_formats.ACCESS[0]] = token


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


def _document(raw: bytes) -> object:
    found = auth_text.documents(raw, whole=True)
    return found[0] if len(found) == 1 else found


def _split(document: object) -> list[Found]:
    try:
        return auth_formats.split(document)
    except JsonRefused as error:
        raise refused("file_unreadable", str(error)) from None


def _only(items: list[Found]) -> tuple[Found, Credentials]:
    """The one login of a document: where it stands, and its credentials.

    Of several tokens of it the one that lasts longest.
    """
    own = [item for item in items if _foreign(item) is None]
    if not own:
        nothing = Fault("file_unreadable", {"reason": "no account in it"})
        raise CredentialsRefused(
            next((fault for item in items if (fault := _foreign(item))), nothing)
        )
    usable = [(item, made) for item in own if isinstance(made := _outcome(item), Credentials)]
    if not usable:
        raise CredentialsRefused(
            next(made for item in own if isinstance(made := _outcome(item), Fault))
        )
    logins = {
        made.login if made.login.is_known else (made.access_token, made.account_id)
        for _, made in usable
    }
    if len(logins) > 1:
        raise refused("file_unreadable", f"holds {len(logins)} accounts; import it instead")
    return max(usable, key=lambda found: found[1].expires_at or 0)


def _outcome(item: Found) -> Credentials | Fault:
    try:
        return entry_credentials.read(item)
    except CredentialsRefused as error:
        return error.fault


def _entry(item: Found, file_stem: str) -> Entry:
    name = _usable_name(item.name)
    if fault := _foreign(item):
        email = clean(first_text(item.where, auth_formats.EMAIL))
        return Entry(
            name or _usable_name(email or item.key) or file_stem, None, fault, item.is_sign
        )
    made = _outcome(item)
    key = item.key if item.key and not auth_formats.is_service(item.key) else None
    if isinstance(made, Fault):
        return Entry(name or _usable_name(key) or file_stem, None, made, item.is_sign)
    return Entry(name or _usable_name(made.email) or _usable_name(key) or file_stem, made, None)


def _foreign(item: Found) -> Fault | None:
    """That an account is another service's.

    A name that is not known here counts only where the token is not OpenAI's.
    """
    service = item.service
    if service is None or service.kind == "own":
        return None
    if service.kind == "unknown":
        tokens = [first_text(item.where[:1], (item.access or "", *auth_formats.ID)), item.bare]
        if any(isinstance(token, str) and jwt.read(token).account_id for token in tokens):
            return None
    return Fault("other_platform", {"platform": service.word})


def _file_stem(file_name: str) -> str:
    """A file's name without folder and the ends that auth files have."""
    stem = re.split(r"[/\\]", file_name)[-1]
    for end in (".json", ".jsonl", ".txt", ".auth"):
        stem = stem[: -len(end)] if stem.lower().endswith(end) else stem
    return _usable_name(stem) or "account"


def _usable_name(name: str | None) -> str | None:
    """A suggested name made fit for an account: no path separators, no leading dot, short
    enough.
    """
    return clean(re.sub(r"[/\\]", "-", name).lstrip("."), MAX_NAME) if name else None


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None
