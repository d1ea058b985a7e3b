"""The `/api/results` document: what `refresh --json`, `status --json`, the state file and the API
all answer. Pure.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quota_web.core import labels, names
from quota_web.core.language import ENGLISH, use_language
from quota_web.core.quota import Credits, ModelUsage, Reading
from quota_web.core.times import iso, iso_text
from quota_web.reports import beside_quota, outlook_json, renewal_state
from quota_web.reports.overview import AccountView, Overview

if TYPE_CHECKING:
    import orjson

    from quota_web.reports.account_detail import Listed


def document(overview: Overview, entries: Sequence[Any] | None = None) -> dict[str, Any]:
    """The whole document, ready for JSON; *entries* are those of its accounts, where they are
    made already.
    """
    if entries is None:
        # For programs, whoever lets it be made.
        with use_language(ENGLISH):
            entries = [entry(overview, view) for view in overview.accounts]
    return {
        "updated_at": iso(overview.site.updated_at),
        "next_refresh_at": iso(overview.next_refresh_at),
        "results": entries,
    }


def entry(overview: Overview, view: AccountView) -> dict[str, Any]:
    """One account's entry, with its place in the order of all."""
    return result(view) | {"rank": overview.ranks[view.account.id]}


class EntryCache:
    """Finished entries of one app's accounts: a document costs as much as what has changed."""

    def __init__(self) -> None:
        #: By account id: what an entry was made of, and the entry.
        self._entries: dict[int, tuple[tuple[object, ...], orjson.Fragment]] = {}

    def document(self, overview: Overview) -> bytes:
        """The whole document."""
        # Where it is used: it takes as long to load as all else that a command needs of this file.
        import orjson

        there, entries = self._entries, {}
        # For programs, whoever lets it be made.
        with use_language(ENGLISH):
            for view in overview.accounts:
                one = view.account.id
                version = (overview.stamps[one], overview.ranks[one], view.same_login_as)
                found = there.get(one)
                if found is None or found[0] != version:
                    made = orjson.dumps(entry(overview, view))
                    found = version, orjson.Fragment(made)
                entries[one] = found
        self._entries = entries
        return orjson.dumps(document(overview, [made for _, made in entries.values()]))


def text(overview: Overview) -> str:
    """The document as commands print it."""
    return as_text(document(overview))


def as_text(document: Any) -> str:
    """Any document as commands print it."""
    return names.visible_json(json.dumps(document, indent=1, ensure_ascii=False))


def result(report: AccountView) -> dict[str, Any]:
    """One account's entry, its labels in the current language. Percentages are what remains; a
    window the account does not have is null.
    """
    account, facts, five_hour, weekly = (
        report.account,
        report.facts,
        report.five_hour,
        report.weekly,
    )
    return {
        "account": account.name,
        "status": report.status,
        "message": report.fault.text(iso_text) if report.fault else None,
        "source": report.source,
        "plan_type": facts.plan if facts else None,
        "email": account.email,
        "five_hour_percent": percent(five_hour),
        "five_hour_reset_at": iso(five_hour.resets_at) if five_hour else None,
        "weekly_percent": percent(weekly),
        "weekly_reset_at": iso(weekly.resets_at) if weekly else None,
        "blocked": report.block.blocked,
        "blocked_until": iso(report.block.until),
        "reached_type": facts.reached_type if facts else None,
        "spend_reached": facts.spend_reached if facts else False,
        "windows": [
            window(w) | {"forecast": outlook_json.window_forecast(report, w.key)}
            for w in report.windows
        ],
        "credits": _credits(facts.credits) if facts and facts.credits else None,
        "reset_credits": facts.reset_credits if facts else None,
        "reset_credit_expiries": [
            iso(reset.expires_at) for reset in report.banked if reset.expires_at is not None
        ],
        **beside_quota.fields(report.extras),
        "model_usage": [_model(usage) for usage in facts.model_usage] if facts else [],
        "taken_at": iso(account.taken_at),
        "attempted_at": iso(account.attempted_at),
        "stale": report.stale,
        "same_login_as": report.same_login_as,
        "group": report.group,
        "failing_since": iso(report.failing_since),
    }


def listed(one: "Listed") -> dict[str, Any]:
    """One account with the state of its credentials; no token is part of it."""
    report, account, told = one.report, one.report.account, one.credentials
    return {
        "account": account.name,
        "id": account.id,
        "status": report.status,
        "message": report.fault.text(iso_text) if report.fault else None,
        "group": report.group,
        "plan_type": report.facts.plan if report.facts else None,
        "origin": account.origin,
        "source_path": account.source_path,
        "email": account.email,
        "account_id": account.chatgpt_account_id,
        "expires_at": iso(told.expires_at),
        "same_login_as": report.same_login_as,
        "credentials": renewal_state.document(told.renewal),
    }


def window(reading: Reading) -> dict[str, Any]:
    """One window's entry; a spend limit has its amounts beside."""
    entry = {
        "key": reading.key,
        "label": labels.window(reading.key, reading.upstream_name),
        "remaining_percent": number(reading.remaining_percent),
        "used_percent": number(reading.used_percent),
        "window_seconds": reading.length_s,
        "resets_at": iso(reading.resets_at),
    }
    if reading.spend is not None:
        entry |= {
            "limit": reading.spend.limit,
            "used": reading.spend.used,
            "unit": reading.spend.unit,
        }
    return entry


def percent(reading: Reading | None) -> float | int | None:
    return None if reading is None else number(reading.remaining_percent)


def number(value: float) -> float | int:
    """A whole number without its `.0`, anything else to two places."""
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded


def _model(usage: ModelUsage) -> dict[str, Any]:
    return {
        "model": usage.model,
        "available": usage.available,
        "available_at": iso(usage.available_at),
        "credits_would_enable": usage.credits_would_enable,
    }


def _credits(credits: Credits) -> dict[str, Any]:
    return {
        "has_credits": credits.has_credits,
        "unlimited": credits.unlimited,
        "balance": credits.balance,
    }
