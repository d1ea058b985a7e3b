"""An account that was found in a document → Credentials, and which account a document is of.

What is wrong with it is a `CredentialsRefused` that carries the fault; nothing of its content is in
the text. An expired token is not refused here: that is judged later, where the time is known.
"""

import re
from dataclasses import dataclass, replace

from quota_web.codex import account_discovery, auth_text, jwt
from quota_web.codex.account_discovery import Found, first_text
from quota_web.codex.json_guard import JsonRefused
from quota_web.codex.sanitize import clean
from quota_web.core.account_identity import Login
from quota_web.core.errors import CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.secret import Secret

MAX_TOKEN = 16_384
_TOKEN = re.compile(r"[\x21-\x7e]+")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to ask for one account's quota, with what its tokens and its file say of whose
    it is.
    """

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


def read(item: Found) -> Credentials:
    """The credentials of a single account. Raises CredentialsRefused."""
    if item.problem is not None:
        raise refused("file_unreadable", item.problem)
    if isinstance(item.bare, str):
        token = auth_text.strip_bearer(item.bare)
        item = replace(item, where=({"access_token": token},), access="access_token")
    if not item.where:
        raise refused("file_unreadable", "not a JSON object")
    where = item.where
    access = _access_token(item)
    id_value = first_text(where, account_discovery.ID)
    id_token, refresh_token = (
        _optional_token(id_value),
        _optional_token(first_text(where, account_discovery.REFRESH)),
    )
    id_claims = jwt.of(id_value) if isinstance(id_value, dict) else jwt.read(id_token)
    access_claims = jwt.read(access)
    found = Credentials(
        access_token=Secret(access),
        refresh_token=Secret(refresh_token) if refresh_token else None,
        id_token=Secret(id_token) if id_token else None,
        account_id=_account_id(item, id_claims, access_claims),
        expires_at=access_claims.expires_at,
        fedramp=id_claims.fedramp or access_claims.fedramp,
    )
    return _with_owner(found, item, id_claims, access_claims)


def outcome(item: Found) -> Credentials | Fault:
    """The credentials of a single account, or why there are none."""
    try:
        return read(item)
    except CredentialsRefused as error:
        return error.fault


def split(document: object) -> list[Found]:
    """Every account in a document. Raises CredentialsRefused where it has too many objects."""
    try:
        return account_discovery.split(document)
    except JsonRefused as error:
        raise refused("file_unreadable", str(error)) from None


def only(items: list[Found]) -> tuple[Found, Credentials]:
    """The one login of a document: where it stands, and its credentials.

    Of several tokens of it the one that lasts longest. Raises CredentialsRefused.
    """
    own = [item for item in items if foreign(item) is None]
    if not own:
        nothing = Fault("file_unreadable", {"reason": "no account in it"})
        raise CredentialsRefused(
            next((fault for item in items if (fault := foreign(item))), nothing)
        )
    usable = [(item, made) for item in own if isinstance(made := outcome(item), Credentials)]
    if not usable:
        raise CredentialsRefused(
            next(made for item in own if isinstance(made := outcome(item), Fault))
        )
    logins = {
        made.login if made.login.is_known else (made.access_token, made.account_id)
        for _, made in usable
    }
    if len(logins) > 1:
        raise refused("file_unreadable", f"holds {len(logins)} accounts; import it instead")
    return max(usable, key=lambda found: found[1].expires_at or 0)


def foreign(item: Found) -> Fault | None:
    """That an account is another service's.

    A name that is not known here counts only where the token is not OpenAI's.
    """
    service = item.service
    if service is None or service.kind == "own":
        return None
    if service.kind == "unknown":
        tokens = [first_text(item.where[:1], (item.access or "", *account_discovery.ID)), item.bare]
        if any(isinstance(token, str) and jwt.read(token).account_id for token in tokens):
            return None
    return Fault("other_platform", {"platform": service.word})


def _with_owner(
    found: Credentials, item: Found, of_id: jwt.Claims, of_access: jwt.Claims
) -> Credentials:
    """Add whose the credentials are: the tokens' claims first, since files get copied and
    edited.
    """
    said = [*item.where, *item.beside]
    user = first_text(said, account_discovery.USER_ID) or account_discovery.web_user_id(item.where)
    return replace(
        found,
        user_id=of_id.user_id or of_access.user_id or clean(user),
        email=of_id.email or of_access.email or clean(first_text(said, account_discovery.EMAIL)),
        plan=of_id.plan or of_access.plan or clean(first_text(said, account_discovery.PLAN)),
        client_id=clean(first_text(item.where, account_discovery.CLIENT_ID))
        or of_access.client_id
        or of_id.client_id,
    )


def _access_token(item: Found) -> str:
    where = item.where
    if account_discovery.holds_agent_identity(where):
        raise CredentialsRefused(Fault("agent_identity"))
    value = where[0].get(item.access) if item.access else None
    if value is None:
        if account_discovery.holds_api_key(where):
            raise CredentialsRefused(Fault("api_key"))
        if first_text(where, account_discovery.REFRESH) is not None:
            raise CredentialsRefused(Fault("refresh_token_only"))
        raise CredentialsRefused(Fault("missing_access_token"))
    if not isinstance(value, str):
        raise refused("bad_access_token", "is not text")
    return _checked_token(auth_text.strip_bearer(value))


def _checked_token(token: str) -> str:
    if not token:
        raise CredentialsRefused(Fault("missing_access_token"))
    if token.startswith("sess-"):
        raise CredentialsRefused(Fault("session_token"))
    if token.startswith("sk-"):
        raise CredentialsRefused(Fault("api_key"))
    if auth_text.is_refresh_token(token):
        raise CredentialsRefused(Fault("refresh_token_only"))
    if len(token) > MAX_TOKEN:
        raise refused("bad_access_token", f"is longer than {MAX_TOKEN} characters")
    if not _TOKEN.fullmatch(token):
        raise refused(
            "bad_access_token",
            "has characters that no token has (spaces, line breaks or non-ASCII)",
        )
    if token.count(".") == 4:
        raise CredentialsRefused(Fault("encrypted_token"))
    return token


def _optional_token(value: object) -> str | None:
    """A refresh or id token if it is one; a broken one is as good as none, for nothing here depends
    on it.
    """
    token = auth_text.strip_bearer(value) if isinstance(value, str) else ""
    return token if len(token) <= MAX_TOKEN and _TOKEN.fullmatch(token) else None


def _account_id(item: Found, of_id: jwt.Claims, of_access: jwt.Claims) -> str:
    """The account id that the file names, else the id token's, else the access token's, else one
    for all of a file.
    """
    value = named_account_id(item) or account_discovery.web_account_id(item.where)
    if value is None:
        for claim in (of_id.account_id, of_access.account_id):
            if claim and _ACCOUNT_ID.fullmatch(claim):
                return claim
        value = item.shared_account_id
    if value is None:
        raise CredentialsRefused(Fault("missing_account_id"))
    if not isinstance(value, str):
        raise refused("bad_account_id", "is not text")
    if not _ACCOUNT_ID.fullmatch(value.strip()):
        raise refused("bad_account_id", "may hold letters, digits, _ and - only, 128 at most")
    return value.strip()


def named_account_id(item: Found) -> object:
    return first_text(
        [*item.where[:1], *item.beside, *item.where[1:]], account_discovery.ACCOUNT_ID
    )


def refused(code: str, reason: str) -> CredentialsRefused:
    return CredentialsRefused(Fault(code, {"reason": reason}))
