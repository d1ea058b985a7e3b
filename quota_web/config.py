"""The settings: each is declared once, with its variable, how it is read, its bounds and its help.

`load` reads them from the environment, and nothing else looks there; `scripts/settings_page.py`
writes the tables of docs/settings.md from them.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from quota_web.core import environment, setting_values
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.checkout import IS_CHECKOUT, PROJECT
from quota_web.core.environment import (
    Environment,
    Variable,
    choice,
    number,
    or_conventional,
    parsed,
    secret,
    setting,
    whole,
)
from quota_web.core.limits import MAX_PASSWORD
from quota_web.core.secret import Secret
from quota_web.core.setting_values import Network
from quota_web.version import __version__


def _data_folder() -> Path:
    if IS_CHECKOUT:
        return PROJECT
    from platformdirs import user_data_path

    return user_data_path("codex-quota", appauthor=False)


_DATA = _data_folder()
_INSTANCE = _DATA / "instance"
USAGE_URL = "https://chatgpt.com/backend-api/wham/usage"
AUTH_URL = "https://auth.openai.com"
CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"  # the Codex CLI's, which is public
UPSTREAM_WANTED = "an https address; plain http only to localhost and private addresses"
MIN_SECRET_KEY = 16

_MONTH = 30 * 86_400
_PLACES, _READING = "Where things lie", "How quota is asked for"
_SIGNING_IN, _ACCESS, _REST = "Signing in to ChatGPT", "Who may see it", "The rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Durations are seconds."""

    instance_dir: Path = setting(
        _INSTANCE,
        "QUOTA_INSTANCE_DIR",
        environment.path,
        _PLACES,
        "folder of the database, the key and the first-start link",
        "`instance` in the project; installed from a wheel, in the platform's data folder",
    )
    #: May hold a password, like the proxy's address. `load` sets the default.
    database_url: str = setting(
        MISSING,
        "QUOTA_DATABASE_URL",
        parsed(
            setting_values.database_url,
            "sqlite:///FILE or postgresql://USER@HOST/NAME",
            is_secret=True,
        ),
        _PLACES,
        "`sqlite:///FILE` or `postgresql://USER@HOST/NAME`",
        "`quota.sqlite` in the instance folder",
        repr=False,
    )
    account_dir: Path = setting(
        _DATA / "account",
        "QUOTA_ACCOUNT_DIR",
        environment.path,
        _PLACES,
        "folder whose `<name>.auth.json` files are followed",
        "`account` beside the instance folder",
    )
    #: Whether a person named the account folder; then a missing one is a mistake, not an empty
    #: start.
    account_dir_named: bool = False
    state_file: Path | None = setting(
        None,
        "QUOTA_STATE_FILE",
        parsed(setting_values.file_path, "a file in a folder that exists"),
        _PLACES,
        "a file that gets the `/api/results` document after every refresh, replaced as a whole",
    )
    refresh_interval: int = setting(
        3600,
        "QUOTA_REFRESH_INTERVAL",
        whole(1, _MONTH),
        _READING,
        "seconds between two refreshes of an account that is not in use",
    )
    active_interval: int = setting(
        300,
        "QUOTA_ACTIVE_INTERVAL",
        whole(1, _MONTH),
        _READING,
        "the same for one that is: its used percent rose within the last 30 minutes, or a "
        "reset has just come due; never longer than the other",
    )
    retries: int = setting(
        3,
        "QUOTA_RETRIES",
        whole(0, 20),
        _READING,
        "how often a temporary failure is tried again: 3 means up to 4 requests",
    )
    retry_delay: float = setting(
        2.0,
        "QUOTA_RETRY_DELAY",
        number(0, 300),
        _READING,
        "seconds before the first of these, doubled for each further one",
    )
    timeout: float = setting(
        30.0,
        "QUOTA_TIMEOUT",
        number(0.1, 120),
        _READING,
        "seconds for one request from connecting to the last byte",
        "`30`",
    )
    cache_seconds: int = setting(
        900,
        "QUOTA_CACHE_SECONDS",
        whole(0, _MONTH),
        _READING,
        "how long the stored reading of an exhausted account answers a command instead of a "
        "request: OpenAI resets early every few days. A pressed Refresh button asks again "
        "after 60 seconds, `--force` at once",
    )
    concurrency: int = setting(
        16,
        "QUOTA_CONCURRENCY",
        whole(1, 256),
        _READING,
        "how many accounts are asked at once when a person asks; the schedule never asks more "
        "than 4",
    )
    usage_url: str = setting(
        USAGE_URL,
        "QUOTA_USAGE_URL",
        parsed(setting_values.upstream_url, UPSTREAM_WANTED),
        _READING,
        "where quota is read; plain http only for `localhost`, `*.localhost` and addresses in "
        "127/8, ::1, 10/8, 172.16/12, 192.168/16 and fc00::/7",
    )
    user_agent: str = setting(
        f"codex-quota/{__version__}",
        "QUOTA_USER_AGENT",
        parsed(setting_values.header_text, "printable ASCII, at most 200 characters"),
        _READING,
        "how the app names itself there",
        "`codex-quota/<version>`",
    )
    https_proxy: str | None = setting(
        None,
        "QUOTA_HTTPS_PROXY",
        or_conventional(
            parsed(
                setting_values.proxy_url,
                "http://HOST:PORT or socks5h://HOST:PORT",
                is_secret=True,
            ),
            "HTTPS_PROXY",
            "ALL_PROXY",
        ),
        _READING,
        "the proxy to go out through, `http://HOST:PORT` or `socks5h://HOST:PORT`; `NO_PROXY` "
        "holds as usual",
        "`HTTPS_PROXY`, else `ALL_PROXY`",
        repr=False,
    )
    no_proxy: str | None = None
    ca_bundle: str | None = setting(
        None,
        "QUOTA_CA_BUNDLE",
        or_conventional(
            parsed(setting_values.existing, "a file or folder of certificates that exists"),
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
        ),
        _READING,
        "certificates to trust instead of the usual ones, such as a company's",
        "`REQUESTS_CA_BUNDLE`, else `SSL_CERT_FILE`",
    )
    auth_url: str = setting(
        AUTH_URL,
        "QUOTA_AUTH_URL",
        parsed(setting_values.upstream_base, UPSTREAM_WANTED),
        _SIGNING_IN,
        "where accounts are signed in and sign-ins renewed; plain http as for `QUOTA_USAGE_URL`",
    )
    renew: str = setting(
        "own",
        "QUOTA_RENEW",
        choice("own", "off"),
        _SIGNING_IN,
        "`own`: sign-ins that were made here are renewed before they end, and copies that a "
        "person chose; `off`: nothing is renewed",
    )
    oauth_client_id: str = setting(
        CLIENT_ID,
        "QUOTA_OAUTH_CLIENT_ID",
        parsed(setting_values.client_id, "an id such as app_…"),
        _SIGNING_IN,
        "the program that ChatGPT is told asks",
        "the Codex CLI's public one",
    )
    extras: tuple[str, ...] = setting(
        (),
        "QUOTA_EXTRAS",
        parsed(setting_values.extras, "words out of subscription, workspace"),
        _SIGNING_IN,
        "what is asked for beside quota: `subscription` (when it ends, once a day), `workspace` "
        "(its name)",
    )
    password: Secret | None = setting(
        None,
        "QUOTA_PASSWORD",
        secret(at_most=MAX_PASSWORD),
        _ACCESS,
        f"the dashboard's password, at most {MAX_PASSWORD:,} characters; wins over the one "
        "that was chosen in the browser",
    )
    secret_key: Secret | None = setting(
        None,
        "QUOTA_SECRET_KEY",
        secret(MIN_SECRET_KEY),
        _ACCESS,
        f"{MIN_SECRET_KEY} characters or more; the keys that seal tokens and sign cookies are "
        "derived from it. The file is made at the first start. With another key, stored "
        "tokens cannot be opened",
        "`secret.key` in the instance folder",
    )
    secret_key_old: Secret | None = setting(
        None,
        "QUOTA_SECRET_KEY_OLD",
        secret(MIN_SECRET_KEY),
        _ACCESS,
        "the key from before a change of `QUOTA_SECRET_KEY`: it still opens what it sealed, "
        "until `rotate-key` has sealed everything anew",
    )
    auth: str = setting(
        "password",
        "QUOTA_AUTH",
        choice("password", "proxy", "off"),
        _ACCESS,
        "`password`; `proxy`: a trusted reverse proxy names the user; `off`: anyone may look, "
        "and nobody may see or change credentials",
    )
    proxy_user_header: str = setting(
        "Remote-User",
        "QUOTA_PROXY_USER_HEADER",
        parsed(setting_values.header_name, "a header name such as Remote-User"),
        _ACCESS,
        "the header in which that proxy names the user",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        (),
        "QUOTA_TRUSTED_PROXIES",
        parsed(setting_values.networks, "addresses and CIDRs such as 127.0.0.1, 10.0.0.0/8"),
        _ACCESS,
        "addresses and networks of reverse proxies, such as `127.0.0.1, 10.0.0.0/8`; from "
        "anyone else forwarded and user headers are dropped. `QUOTA_AUTH=proxy` needs it",
    )
    trusted_hosts: tuple[str, ...] = setting(
        (),
        "QUOTA_TRUSTED_HOSTS",
        parsed(setting_values.hosts, "host names such as quota.example.org"),
        _ACCESS,
        "names under which the dashboard may be opened, beside localhost and IP addresses",
    )
    url_prefix: str = setting(
        "",
        "QUOTA_URL_PREFIX",
        parsed(setting_values.prefix, "a path such as /quota"),
        _ACCESS,
        "the path it lives under behind a reverse proxy, such as `/quota`",
    )
    alert_targets: AlertTargets = setting(
        AlertTargets(),
        "QUOTA_ALERT_TARGETS",
        parsed(setting_values.alert_targets, "hosts and CIDRs such as ntfy.lan, 10.0.0.0/8"),
        _REST,
        "hosts, addresses and networks at home that alerts may reach, such as `ntfy.lan, "
        "10.0.0.0/8`; plain http goes to these alone. Link-local and multicast addresses are "
        "never reached",
        "none: the public internet alone",
    )
    public_url: str | None = setting(
        None,
        "QUOTA_PUBLIC_URL",
        parsed(setting_values.public_url, "an address such as https://quota.example.org"),
        _REST,
        "the address under which people open the dashboard, prefix included; links in alerts "
        "and share links begin with it",
    )
    retention_days: int | None = setting(
        None,
        "QUOTA_RETENTION_DAYS",
        whole(1, 36_500),
        _REST,
        "raw readings and attempts older than this many days are deleted; hourly and daily "
        "figures stay",
        "keep all",
    )
    backup_dir: Path | None = setting(
        None,
        "QUOTA_BACKUP_DIR",
        environment.path,
        _REST,
        "a folder that gets a verified backup of the SQLite database once a day (UTC)",
    )
    backup_keep: int = setting(
        14,
        "QUOTA_BACKUP_KEEP",
        whole(1, 36_500),
        _REST,
        "of these backups the newest this many are kept",
    )
    timezone: ZoneInfo | None = setting(
        None,
        "QUOTA_TIMEZONE",
        parsed(setting_values.zone, "a zone such as Europe/Berlin"),
        _REST,
        "zone of times on the command line, such as `Europe/Berlin`",
        "the machine's",
    )
    log_format: str = setting(
        "text",
        "QUOTA_LOG_FORMAT",
        choice("text", "json"),
        _REST,
        "`text`, or `json` for one object a line",
    )
    language: str | None = setting(
        None,
        "QUOTA_LANGUAGE",
        choice("en", "zh"),
        _REST,
        "`en` or `zh`: the language of pages where the browser names neither, of alerts, and "
        "of commands where it is set; what programs read stays English",
        "the viewer's, else `en`",
    )
    #: Only this account is refreshed and shown (an option of the classic service).
    only_account: str | None = None
    #: The schedule refreshes exhausted accounts as often as the others (likewise).
    skip_cache: bool = False

    def with_options(self, **options: Any) -> "Settings":
        """The same settings with command-line options laid over; None means not given."""
        return replace(self, **{k: v for k, v in options.items() if v is not None})


def declared() -> Iterator[tuple[Field[Any], Variable]]:
    """Every field of Settings that has a variable, in the order of docs/settings.md."""
    for each in fields(Settings):
        if "variable" in each.metadata:
            yield each, each.metadata["variable"]


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that *environ* (the process's, unless given) describes.

    Raises BadSetting for the first value that cannot be used.
    """
    env = Environment(os.environ if environ is None else environ)
    found: dict[str, Any] = {"no_proxy": env.text("NO_PROXY") or env.text("no_proxy")}
    for each, variable in declared():
        value = variable.read(env, variable.name)
        if value is not None:
            found[each.name] = value
    folder = found.get("instance_dir", _INSTANCE)
    found.setdefault("database_url", f"sqlite:///{folder}/quota.sqlite")
    settings = Settings(**found, account_dir_named="account_dir" in found)
    setting_values.check_together(
        settings.auth, settings.trusted_proxies, settings.backup_dir, settings.database_url
    )
    # "never longer than the idle one": a short idle interval also bounds the active one.
    shortest = min(settings.active_interval, settings.refresh_interval)
    return replace(settings, active_interval=shortest)


def bare_environment() -> dict[str, str]:
    """The process's environment without any setting of ours: for a program that shares no data."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QUOTA_")}
