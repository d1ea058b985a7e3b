"""Where the accounts are in a document of whatever shape, and where each of them keeps which field.

No tool's shape is known by name: the document is walked, and every object that holds an access
token is an account. What it is called, whose it is and which service it belongs to is said by the
object itself or by the nearest around it. The objects are the document's own, so an edit of one
edits the document.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quota_web.codex import auth_services
from quota_web.codex.auth_services import Service
from quota_web.codex.auth_text import is_bare_token, is_refresh_token
from quota_web.codex.json_guard import BrokenPart, JsonRefused, load_json
from quota_web.codex.sanitize import clean
from quota_web.core.limits import MAX_CREDENTIALS

MAX_DEPTH = 8
#: More objects than a thousand accounts have in any known shape.
MAX_OBJECTS = 20_000

#: Names that a field has in one shape or another, the Codex CLI's own first.
ACCESS = ("access_token", "accessToken", "access", "token", "personal_access_token")
REFRESH = ("refresh_token", "refreshToken", "refresh")
ID = ("id_token", "idToken")
ACCOUNT_ID = ("account_id", "accountId", "chatgpt_account_id", "chatgptAccountId")
USER_ID = ("chatgpt_user_id", "chatgptUserId", "user_id", "userId")
EMAIL = ("email",)
PLAN = ("plan_type", "planType", "chatgpt_plan_type")
CLIENT_ID = ("client_id", "clientId")
EXPIRY = ("expires", "expired", "expires_at", "expiresAt")
_NAME = ("name", "label", "alias", "nickname", "display_name", "displayName")
_API_KEY = ("OPENAI_API_KEY", "api_key", "apiKey", "bedrock_api_key")
_MODE = ("auth_mode", "authMode", "auth_type", "authType", "type")
_API_KEY_MODES = ("api", "apikey", "bedrockapikey")
#: Names that other things have as well: a token only if it looks like one or stands beside one of
#: these.
_COMMON = ("access", "token")
_BESIDE_TOKENS = (*REFRESH, *ID, *ACCOUNT_ID, *_MODE, "platform", "provider")

#: Lists whose items are accounts, also those that hold no token.
LISTS = ("accounts", "data", "credentials")

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """One account of a document, or what stands in its place."""

    #: The objects that its fields stand in, the one with the token first; empty for a bare token.
    where: tuple[JsonObject, ...] = ()
    #: The field of the first of them that holds the access token.
    access: str | None = None
    #: A bare token, or what is no account at all.
    bare: object = None
    #: The list that a bare token stands in.
    among: list[object] | None = None
    #: Why this part of the document could not be read.
    problem: str | None = None
    name: str | None = None
    #: The key that it has among others.
    key: str | None = None
    service: Service | None = None
    #: The account id that an object around several accounts names.
    shared_account_id: object = None
    #: Whether it lies in a text inside the document, where nothing can be written.
    in_text: bool = False
    #: Whether anything in it has to do with signing in.
    is_sign: bool = True
    #: Whether the next object around it may still be its own.
    is_open: bool = True

    @property
    def beside(self) -> list[JsonObject]:
        """Objects inside the one with the token, which may say whose it is."""
        return [
            child for part in self.where[:1] for child in part.values() if isinstance(child, dict)
        ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a walk is, with what the keys and objects above say."""

    depth: int = 0
    key: str = ""
    #: The key of what is around it.
    above: str = ""
    service: Service | None = None
    account_id: object = None
    in_text: bool = False
    #: Whether each item of a list here should be an account.
    lists_accounts: bool = True


def split(document: object) -> list[Found]:
    """Every account in a document, in the order of the file.

    Raises JsonRefused where it has too many objects.
    """
    if isinstance(document, BrokenPart):
        return [Found(problem=f"not valid JSON (line {document.line})")]
    if not isinstance(document, dict | list):
        return [Found(bare=document)]
    walk = _Walk()
    found = walk.walk(document, _Place())
    if walk.is_cut:
        found.append(Found(problem=f"nested deeper than {MAX_DEPTH} levels", is_sign=False))
    if not found and isinstance(document, dict):
        return [Found((document,), name=_own_name(document), is_sign=False)]
    return found


