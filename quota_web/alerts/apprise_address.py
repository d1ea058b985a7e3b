"""Reads an address of Apprise as far as the app must understand it: which service it is for, what
may be shown of it, and what in it is refused. Apprise itself is not loaded.
"""

import re
from urllib.parse import parse_qsl, urlsplit

from quota_web.core.alert_targets import plain_host
from quota_web.core.language import mark

MOST = 2000
NOT_PLAIN = mark("the address must be one line of plain ASCII")
NO_SCHEME = mark("the address must begin with the name of a service, such as ntfys://")
OTHER_SCHEME = mark("the address is for something that alerts are not sent through")
NO_ADDRESS = mark("the address cannot be read")
UNVERIFIED = mark("the address turns the check of certificates off (verify=no)")
REDIRECTED = mark("the address asks to follow redirects (redirect=yes)")
#: Every scheme whose service is reached by HTTP, and mail. Not those that talk to programs of this
#: machine, speak another protocol, or only say where another list of addresses is.
_SENT_TO = """
    46elks acs atalk awswhatsapp azure bale bark barks betterstack bluesky brevo bsky bulksms bulkvs
    burstsms chanify clickatell clicksend cliq cm d7sms dapnet deltachat deltachats dingtalk discord
    dot eight00com elks emby embys enigma2 enigma2s evolution evolutions exotel fcm feishu
    firehydrant flock flowtriq flowtriqs fluxer fluxers freemobile gchat github goalert goalerts
    gorush gorushs gotify gotifys groundmail groupme guilded gupshup hassio hassios httpsms humhub
    humhubs ifttt ilert incidentio infobip instagram jellyfin jellyfins jira join kakao kakaotalk
    kaleyra kavenegar klr kook kudosity kumulos lametric lametrics lark lauther lfg line mailersend
    mailgun mailto mailtos mastodon mastodons matrix matrixs misskey misskeys mmost mmosts
    mobilemessage mobilemsg msg91 msgbird ncloud nclouds nctalk nctalks nexmo notica noticas
    notifiarr notifico notificos notifyapp notifyre ntfy ntfys o365 octopush onebot onebots
    onesignal opsgenie opsimate opsimates pagerduty pagertree parsep parseps pbul pinglet pinglets
    pingram pjet pjets plivo postmark pover prowl psafer psafers push pushdeer pushdeers pushed
    pushme pushplus pushward pushy qq reddit resend revolt ringc rocket rockets ryver schan sendgrid
    sendpulse serwersms ses session sessions seven sfr signal signalgrid signals signl4 simplepush
    sinch slack smsc smseagle smseagles smsmanager smsmgr smstunnel smtp2go sns sogs sparkpost spike
    splunk spugpush spush squadcast stackfield strmlabs synology synologys telesign telnyx tgram
    threema toot toots trigv trigvs tweet twilio twist twitter vapid viber victorops voipms vonage
    webex wechat wecom wecombot whapi whatsapp workflow workflows wpush wxpusher wxteams x xmatters
    youlmk zalo zcliq zohocliq zoom zulip
"""
SCHEMES = frozenset(_SENT_TO.split())
#: Those of them in which the host is a server, and no part of a secret.
_WITH_SERVER = """
    bark barks emby embys evolution evolutions goalert goalerts gorush gorushs gotify gotifys hassio
    hassios humhub humhubs jellyfin jellyfins lametric lametrics mailto mailtos mastodon mastodons
    matrix matrixs misskey misskeys mmost mmosts ncloud nclouds nctalk nctalks ntfy ntfys onebot
    onebots rocket rockets signal signals smseagle smseagles synology synologys toot toots
"""
_HOSTED = frozenset(_WITH_SERVER.split())
_NAMES = {
    "discord": "Discord",
    "gotify": "Gotify",
    "mailto": "mail",
    "matrix": "Matrix",
    "mmost": "Mattermost",
    "pover": "Pushover",
    "rocket": "Rocket.Chat",
    "slack": "Slack",
    "tgram": "Telegram",
}
_NO = frozenset({"no", "n", "false", "f", "off", "disable", "disabled", "deny", "never", "0"})
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]+|localhost")
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:.]*")


def scheme_of(address: str) -> str:
    """In lower case; empty where there is none."""
    found = re.match(r"([A-Za-z0-9]{1,32})://", address)
    return found[1].lower() if found else ""


def problem_of(address: str) -> str | None:
    """What is wrong with *address*, in words that do not repeat it; None if nothing is."""
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{MOST}}}", address):
        return NOT_PLAIN
    if not (scheme := scheme_of(address)):
        return NO_SCHEME
    if scheme not in SCHEMES:
        return OTHER_SCHEME
    try:
        options = {name.lower(): value.lower() for name, value in _options(address)}
    except ValueError:
        return NO_ADDRESS
    if options.get("verify", "yes").strip() in _NO:
        return UNVERIFIED
    if "redirect" in options and options["redirect"].strip() not in _NO:
        return REDIRECTED
    return None


def shown(address: str) -> str:
    """The service and, where it is no secret, its server: `ntfy · ntfy.sh`."""
    scheme = scheme_of(address)
    base = scheme[:-1] if scheme.endswith("s") and scheme[:-1] in SCHEMES else scheme
    name = _NAMES.get(base, base)
    host = _server(scheme, address)
    return f"{name} · {host}" if host else name


def host_of(url: str) -> str:
    """The host of a webhook's address."""
    return plain_host(urlsplit(url).hostname or "")


def _server(scheme: str, address: str) -> str | None:
    if scheme not in _HOSTED:
        return None
    try:
        host = plain_host(urlsplit(address).hostname or "")
        options = {name.lower(): value for name, value in _options(address)}
    except ValueError:
        return None
    host = plain_host(options.get("smtp", "")) or host
    if _HOST.fullmatch(host) or _IP.fullmatch(host):
        return host
    return "ntfy.sh" if scheme in ("ntfy", "ntfys") else None


def _options(address: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(address).query, keep_blank_values=True)
