"""The services that a channel can be of, the few fields that each needs, and the address that they
make: a person should not have to know how Apprise writes it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from quota_web.alerts import apprise_address
from quota_web.core import urls
from quota_web.core.errors import BadInput
from quota_web.core.language import mark
from quota_web.core.secret import Secret
from quota_web.store.channels import APPRISE, WEBHOOK

#: How a mail server is spoken to, and at which port where none is given.
MAIL_MODES = {"starttls": 587, "ssl": 465, "insecure": 25}
_ADDRESS = re.compile(r"[^\s@,;<>\"]{1,64}@[A-Za-z0-9.-]{1,253}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]")


@dataclass(frozen=True, slots=True)
class ServiceField:
    """One field of a form."""

    name: str
    label: str
    hint: str = ""
    #: It is not shown again once it was sent.
    is_secret: bool = False
    is_required: bool = True
    #: What it holds at first.
    value: str = ""
    #: The values that can be chosen, with their words.
    options: tuple[tuple[str, str], ...] = ()
    #: The type of the input; what is a password is not shown while it is typed.
    kind: str = "text"
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class AlertService:
    """A service and what is needed to reach it."""

    key: str
    title: str
    help: str
    fields: tuple[ServiceField, ...]
    #: Makes the address of the fields' texts. Raises BadInput.
    address: Callable[[Mapping[str, str]], str]
    channel_kind: str = APPRISE


def address_of(service: AlertService, given: Mapping[str, str], *, is_new: bool) -> Secret | None:
    """The address that the fields make; None where nothing was filled in and there is one to keep.
    Raises BadInput that names the field.
    """
    texts = {one.name: given.get(one.name, "").strip() for one in service.fields}
    if not is_new and all(texts[one.name] in ("", one.value) for one in service.fields):
        return None
    for one in service.fields:
        if one.is_required and not texts[one.name]:
            raise BadInput(one.name, mark("This is needed."))
        if len(texts[one.name]) > apprise_address.MOST:
            raise BadInput(one.name, mark("This is too long."))
    return Secret(service.address(texts))


def service_of(address: str, channel_kind: str) -> AlertService:
    """The service that an address is of, as its form is shown."""
    if channel_kind == WEBHOOK:
        return SERVICES["webhook"]
    scheme = apprise_address.scheme_of(address)
    return SERVICES.get(_BY_SCHEME.get(scheme, "other"), SERVICES["other"])


def _ntfy(texts: Mapping[str, str]) -> str:
    server = texts["server"]
    parts = urlsplit(server if "://" in server else f"https://{server}")
    problem = urls.check_webhook_url(parts.geturl())
    if problem is not None or parts.query or parts.path.strip("/"):
        raise BadInput("server", mark("Give the server as https://ntfy.sh"))
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", texts["topic"]):
        raise BadInput("topic", mark("A topic has letters, digits, _ and - only."))
    token = texts["token"]
    scheme = "ntfys" if parts.scheme == "https" else "ntfy"
    before = f"{quote(token, safe='')}@" if token else ""
    kind = "&auth=token" if token else ""
    return f"{scheme}://{before}{parts.netloc}/{texts['topic']}?mode=private{kind}"


def _telegram(texts: Mapping[str, str]) -> str:
    if not re.fullmatch(r"(?:bot)?\d{5,15}:[A-Za-z0-9_-]{20,80}", texts["token"]):
        raise BadInput("token", mark("A bot’s token reads 123456789:AA…; BotFather gives it."))
    if not re.fullmatch(r"-?\d{1,20}|@[A-Za-z0-9_]{3,64}", texts["chat"]):
        raise BadInput("chat", mark("A chat is a number such as 12345678, or @channel."))
    return f"tgram://{texts['token'].removeprefix('bot')}/{texts['chat']}/"


def _discord(texts: Mapping[str, str]) -> str:
    found = re.fullmatch(
        r"https://(?:\w+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(\d+)/([\w-]+)/?",
        texts["hook"],
        re.ASCII,
    )
    if found is None:
        raise BadInput("hook", mark("Paste the whole address: https://discord.com/api/webhooks/…"))
    return f"discord://{found[1]}/{found[2]}/"


def _slack(texts: Mapping[str, str]) -> str:
    found = re.fullmatch(
        r"https://hooks\.slack\.com/services/(\w+)/(\w+)/(\w+)/?", texts["hook"], re.ASCII
    )
    if found is None:
        raise BadInput("hook", mark("Paste the whole address: https://hooks.slack.com/services/…"))
    return f"slack://{found[1]}/{found[2]}/{found[3]}/"


def _mail(texts: Mapping[str, str]) -> str:
    mode = texts["mode"]
    if mode not in MAIL_MODES:
        raise BadInput("mode", mark("Choose one of these."))
    if not _HOST.fullmatch(texts["smtp"]):
        raise BadInput("smtp", mark("Give the mail server’s name, such as smtp.example.org."))
    port = texts["port"] or str(MAIL_MODES[mode])
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        raise BadInput("port", mark("A port is a number up to 65535."))
    for name in ("from", "to"):
        if not _ADDRESS.fullmatch(texts[name]):
            raise BadInput(name, mark("Give one mail address."))
    before = ""
    if texts["user"]:
        before = f"{quote(texts['user'], safe='')}:{quote(texts['password'], safe='')}@"
    scheme = "mailto" if mode == "insecure" else "mailtos"
    people = f"from={quote(texts['from'])}&to={quote(texts['to'])}"
    return f"{scheme}://{before}{texts['smtp']}:{port}?mode={mode}&{people}"


def _as_given(texts: Mapping[str, str]) -> str:
    return texts["address"]


_HOOK = ServiceField("hook", mark("Webhook URL"), is_secret=True, placeholder="https://…")
_NTFY = (
    ServiceField("topic", mark("Topic"), mark("Who knows it can read along."), is_secret=True),
    ServiceField("server", mark("Server"), value="https://ntfy.sh"),
    ServiceField(
        "token",
        mark("Access token"),
        mark("Where the topic needs one."),
        is_secret=True,
        is_required=False,
        kind="password",
    ),
)
_TELEGRAM = (
    ServiceField("token", mark("Bot token"), is_secret=True, placeholder="123456789:AA…"),
    ServiceField("chat", mark("Chat"), mark("Its number, or @channel.")),
)
_MODES = (
    ("starttls", "STARTTLS (587)"),
    ("ssl", "TLS (465)"),
    ("insecure", mark("none")),
)
_MAIL = (
    ServiceField("to", mark("To"), kind="email"),
    ServiceField("from", mark("Sender"), kind="email"),
    ServiceField("smtp", mark("Mail server"), placeholder="smtp.example.org"),
    ServiceField("mode", mark("Encryption"), value="starttls", options=_MODES),
    ServiceField("user", mark("User name"), is_required=False),
    ServiceField("password", mark("Password"), is_secret=True, is_required=False, kind="password"),
    ServiceField("port", mark("Port"), mark("Empty: the usual one."), is_required=False),
)
_URL = ServiceField("address", mark("URL"), is_secret=True, placeholder="https://…")
_ADDRESS_FIELD = ServiceField(
    "address", mark("Address"), is_secret=True, placeholder="gotifys://… pover://… matrixs://…"
)

_ALL = (
    AlertService(
        "ntfy",
        "ntfy",
        mark("Install the ntfy app, subscribe to a topic that nobody guesses, write it here."),
        _NTFY,
        _ntfy,
    ),
    AlertService(
        "telegram",
        "Telegram",
        mark("Talk to @BotFather for a bot, and write to it once, so that it may answer."),
        _TELEGRAM,
        _telegram,
    ),
    AlertService(
        "discord",
        "Discord",
        mark("Channel settings → Integrations → Webhooks → Copy Webhook URL."),
        (_HOOK,),
        _discord,
    ),
    AlertService(
        "slack",
        "Slack",
        mark("Create an app with an incoming webhook and copy its address."),
        (_HOOK,),
        _slack,
    ),
    AlertService(
        "mail",
        mark("Mail"),
        mark("Through the mail server that you send with; many want a password for apps."),
        _MAIL,
        _mail,
    ),
    AlertService(
        "webhook",
        "Webhook",
        mark("A program of yours gets each event as signed JSON (Standard Webhooks)."),
        (_URL,),
        _as_given,
        WEBHOOK,
    ),
    AlertService(
        "other",
        mark("Any Apprise address"),
        mark("Over a hundred services; the address is as Apprise writes it."),
        (_ADDRESS_FIELD,),
        _as_given,
    ),
)
SERVICES: Mapping[str, AlertService] = {one.key: one for one in _ALL}
_BY_SCHEME = {
    "ntfy": "ntfy",
    "ntfys": "ntfy",
    "tgram": "telegram",
    "discord": "discord",
    "slack": "slack",
    "mailto": "mail",
    "mailtos": "mail",
}