class _Walk:
    """One walk through one document."""

    def __init__(self) -> None:
        self._objects = 0
        #: Whether something lay deeper than it goes.
        self.is_cut = False

    def walk(self, value: object, place: _Place) -> list[Found]:
        if isinstance(value, str):
            return self._text(value, place)
        if not isinstance(value, dict | list) or not value:
            return []
        if place.depth > MAX_DEPTH:
            self.is_cut = True
            return []
        if isinstance(value, list):
            return self._list(value, place)
        self._objects += 1
        if self._objects > MAX_OBJECTS:
            raise JsonRefused(f"more than {MAX_OBJECTS} objects; split it")
        return self._object(value, place)

    def _object(self, value: JsonObject, place: _Place) -> list[Found]:
        service = auth_services.by_fields(value) or place.service
        around = replace(
            place, service=service, account_id=first_text([value], ACCOUNT_ID) or place.account_id
        )
        below = [
            (key, found)
            for key, child in value.items()
            for found in self.walk(child, _inside(around, key))
        ]
        if place.key in auth_services.BY_NAME:
            below = [
                (key, replace(found, name=found.name or clean(key)) if found.is_open else found)
                for key, found in below
            ]
        access = access_field(value, has_more=bool(below))
        if access is None and len(below) == 1:
            return [_around(found, value) for _, found in below]
        closed = [
            replace(found, key=clean(key), is_open=False) if found.is_open else found
            for key, found in below
        ]
        if access is None and (below or not _is_sign(value, place)):
            return closed
        service = auth_services.by_token(value.get(access or "")) or service
        own = Found(
            (value,),
            access,
            name=_own_name(value),
            service=service,
            shared_account_id=place.account_id,
            in_text=place.in_text,
        )
        return [own, *closed]

    def _list(self, value: list[object], place: _Place) -> list[Found]:
        inside = replace(place, depth=place.depth + 1, key="", above=place.key, lists_accounts=True)
        inner = [self.walk(item, inside) for item in value]
        if not place.lists_accounts and not any(inner):
            return []
        several = [
            found or [_no_account(item, inside)] for item, found in zip(value, inner, strict=True)
        ]
        return [
            replace(found, is_open=False, among=found.among or value)
            for items in several
            for found in items
        ]

    def _text(self, text: str, place: _Place) -> list[Found]:
        """A bare token in a list, and JSON inside a text."""
        text = text.strip()
        if (
            not place.key
            and (text.startswith("eyJ") or place.above in auth_services.BY_NAME)
            and is_bare_token(text)
        ):
            return [
                Found(
                    bare=text,
                    service=place.service,
                    shared_account_id=place.account_id,
                    in_text=place.in_text,
                )
            ]
        if text[:1] not in ("{", "["):
            return []
        try:
            inner = load_json(text.encode("utf-8", "surrogatepass"), MAX_CREDENTIALS)
        except JsonRefused:
            is_sign = any(f'"{name}"' in text for name in (*ACCESS[:2], *REFRESH[:2]))
            return [Found(problem="a text in it is cut or no JSON")] if is_sign else []
        return self.walk(
            inner, replace(place, depth=place.depth + 1, in_text=True, lists_accounts=False)
        )


def _inside(around: _Place, key: str) -> _Place:
    service = auth_services.by_key(key, around.key, around.service)
    return replace(
        around,
        depth=around.depth + 1,
        key=key,
        above=around.key,
        service=service,
        lists_accounts=key in LISTS,
    )


def _around(found: Found, outer: JsonObject) -> Found:
    """The same account, with what the object around it says that has no other."""
    if not found.is_open or not found.where:
        return found
    return replace(found, where=(*found.where, outer), name=found.name or _own_name(outer))


def _no_account(item: object, place: _Place) -> Found:
    """What stands among accounts and holds no token."""
    if isinstance(item, dict):
        return Found(
            (item,),
            name=_own_name(item),
            service=auth_services.by_fields(item) or place.service,
            is_sign=False,
        )
    return Found(bare=item, is_sign=False)


def access_field(part: JsonObject, has_more: bool = False) -> str | None:
    """The field of an object that holds an access token, if one does; *has_more* if there are
    accounts further inside.
    """
    for name in ACCESS:
        token = part.get(name)
        if token is None or (isinstance(token, str) and not token.strip()):
            continue
        if name == "personal_access_token" and has_more:
            continue
        if name in _COMMON and not (
            isinstance(token, str)
            and (is_bare_token(token) or any(n in part for n in _BESIDE_TOKENS))
        ):
            continue
        if has_more and isinstance(token, dict | list):
            continue
        return name
    return None


def _is_sign(part: JsonObject, place: _Place) -> bool:
    """Whether an object without an access token is a sign-in all the same, of a kind that has to be
    named.
    """
    refresh = part.get("refresh")
    is_refresh = first_text([part], REFRESH[:2]) is not None or (
        isinstance(refresh, str) and is_refresh_token(refresh)
    )
    is_service = place.above in auth_services.BY_SERVICE or (
        place.service is not None
        and auth_services.known(auth_services.service_part(place.key))
        and any(n in part for n in _MODE)
    )
    return is_refresh or is_service or holds_api_key([part]) or holds_agent_identity([part])


def _own_name(part: JsonObject) -> str | None:
    return clean(first_text([part], _NAME))


def first_text(where: Sequence[JsonObject], names: Sequence[str]) -> object:
    """The first field of these names that holds anything but null or blank text; None if there is
    none.
    """
    for part in where:
        for name in names:
            value = part.get(name)
            if value is not None and not (isinstance(value, str) and not value.strip()):
                return value
    return None


def web_account_id(where: Sequence[JsonObject]) -> object:
    """The account id in a web session's document, which has it as `account.id`."""
    inner = [part["account"] for part in where if isinstance(part.get("account"), dict)]
    return first_text([part for part in inner if isinstance(part, dict)], ("id", *ACCOUNT_ID))


def web_user_id(where: Sequence[JsonObject]) -> object:
    """The user id in a web session's document."""
    inner = [part["user"] for part in where if isinstance(part.get("user"), dict)]
    return first_text([part for part in inner if isinstance(part, dict)], ("id",))


def holds_api_key(where: Sequence[JsonObject]) -> bool:
    """Whether there is an API key, or the word that there is one."""
    keys = [part.get("key") for part in where]
    is_key = any(isinstance(key, str) and key.startswith("sk-") for key in keys)
    return (
        is_key
        or first_text(where, _API_KEY) is not None
        or any(mode in _API_KEY_MODES for mode in _modes(where))
    )


def holds_agent_identity(where: Sequence[JsonObject]) -> bool:
    """Whether requests are signed as an agent instead of carrying a bearer token."""
    has_key = any(part.get("agent_identity") or part.get("agent_private_key") for part in where)
    is_bearer = any(access_field(part) for part in where)
    return "agentidentity" in _modes(where) or (has_key and not is_bearer)


def _modes(where: Sequence[JsonObject]) -> list[str]:
    return [
        str(part[name]).replace("_", "").lower() for part in where for name in _MODE if name in part
    ]
