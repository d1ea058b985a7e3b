"""Wire JSON → Snapshot. This file and `window_values.py` alone know the field names of a usage
answer.

Every section is read by itself and reads as nothing where it makes no sense, so a bad one never
loses the others. The rules that matter most: windows are named by their length, never by the slot
they stand in, and what was not measured is no reading.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from quota_web.codex import values, window_values
from quota_web.codex.fields import NOTHING, Fields, fields_of, first, items
from quota_web.codex.sanitize import clean
from quota_web.core import quota
from quota_web.core.quota import Credits, Facts, Identity, ModelUsage, Reading, Snapshot, Spend

MAX_READINGS = 64
_MOST_LIMITS = 256
_MOST_MODELS = 64

#: The first of these in an answer is the account's own section, unless it names another limit.
_OWN_SECTIONS = ("rate_limit", "rate_limits")
_OTHER_SECTIONS = ("additional_rate_limits", "rate_limits_by_limit_id")
_SECTIONS = (*_OWN_SECTIONS, *_OTHER_SECTIONS, "code_review_rate_limit", "credits", "spend_control")
_OWN_LIMIT_ID = "codex"
_OTHER_SPEND_LIMITS = (
    "group_default_limit",
    "workspace_default_limit",
    "role_budget_limit",
    "group_shared_limit",
    "workspace_shared_limit",
)

_WINDOW_NAME = re.compile(
    r"(?:five_hour|daily|weekly|monthly|primary|secondary|tertiary)"
    r"(?:_rate)?(?:_limit)?(?:_window)?|\w{1,40}_window"
)
_SAYING_NAME = re.compile(r"(five_hour|weekly|daily|monthly)")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9._-]+")


class BadPayload(ValueError):
    """A document is no usage answer; the text completes `HTTP 200, but …`."""


def parse(document: object, fetched_at: int) -> Snapshot:
    """The snapshot in a decoded answer that arrived at *fetched_at* (epoch seconds).

    Raises BadPayload if there is no quota in it.
    """
    if not isinstance(document, dict):
        raise BadPayload("the answer is not a JSON object")
    top = fields_of(document)
    top = fields_of(top.get("result")) or top
    limits = list(islice(_limits(top), _MOST_LIMITS))
    own = next((limit.section for limit in limits if limit.id == _OWN_LIMIT_ID), NOTHING)
    windows = list(_windows(top))
    if not windows and not any(_is_section(top, name) for name in _SECTIONS):
        raise BadPayload("the answer holds no quota")
    spend = fields_of(first(top, own, "spend_control"))
    spend_limit = _spend_reading(spend, own, fetched_at)
    found = [
        *_readings([*_windows(own), *(() if _names_another(top) else windows)], fetched_at),
        *([spend_limit] if spend_limit else []),
        *_other_readings(top, limits, fetched_at),
    ]
    facts = replace(
        _facts(top, own, spend, spend_limit),
        model_usage=_model_usage(top.get("model_usage"), fetched_at),
    )
    return Snapshot(_merged(found), facts, _identity(top))


class _Limit(NamedTuple):
    """One limit of an answer."""

    #: What it names itself, or is named in a list of limits; None for one that has no such name.
    id: str | None
    #: What describes it: names and feature.
    fields: Fields
    #: What holds its windows and flags, often the same.
    section: Fields


def _limits(top: Fields) -> Iterator[_Limit]:
    """Every limit of an answer; the account's own go by the id `codex`, the first of them
    counts.
    """
    for name in _OWN_SECTIONS:
        if section := fields_of(top.get(name)):
            own_id = _limit_id(section) or _limit_id(top) or _OWN_LIMIT_ID
            yield _Limit(own_id, section, section)
    if _names_another(top):
        yield _Limit(_limit_id(top), top, top)
    for listed in (top.get(name) for name in _OTHER_SECTIONS):
        named = items(listed) if isinstance(listed, dict) else ()
        yield from (_listed(name, fields_of(item)) for name, item in named)
        yield from (
            _listed(None, fields_of(i)) for i in (listed if isinstance(listed, list) else ())
        )


def _listed(name: str | None, item: Fields) -> _Limit:
    section = fields_of(item.get("rate_limit") or item.get("rate_limits")) or item
    return _Limit(_limit_id(item) or _limit_id(section) or clean(name), item, section)


def _limit_id(section: Fields) -> str | None:
    return clean(section.get("limit_id"))


def _names_another(section: Fields) -> bool:
    """Whether a section says of itself that it is not the account's own."""
    return _limit_id(section) not in (None, _OWN_LIMIT_ID)


