"""Environment → typed settings, read once. The only place that looks at the environment.

A bad value raises BadSetting with one line that names the variable, what is wrong with it and what
it may be.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quota_web.core import urls
from quota_web.core.errors import BadSetting, shortened
from quota_web.core.secret import Secret
from quota_web.version import __version__

PROJECT = Path(__file__).resolve().parent.parent
USAGE_URL = "https://chatgpt.com/backend-api/wham/usage"
UPSTREAM_WANTED = "an https address; plain http only to localhost and private addresses"
MIN_SECRET_KEY = 16
#: In characters. Nobody types more; hashing megabytes would be work for nothing, and normalising
#: them freezes the process.
MAX_PASSWORD = 1000

T = TypeVar("T")
D = TypeVar("D")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment can say. Durations are seconds."""

    instance_dir: Path
    account_dir: Path
    #: Whether a person named the account folder; then a missing one is a mistake, not an empty
    #: start.
    account_dir_named: bool
    #: May hold a password, like the proxy's address.
    database_url: str = field(repr=False)
    usage_url: str = USAGE_URL
    user_agent: str = f"codex-quota/{__version__}"
    https_proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    ca_bundle: str | None = None
    refresh_interval: int = 3600
    active_interval: int = 300
    retries: int = 3
    retry_delay: float = 2.0
    timeout: float = 30.0
    cache_seconds: int = 900
    concurrency: int = 16
    password: Secret | None = None
    secret_key: Secret | None = None
    #: The one before, until everything is sealed with the present one.
    secret_key_old: Secret | None = None
    auth: str = "password"
    proxy_user_header: str = "Remote-User"
    trusted_proxies: tuple[Network, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    url_prefix: str = ""
    state_file: Path | None = None
    retention_days: int | None = None
    timezone: ZoneInfo | None = None
    log_format: str = "text"
    #: Only this account is refreshed and shown (an option of the classic service).
    only_account: str | None = None
    #: The schedule asks for exhausted accounts as often as for the others (likewise).
    skip_cache: bool = False

    def with_options(self, **options: Any) -> "Settings":
        """The same settings with command-line options laid over; None means not given."""
        return replace(self, **{k: v for k, v in options.items() if v is not None})


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that *environ* (the process's, unless given) describes.

    Raises BadSetting for the first value that cannot be used.
    """
    env = _Environment(os.environ if environ is None else environ)
    instance = env.path("QUOTA_INSTANCE_DIR", PROJECT / "instance")
    settings = Settings(
        instance_dir=instance,
        account_dir=env.path("QUOTA_ACCOUNT_DIR", PROJECT / "account"),
        account_dir_named=env.text("QUOTA_ACCOUNT_DIR") is not None,
        database_url=env.parsed(
            "QUOTA_DATABASE_URL",
            database_url,
            default_database(instance),
            "sqlite:///FILE or postgresql://USER@HOST/NAME",
            secret=True,
        ),
        usage_url=env.parsed("QUOTA_USAGE_URL", upstream_url, USAGE_URL, UPSTREAM_WANTED),
        user_agent=env.parsed(
            "QUOTA_USER_AGENT",
            _header_text,
            f"codex-quota/{__version__}",
            "printable ASCII, at most 200 characters",
        ),
        https_proxy=env.first_parsed(
            ("QUOTA_HTTPS_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
            _proxy_url,
            "http://HOST:PORT or socks5h://HOST:PORT",
            secret=True,
        ),
        no_proxy=env.fallback("NO_PROXY"),
        ca_bundle=env.first_parsed(
            ("QUOTA_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
            _existing,
            "a file or folder of certificates that exists",
        ),
        refresh_interval=env.whole("QUOTA_REFRESH_INTERVAL", 3600, 1, 30 * 86_400),
        active_interval=env.whole("QUOTA_ACTIVE_INTERVAL", 300, 1, 30 * 86_400),
        retries=env.whole("QUOTA_RETRIES", 3, 0, 20),
        retry_delay=env.number("QUOTA_RETRY_DELAY", 2.0, 0, 300),
        timeout=env.number("QUOTA_TIMEOUT", 30.0, 0.1, 120),
        cache_seconds=env.whole("QUOTA_CACHE_SECONDS", 900, 0, 30 * 86_400),
        concurrency=env.whole("QUOTA_CONCURRENCY", 16, 1, 256),
        password=env.secret("QUOTA_PASSWORD", at_most=MAX_PASSWORD),
        secret_key=env.secret("QUOTA_SECRET_KEY", MIN_SECRET_KEY),
        secret_key_old=env.secret("QUOTA_SECRET_KEY_OLD", MIN_SECRET_KEY),
        auth=env.choice("QUOTA_AUTH", "password", ("password", "proxy", "off")),
        proxy_user_header=env.parsed(
            "QUOTA_PROXY_USER_HEADER",
            _header_name,
            "Remote-User",
            "a header name such as Remote-User",
        ),
        trusted_proxies=env.parsed(
            "QUOTA_TRUSTED_PROXIES",
            _networks,
            (),
            "addresses and CIDRs such as 127.0.0.1, 10.0.0.0/8",
        ),
        trusted_hosts=env.parsed(
            "QUOTA_TRUSTED_HOSTS", _hosts, (), "host names such as quota.example.org"
        ),
        url_prefix=env.parsed("QUOTA_URL_PREFIX", _prefix, "", "a path such as /quota"),
        state_file=env.parsed(
            "QUOTA_STATE_FILE", _file_path, None, "a file in a folder that exists"
        ),
        retention_days=env.whole("QUOTA_RETENTION_DAYS", None, 1, 36_500),
        timezone=env.parsed("QUOTA_TIMEZONE", _zone, None, "a zone such as Europe/Berlin"),
        log_format=env.choice("QUOTA_LOG_FORMAT", "text", ("text", "json")),
    )
    if settings.auth == "proxy" and not settings.trusted_proxies:
        raise BadSetting(
            "QUOTA_AUTH: proxy needs QUOTA_TRUSTED_PROXIES, the addresses of the proxy that names "
            "the user"
        )
    # "never longer than the idle one": a short idle interval also bounds the active one.
    return replace(
        settings, active_interval=min(settings.active_interval, settings.refresh_interval)
    )


def default_database(instance_dir: Path) -> str:
    """The URL of the SQLite file that lies in the instance folder."""
    return f"sqlite:///{instance_dir / 'quota.sqlite'}"


class _Environment:
    """Reads variables one by one; an empty value counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        value = self._environ.get(name, "").strip()
        return value or None

    def fallback(self, *names: str) -> str | None:
        """The first of the conventional variables that is set, in either case."""
        return next((v for n in names for v in (self.text(n), self.text(n.lower())) if v), None)

    def path(self, name: str, default: T) -> Path | T:
        value = self.text(name)
        return Path(os.path.abspath(os.path.expanduser(value))) if value else default

    def whole(self, name: str, default: T, low: int, high: int) -> int | T:
        value = self.text(name)
        return (
            default
            if value is None
            else int(_bounded(name, value, r"[+-]?\d{1,18}", low, high, "a whole number"))
        )

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.text(name)
        return (
            default
            if value is None
            else _bounded(
                name, value, r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})", low, high, "a number"
            )
        )

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = (self.text(name) or default).lower()
        if value not in allowed:
            raise BadSetting(f"{name}: {shown(value)} is not one of {', '.join(allowed)}")
        return value

    def parsed(
        self, name: str, parse: Callable[[str], T], default: D, wanted: str, secret: bool = False
    ) -> T | D:
        """The variable's value as *parse* reads it; a *secret* one may also stand in the file that
        `<name>_FILE` names, and is never shown.
        """
        source, value = self._secret_text(name) if secret else (name, self.text(name))
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError:
            raise BadSetting(
                f"{source}: {'the value' if secret else shown(value)} cannot be used; give {wanted}"
            ) from None

    def first_parsed(
        self, names: tuple[str, ...], parse: Callable[[str], T], wanted: str, secret: bool = False
    ) -> T | None:
        """The first that is set: our own variable, or one of the conventional ones in either
        case.
        """
        own, *others = names
        for name in (own, *(spelling for other in others for spelling in (other, other.lower()))):
            found = self.parsed(name, parse, None, wanted, secret=secret)
            if found is not None:
                return found
        return None

    def secret(self, name: str, at_least: int = 1, at_most: int | None = None) -> Secret | None:
        source, value = self._secret_text(name)
        if value is None:
            return None
        if len(value) < at_least:
            raise BadSetting(
                f"{source}: {len(value)} characters are too few; give {at_least} or more"
            )
        if at_most is not None and len(value) > at_most:
            raise BadSetting(
                f"{source}: {len(value)} characters are too many; give {at_most} or fewer"
            )
        return Secret(value)

    def _secret_text(self, name: str) -> tuple[str, str | None]:
        """Where a secret comes from, the variable itself or the file that `<name>_FILE` names, and
        the secret.
        """
        value, source = self.text(name), f"{name}_FILE"
        file = self.text(source) if name.startswith("QUOTA_") else None
        if file is None:
            return name, value
        if value is not None:
            raise BadSetting(f"{name}: set either {name} or {source}, not both")
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise BadSetting(f"{source}: {shown(file)} cannot be read: {reason}") from None
        if not value:
            raise BadSetting(f"{source}: {shown(file)} is empty")
        return source, value


