"""The shapes that auth files come in, taken apart into single entries, and where an entry keeps which field.

Entries are the document's own objects, so that an edit of one is an edit of the document.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from quota_web.codex.json_guard import JsonRefused, load_json
from quota_web.codex.text import clean

MAX_FILE = 2 << 20
MAX_ENTRIES = 1000

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
_API_KEY = ("OPENAI_API_KEY", "api_key", "apiKey", "bedrock_api_key")

_REFRESH_PREFIXES = ("rt_", "rt.", "oaistb_rt_")
_OPENCODE_PROVIDERS = ("openai", "codex", "chatgpt", "opencode")
_OTHER_PROVIDERS = ("anthropic", "claude", "github-copilot", "google", "gemini", "openrouter", "xai", "groq", "mistral", "deepseek")
_OWN_WORDS = ("openai", "codex", "chatgpt", "opencode")

_BEARER = re.compile(r"^bearer(?:\s+|$)", re.IGNORECASE)

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a document: the object (or bare token) itself, the name beside it, and whose it is if not ChatGPT's."""

    entry: object
    name: str | None = None
    other_platform: str | None = None


def documents(raw: bytes) -> list[object]:
    """The JSON documents in a file: one, one a line (JSON Lines), or bare tokens, one a line. Raises JsonRefused."""
    try:
        return [load_json(raw, MAX_FILE)]
    except JsonRefused as error:
        refused = error
    lines = [line.strip() for line in raw.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    if len(raw) > MAX_FILE or not lines:
        raise refused
    if len(lines) > MAX_ENTRIES:
        raise JsonRefused(f"more than {MAX_ENTRIES} accounts")
    if all(_is_bare_token(line) for line in lines):
        return [line.decode("ascii") for line in lines]
    if len(lines) > 1 and _reads(lines[0]) and any(_reads(line) for line in lines[1:]):
        return [_line(line, number) for number, line in enumerate(lines, 1)]
    raise refused


def split(document: object, depth: int = 0) -> Iterator[Found]:
    """Every entry in a document, of whatever shape, in the order of the file."""
    if isinstance(document, list):
        for item in document:
            yield from split(item, depth + 1)
    elif isinstance(document, dict) and depth < 8:
        yield from _split_object(document, depth)
    else:
        yield Found(document)


def _split_object(document: JsonObject, depth: int) -> Iterator[Found]:
    accounts, data, providers = document.get("accounts"), document.get("data"), document.get("providers")
    if isinstance(accounts, list):
        yield from split(accounts, depth + 1)
    elif isinstance(accounts, dict) and any(isinstance(value, dict) for value in accounts.values()):
        for name, value in accounts.items():
            yield Found(value, clean(name))
    elif isinstance(data, dict | list) and first_text(layers(document), ACCESS) is None:
        yield from split(data, depth + 1)
    elif isinstance(providers, dict):
        yield from _by_provider(providers)
    elif any(isinstance(document.get(name), dict) for name in (*_OPENCODE_PROVIDERS, *_OTHER_PROVIDERS)) and not _is_entry(document):
        yield from _by_provider(document)
    else:
        yield Found(document, _own_name(document), _platform(document))


def _by_provider(providers: Mapping[str, object]) -> Iterator[Found]:
    for name, value in providers.items():
        if isinstance(value, dict):
            own = any(word in name.lower() for word in _OWN_WORDS)
            yield Found(value, _own_name(value), None if own else (clean(name, 40) or "another service"))


def _platform(entry: JsonObject) -> str | None:
    """The platform that an entry names if it is another one."""
    platform = clean(entry.get("platform") or entry.get("provider"), 40)
    if platform is None or any(word in platform.lower() for word in _OWN_WORDS):
        return None
    return platform


def _own_name(entry: JsonObject) -> str | None:
    return clean(entry.get("name")) or clean(entry.get("label"))


def _is_entry(document: JsonObject) -> bool:
    return any(key in document for key in ("tokens", "credentials", "auth_mode", *ACCESS[:2], *_API_KEY))


def layers(entry: JsonObject) -> list[JsonObject]:
    """The objects of an entry that fields may stand in, the most specific first."""
    inner = [entry.get("tokens"), entry.get("credentials")]
    found: list[JsonObject] = [part for part in inner if isinstance(part, dict)]
    nested = [part["tokens"] for part in found if isinstance(part.get("tokens"), dict)]
    return [part for part in nested if isinstance(part, dict)] + found + [entry]


def first_text(where: Sequence[JsonObject], names: Sequence[str]) -> object:
    """The first field of these names that holds anything but null or blank text; None if there is none."""
    for part in where:
        for name in names:
            value = part.get(name)
            if value is not None and not (isinstance(value, str) and not value.strip()):
                return value
    return None


def web_account_id(entry: JsonObject) -> object:
    """The account id in a web session's document, which has it as `account.id`."""
    account = entry.get("account")
    return first_text([account], ("id", *ACCOUNT_ID)) if isinstance(account, dict) else None


def web_user(entry: JsonObject) -> JsonObject:
    """The user object of a web session's document."""
    user = entry.get("user")
    return user if isinstance(user, dict) else {}


def holds_api_key(entry: JsonObject) -> bool:
    """Whether an entry has an API key, or says that it is one."""
    where = layers(entry)
    mode = entry.get("auth_mode")
    return first_text(where, _API_KEY) is not None or entry.get("type") == "api" or mode in ("apikey", "bedrockApiKey")


def holds_agent_identity(entry: JsonObject) -> bool:
    """Whether an entry signs its requests as an agent instead of carrying a bearer token."""
    for part in layers(entry):
        if str(part.get("auth_mode")).replace("_", "").lower() == "agentidentity":
            return True
    return bool(entry.get("agent_identity")) and first_text(layers(entry), ACCESS) is None


def is_refresh_token(token: str) -> bool:
    """Whether a token says by its beginning that it is a refresh token."""
    return token.startswith(_REFRESH_PREFIXES)


def strip_bearer(token: str) -> str:
    """A token without the spaces around it and the word that stands before it in a header."""
    return _BEARER.sub("", token.strip(), count=1)


def _is_bare_token(line: bytes) -> bool:
    """Whether a line of text can be nothing but a token: one word with the marks of one, no JSON."""
    if not line.isascii():
        return False
    token = strip_bearer(line.decode("ascii"))
    looks = token.startswith(("eyJ", "at-", "sess-", "sk-")) or is_refresh_token(token) or token.count(".") in (2, 4)
    return looks and len(token.split()) == 1 and len(token) >= 8 and token[0] not in "{[\"'<"


def _reads(line: bytes) -> bool:
    try:
        return isinstance(load_json(line, MAX_FILE), dict)
    except JsonRefused:
        return False


def _line(line: bytes, number: int) -> object:
    """One line of JSON Lines; a broken one stands for itself, so that it can be reported with the others."""
    try:
        return load_json(line, MAX_FILE)
    except JsonRefused:
        return BrokenLine(number)


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line of JSON Lines that does not parse."""

    number: int