def _is_section(top: Fields, name: str) -> bool:
    """Whether a section is there, if only as the null of an account that has no such limits."""
    return name in top and (
        top[name] is None
        or isinstance(top[name], dict)
        or (name in _OTHER_SECTIONS and isinstance(top[name], list))
    )


def _facts(top: Fields, own: Fields, spend: Fields, spend_reading: Reading | None) -> Facts:
    reached = values.flag(spend.get("reached"))
    if reached is None:
        reached = spend_reading is not None and spend_reading.exhausted
    allowed = values.flag(own.get("allowed"))
    return Facts(
        plan=clean(first(top, own, "plan_type")),
        allowed=values.flag(own.get("ordinary_usage_allowed")) if allowed is None else allowed,
        limit_reached=values.flag(own.get("limit_reached")),
        reached_type=_reached_type(first(top, own, "rate_limit_reached_type")),
        spend_reached=reached,
        credits=_credits(first(top, own, "credits")),
        reset_credits=_reset_credits(top.get("rate_limit_reset_credits")),
    )


def _identity(top: Fields) -> Identity:
    return Identity(
        clean(top.get("account_id")), clean(top.get("user_id")), clean(top.get("email"))
    )


def _reached_type(value: object) -> str | None:
    return clean(fields_of(value).get("type")) if isinstance(value, dict) else clean(value)


def _reset_credits(value: object) -> int | None:
    return values.whole(
        fields_of(value).get("available_count") if isinstance(value, dict) else value, 1_000_000
    )


def _model_usage(value: object, fetched_at: int) -> tuple[ModelUsage, ...]:
    """Which models may be used, sorted by name: an object of objects by model."""
    found = []
    for name, item in islice(items(value), _MOST_MODELS) if isinstance(value, dict) else ():
        part, model = fields_of(item), clean(name)
        available = values.flag(part.get("available"))
        if model is None or available is None:
            continue
        at = None if available else values.moment(part.get("available_at"), fetched_at)
        credits_would = values.flag(part.get("credits_would_enable"))
        found.append(ModelUsage(model, available, at, credits_would))
    return tuple(sorted(found, key=lambda usage: usage.model))


def _credits(value: object) -> Credits | None:
    if not isinstance(value, dict):
        return None
    part = fields_of(value)
    balance, unlimited = (
        values.amount(part.get("balance")),
        values.flag(part.get("unlimited")) or False,
    )
    has_credits = values.flag(part.get("has_credits"))
    if has_credits is None:
        has_credits = unlimited or (balance is not None and Decimal(balance) > 0)
    return Credits(
        has_credits, unlimited, balance, values.flag(part.get("overage_limit_reached")) or False
    )


def _readings(
    windows: Iterable[tuple[str, Fields]],
    fetched_at: int,
    prefix: str = "",
    name: str | None = None,
) -> Iterator[Reading]:
    """The readings of some windows; *prefix* and *name* are those of a limit that is not the
    account's own.
    """
    for window_name, window in windows:
        reading = _reading(window_name, window, fetched_at)
        if reading is not None:
            yield (
                replace(reading, key=prefix + reading.key, upstream_name=name)
                if prefix
                else reading
            )


def _other_readings(top: Fields, limits: Sequence[_Limit], fetched_at: int) -> Iterator[Reading]:
    """The readings of limits that are not the account's own: single models and code review."""
    review = _windows(fields_of(top.get("code_review_rate_limit")))
    yield from _readings(review, fetched_at, quota.CODE_REVIEW_PREFIX)
    others = [
        (limit, _feature(limit), _name(limit)) for limit in limits if limit.id != _OWN_LIMIT_ID
    ]
    sharing: dict[str, set[str]] = {}
    for _, feature, name in others:
        sharing.setdefault(feature, set()).update([name] if name else [])
    for limit, feature, name in others:
        # Several limits may meter one feature; then each also goes by its name.
        told_apart = name if len(sharing[feature]) > 1 else None
        prefix = quota.model_prefix(feature, told_apart)
        yield from _readings(_windows(limit.section), fetched_at, prefix, name)