def shown(value: str) -> str:
    """A bad value as a message quotes it: one short line, without the password that an address may
    hold.
    """
    masked = re.sub(r"//[^/?#]*@", "//***@", value)
    return repr(shortened(masked))


def _bounded(name: str, value: str, pattern: str, low: float, high: float, what: str) -> float:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise BadSetting(f"{name}: {shown(value)} is not {what}")
    number = float(value)
    if not low <= number <= high:
        raise BadSetting(f"{name}: {value} is not between {low:.10g} and {high:.10g}")
    return number


def upstream_url(value: str) -> str:
    """The address as given, if tokens may be sent there; raises ValueError otherwise."""
    return _without(urls.check_upstream_url(value), value)


def _without(problem: str | None, value: str) -> str:
    if problem is not None:
        raise ValueError(problem)
    return value


def database_url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if (
        scheme == "sqlite"
        and rest.startswith("/")
        and rest.strip("/")
        and ":memory:" not in rest
        and not rest.startswith("/file:")
    ):
        # A file: what is kept in memory alone would be gone with every command.
        return value
    if scheme in ("postgres", "postgresql", "postgresql+psycopg") and separator and rest:
        return f"postgresql+psycopg://{rest}"
    raise ValueError("unknown kind of database")


def _header_text(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e][\x20-\x7e]{0,199}", value):
        raise ValueError("not printable ASCII")
    return value


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,80}", value):
        raise ValueError("no header name")
    return value


def _proxy_url(value: str) -> str:
    return _without(urls.check_proxy_url(value), urls.with_scheme(value))


def _existing(value: str) -> str:
    if not os.path.exists(value):
        raise ValueError("not there")
    return value


def _file_path(value: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(value)))
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        raise ValueError("no place for a file")
    return path


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part, strict=False) for part in _parts(value))


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(part.lower().rstrip(".") for part in _parts(value))
    if not all(re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", host) for host in hosts):
        raise ValueError("no host name")
    return hosts


def _parts(value: str) -> list[str]:
    parts = [part for part in re.split(r"[,\s]+", value) if part]
    if not parts:
        raise ValueError("empty list")
    return parts


def _prefix(value: str) -> str:
    prefix = "/" + value.strip("/")
    if prefix == "/":
        return ""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix) or ".." in prefix:
        raise ValueError("no path")
    return prefix


def _zone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("unknown zone") from None
