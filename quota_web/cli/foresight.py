"""`flask quota forecast`, `next` and `guard`: what is stored of the future; nothing is sent."""

from collections.abc import Mapping, Sequence

from quota_web.cli import output
from quota_web.core import clock, labels
from quota_web.core.display_order import Group
from quota_web.core.times import local
from quota_web.language import formats
from quota_web.reports import (
    next_words,
    outlook,
    outlook_json,
    outlook_words,
    overview,
    pool_words,
    quota_gate,
    reading_validity,
    results_json,
)
from quota_web.reports.overview import AccountView, Overview
from quota_web.reports.quota_gate import Advice, Guarded
from quota_web.services import Services

#: No account can be used now: try again later, as `sysexits.h` has it.
NONE_USABLE = 75
HEADER = ("account", "window", "left", "resets", "lasts", "runs out", "at reset")
NO_ACCOUNT = "No auth files found."


def _seen(services: Services) -> Overview:
    services.ready()
    return overview.load_overview(services.scope, clock.now(), services.settings.refresh_interval)


def forecast(services: Services, names: Sequence[str], as_json: bool) -> int:
    """Print what is said of each window, and return the exit status."""
    seen = _seen(services)
    chosen, missing = overview.pick(seen.accounts, names)
    rows = [row for view in chosen for row in _rows(services, view)]
    if as_json:
        print(results_json.as_text(outlook_json.forecast_document(seen.only(chosen))))
    elif rows:
        print("\n".join([*output.columns_of([HEADER, *rows]), *_pool(services, seen.only(chosen))]))
    elif not missing:
        output.print_error("Nothing was forecast yet." if seen.accounts else NO_ACCOUNT)
    for error in missing:
        output.print_error(str(error))
    return output.UNUSABLE if missing else output.OK


def _pool(services: Services, seen: Overview) -> list[str]:
    """The last line: what is said of all accounts together, where they are all shown."""
    words = pool_words.pool_in_words(seen, clock.now(), services.settings.timezone)
    return [] if words is None else [words.sentence]


def _rows(services: Services, view: AccountView) -> list[tuple[str, ...]]:
    zone, now = services.settings.timezone, clock.now()
    rows: list[tuple[str, ...]] = []
    for key, said in outlook.forecasts_of(view).items():
        window = view.window(key)
        if window is None:
            continue
        cells = outlook_words.in_cells(key, said, zone)
        resets = (
            "-" if window.resets_at is None else formats.day_and_minute(window.resets_at, now, zone)
        )
        rows.append(
            (
                view.account.name,
                labels.window(key, window.upstream_name).lower(),
                f"{window.remaining_percent:g}",
                resets,
                cells.lasts,
                cells.runs_out,
                cells.at_reset,
            )
        )
    return rows


def next_account(services: Services, as_json: bool) -> int:
    """Print which account to use now and why, and return the exit status."""
    seen, zone = _seen(services), services.settings.timezone
    found = outlook.next_of(seen)
    status = output.OK if found.account else NONE_USABLE if seen.accounts else output.UNUSABLE
    if as_json:
        print(results_json.as_text(outlook_json.next_document(seen)))
    elif found.account is not None:
        print(f"{found.account.account.name}\t{next_words.reason(found, clock.now(), zone)}")
    if found.account is None and not (as_json and seen.accounts):
        output.print_error(next_words.none_until(found, zone) if seen.accounts else NO_ACCOUNT)
    return status


def guard_account(
    services: Services, name: str | None, least: Mapping[str, float], as_json: bool
) -> int:
    """Say whether work may go on with an account, and return the exit status."""
    seen = _seen(services)
    if name is None:
        view = _next_or_best(seen)
        missing = NO_ACCOUNT
    else:
        chosen, errors = overview.pick(seen.accounts, [name])
        view = chosen[0] if chosen else None
        missing = str(errors[0]) if errors else NO_ACCOUNT
    if view is None:
        output.print_error(missing)
        return output.UNUSABLE
    found = quota_gate.judge(view, least)
    if as_json:
        print(results_json.as_text(quota_gate.document(found, least)))
    elif found.advice is Advice.GO_ON:
        print(f"{view.account.name}: go on: {_left(view)}")
    else:
        output.print_error(f"{view.account.name}: stop: {_why(services, found)}")
    return found.exit_status


def _next_or_best(seen: Overview) -> AccountView | None:
    """The account that `next` names; where it names none, that which is back first."""
    found = outlook.next_of(seen)
    return found.account or found.waits_for or next(iter(seen.counted), None)


def _left(view: AccountView) -> str:
    words = [f"{labels.window(w.key).lower()} {w.remaining_percent:g} %" for w in view.windows]
    return f"{', '.join(words)} left" if words else "no window limits it"


def _why(services: Services, found: Guarded) -> str:
    view, zone, now = found.view, services.settings.timezone, clock.now()
    taken_at = view.account.taken_at
    match found.advice:
        case Advice.TOO_LITTLE:
            return ", ".join(
                f"{labels.window(w.key).lower()} {w.remaining_percent:g} % left, "
                f"less than {least:g}"
                for w, least in found.short_of
            )
        case Advice.STALE | Advice.FAILING if taken_at is not None:
            if found.advice is Advice.FAILING:
                state = "its last answer failed"
            elif now >= reading_validity.fresh_from(taken_at):
                state = "too old"
            else:
                state = f"the clock is wrong, it shows {local(now, zone)}"
            return f"{state}; the last reading is from {local(taken_at, zone)}"
        case Advice.UNKNOWN if view.group is Group.USABLE and taken_at is not None:
            return "its last answer holds no window that limits it"
        case _:
            return output.state(view, now, zone)