def _feature(limit: _Limit) -> str:
    said = clean(limit.fields.get("metered_feature")) or limit.id or _name(limit) or "other"
    return _NOT_IN_KEYS.sub("_", said)[:64]


def _name(limit: _Limit) -> str | None:
    return clean(limit.fields.get("limit_name")) or clean(limit.fields.get("normal_model_slug"))


def _windows(section: Fields) -> Iterator[tuple[str, Fields]]:
    """The window objects of a section with their names; the first one nested inside another takes a
    name that says its kind.
    """
    for name, value in section.items():
        if not isinstance(value, dict) or not _WINDOW_NAME.fullmatch(name):
            continue
        window = fields_of(value)
        inner = [
            (n, v) for n, v in window.items() if isinstance(v, dict) and _WINDOW_NAME.fullmatch(n)
        ]
        if inner and window_values.used_percent(window) is None:
            says = _SAYING_NAME.match(name) is not None
            yield from (
                (name if says and not place else n, fields_of(v))
                for place, (n, v) in enumerate(inner)
            )
        else:
            yield name, window


def _reading(name: str, window: Fields, fetched_at: int) -> Reading | None:
    """One window's reading; None where there is no usable percent, and for placeholders, which
    measure nothing.
    """
    used = window_values.used_percent(window)
    if used is None:
        return None
    length, resets_at = window_values.length(window), window_values.resets_at(window, fetched_at)
    if length == 0:
        return None
    says = _SAYING_NAME.match(name)
    if (
        used == 0
        and length is None
        and resets_at is None
        and (
            not says
            or any(
                n in window for n in (*window_values.LENGTH_SECONDS, *window_values.LENGTH_MINUTES)
            )
        )
    ):
        return None
    if length is not None:
        key = quota.key_for_length(length)
    elif says:
        key = says.group(1)
    else:
        ahead = 0 if resets_at is None else resets_at - fetched_at
        key = (
            quota.WEEKLY
            if values.DAY < ahead <= window_values.LONGEST_UNSAID_WEEK
            else quota.UNKNOWN
        )
    return Reading(key, used, resets_at, length)


def _spend_reading(spend: Fields, own: Fields, fetched_at: int) -> Reading | None:
    """The person's own spend limit, else the fullest of the others that apply."""
    individual = _spend_limit(
        fields_of(spend.get("individual_limit") or own.get("individual_limit")), fetched_at
    )
    if individual is not None:
        return individual
    parts = [fields_of(spend.get(name)) for name in _OTHER_SPEND_LIMITS]
    others = [_spend_limit(fields_of(part.get("details")) or part, fetched_at) for part in parts]
    return max(
        (reading for reading in others if reading is not None),
        key=lambda r: r.used_percent,
        default=None,
    )


def _spend_limit(part: Fields, fetched_at: int) -> Reading | None:
    if not part:
        return None
    limit, used, left = (values.amount(part.get(name)) for name in ("limit", "used", "remaining"))
    if used is None and limit is not None and left is not None:
        used = str(Decimal(limit) - Decimal(left))
    percent = window_values.used_percent(part)
    if (
        percent is None
        and limit is not None
        and used is not None
        and Decimal(limit) > 0
        and Decimal(used) >= 0
    ):
        percent = min(
            round(float(100 * Decimal(used) / Decimal(limit)), 4), window_values.MOST_PERCENT
        )
    if percent is None:
        return None
    return Reading(
        quota.SPEND,
        percent,
        window_values.resets_at(part, fetched_at),
        None,
        None,
        Spend(limit, used, clean(part.get("unit"), 40)),
    )


def _merged(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """One reading a key: equal ones collapse, of different ones the fuller stays and is marked."""
    by_key: dict[str, Reading] = {}
    for reading in readings:
        before = by_key.get(reading.key)
        if before is not None:
            by_key[reading.key] = _fuller(before, reading)
        elif len(by_key) < MAX_READINGS:
            by_key[reading.key] = reading
    return tuple(by_key.values())


def _fuller(one: Reading, other: Reading) -> Reading:
    if one.used_percent == other.used_percent and (
        one.resets_at == other.resets_at or None in (one.resets_at, other.resets_at)
    ):
        return replace(
            one, resets_at=one.resets_at or other.resets_at, length_s=one.length_s or other.length_s
        )
    first, last = sorted((one, other), key=lambda r: (r.used_percent, r.resets_at or 0))
    return replace(last, conflict=True, length_s=last.length_s or first.length_s)
