"""What the text of a setting may be: each function reads one, and raises ValueError for what cannot
be used.
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quota_web.core import extra_facts, urls
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.environment import absolute
from quota_web.core.errors import BadSetting

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def upstream_url(value: str) -> str:
    """The address as given, if tokens may be sent there; raises ValueError otherwise."""
    return _without(urls.check_upstream_url(value), value)


def upstream_base(value: str) -> str:
    """The same, as what paths are put behind."""
    if "?" in value:
        raise ValueError("has a query")
    return upstream_url(value).rstrip("/")


def client_id(value: str) -> str:
    """The id of a program at the sign-in's side."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", value):
        raise ValueError("no id")
    return value


def extras(value: str) -> tuple[str, ...]:
    """Kinds of facts beside quota, separated by commas or spaces, each once."""
    words = tuple(dict.fromkeys(part.lower() for part in _parts(value)))
    if not set(words) <= set(extra_facts.KINDS):
        raise ValueError("unknown word")
    return words


def _without(problem: str | None, value: str) -> str:
    if problem is not None:
        raise ValueError(problem)
    return value


def database_url(value: str) -> str:
    """The URL of a SQLite file or of a PostgreSQL database, as SQLAlchemy writes it."""
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


def header_text(value: str) -> str:
    """Text that can stand in a header."""
    if not re.fullmatch(r"[\x21-\x7e][\x20-\x7e]{0,199}", value):
        raise ValueError("not printable ASCII")
    return value


def header_name(value: str) -> str:
    """The name of a header."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,80}", value):
        raise ValueError("no header name")
    return value


def proxy_url(value: str) -> str:
    """The address of a proxy, with its scheme."""
    return _without(urls.check_proxy_url(value), urls.with_scheme(value))


def existing(value: str) -> str:
    """The path of a file or folder that exists."""
    if not os.path.exists(value):
        raise ValueError("not there")
    return value


def file_path(value: str) -> Path:
    """A file, there or not, in a folder that exists."""
    path = absolute(value)
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        raise ValueError("no place for a file")
    return path


def networks(value: str) -> tuple[Network, ...]:
    """Addresses and networks in CIDR notation, separated by commas or spaces."""
    return tuple(ipaddress.ip_network(part, strict=False) for part in _parts(value))


def hosts(value: str) -> tuple[str, ...]:
    """Host names, separated by commas or spaces; one with a leading dot is a domain."""
    hosts = tuple(part.lower().rstrip(".") for part in _parts(value))
    if not all(re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", host) for host in hosts):
        raise ValueError("no host name")
    return hosts


def alert_targets(value: str) -> AlertTargets:
    """Host names, addresses and networks in CIDR notation, separated by commas or spaces."""
    names, opened = [], []
    for part in _parts(value):
        try:
            opened.append(ipaddress.ip_network(part.strip("[]"), strict=False))
        except ValueError:
            names.append(part)
    if any(name.startswith(".") or "/" in name for name in names):
        raise ValueError("no host name")
    return AlertTargets(frozenset(hosts(" ".join(names))) if names else frozenset(), tuple(opened))


def public_url(value: str) -> str:
    """The address under which people open the dashboard, without a slash at the end."""
    return _without(urls.check_public_url(value), value.rstrip("/"))


def _parts(value: str) -> list[str]:
    parts = [part for part in re.split(r"[,\s]+", value) if part]
    if not parts:
        raise ValueError("empty list")
    return parts


def prefix(value: str) -> str:
    """A path with a slash before it and none after it; empty for the root."""
    prefix = "/" + value.strip("/")
    if prefix == "/":
        return ""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix) or ".." in prefix:
        raise ValueError("no path")
    return prefix


def zone(value: str) -> ZoneInfo:
    """A time zone by its IANA name."""
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("unknown zone") from None


def check_together(
    auth: str, trusted_proxies: Sequence[Network], backup_dir: Path | None, database_url: str
) -> None:
    """Refuse values that are good alone and not beside each other. Raises BadSetting."""
    if auth == "proxy" and not trusted_proxies:
        raise BadSetting(
            "QUOTA_AUTH: proxy needs QUOTA_TRUSTED_PROXIES, the addresses of the proxy that names "
            "the user"
        )
    if backup_dir is not None and not database_url.startswith("sqlite:"):
        raise BadSetting("QUOTA_BACKUP_DIR: backs up SQLite alone; use pg_dump for PostgreSQL")
