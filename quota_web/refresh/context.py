"""Door: what `flask quota refresh`, the classic command and services share: follow, refresh,
print.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import orjson

from quota_web import store
from quota_web.accounts import folder_sync
from quota_web.cli import output
from quota_web.core import clock, names, ranking
from quota_web.core.policy import Pace
from quota_web.core.quota import CACHE, NETWORK, Status
from quota_web.refresh import hooks, refresh_service
from quota_web.refresh.refresh_service import RefreshContext, RefreshResult
from quota_web.reports import overview, results_json
from quota_web.reports.overview import AccountView, Overview
from quota_web.services import Services
from quota_web.store.accounts import DEMO, Account, Scope

__all__ = [
    "RefreshOptions",
    "current_overview",
    "make_context",
    "run_refresh",
    "sync_folders",
    "write_state_file",
]


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """What a refresh command was asked for."""

    scope: Scope
    names: tuple[str, ...] = ()
    force: bool = False
    as_json: bool = False
    raw_headers: bool = False
    raw_json: bool = False
    #: The classic command: its own order, and no row for an account that failed.
    classic: bool = False
    #: When the command was given, where that is known.
    since: int | None = None


def make_context(
    services: Services, keep_raw: bool = False, by_button: bool = False
) -> RefreshContext:
    """Who asks when a person wants to know; a pressed button believes the cache less long."""
    settings = services.settings
    cache_s = settings.cache_seconds
    return RefreshContext(
        services.client,
        services.cipher,
        Pace(settings.refresh_interval, settings.active_interval, settings.skip_cache),
        settings.concurrency,
        clock.now,
        services.stop,
        keep_raw=keep_raw,
        cache_s=min(cache_s, refresh_service.BUTTON_CACHE_S) if by_button else cache_s,
        hooks=hooks.hooks(),
    )


def sync_folders(services: Services, only: Sequence[str] = ()) -> tuple[int, set[str]]:
    """Bring the accounts in step with their folders and say what is wrong with those; with *only*,
    of no other account.

    Returns the exit status of that, and the keys of the names that it complained of.
    """
    settings, status = services.settings, output.OK
    wanted, complained = {names.fold(name) for name in only}, set()
    for folder in folder_sync.folders(settings.account_dir, settings.account_dir_named):
        report = folder_sync.sync(services.cipher, folder, clock.now())
        if report.folder_fault is not None:
            output.print_error(report.folder_fault)
            status = output.BAD_SETTING
        for problem in report.problems:
            key = names.fold(problem.name)
            if not wanted or key in wanted:
                output.print_error(
                    output.fault_line(problem.name, problem.fault, settings.timezone)
                )
                status = max(status, output.UNUSABLE)
                complained.add(key)
    return status, complained


def current_overview(services: Services, scope: Scope) -> Overview:
    return overview.load_overview(scope, clock.now(), services.settings.refresh_interval)


def run_refresh(services: Services, wanted: RefreshOptions) -> int:
    """Refresh, print what was asked for, write the state file, and return the exit status."""
    services.ready()
    status, complained = sync_folders(services, wanted.names)
    chosen, missing = refresh_service.select(wanted.scope, wanted.names)
    missing = [error for error in missing if names.fold(error.name) not in complained]
    if not chosen and not missing:
        if not complained:
            output.print_error("No auth files found.")
        if wanted.as_json:
            print(results_json.text(current_overview(services, wanted.scope)))
        return max(status, output.UNUSABLE)
    found = _refreshed(services, wanted, chosen)
    _print(services, wanted, found)
    for error in missing:
        output.print_error(
            f"{error}: auth file not found or invalid" if wanted.classic else str(error)
        )
        status = max(status, output.UNUSABLE)
    return max([status, write_state_file(services), *(output.exit_status(r.fault) for r in found)])


def _refreshed(
    services: Services, wanted: RefreshOptions, chosen: Sequence[Account]
) -> list[RefreshResult]:
    found = []
    try:
        with output.ended_by_signals(services.end), output.progress(len(chosen)) as count:
            askers = make_context(services, wanted.raw_headers or wanted.raw_json)
            askers.since = wanted.since
            for result in refresh_service.refresh(askers, chosen, force=wanted.force):
                found.append(result)
                count()
    except BaseException:
        # What was answered is stored; the threads must not go on asking until their deadline.
        services.client.cut()
        raise
    return found


def _print(services: Services, wanted: RefreshOptions, found: Sequence[RefreshResult]) -> None:
    zone = services.settings.timezone
    by_id = {r.account_id: r for r in found}
    seen = current_overview(services, wanted.scope)
    shown = [r for r in seen.accounts if r.account.id in by_id]
    if wanted.classic:
        shown.sort(key=lambda r: ranking.classic_order(r.windows, r.account.name))
    if wanted.as_json:
        print(results_json.text(seen.only(shown)))
    elif shown:
        _print_raw(wanted, [by_id[r.account.id] for r in shown])
        if not wanted.raw_json:
            print("\n".join(_table(wanted, shown, by_id, zone)))
    for report in shown:
        result = by_id[report.account.id]
        if result.fault is not None:
            output.print_error(output.fault_line(result.name, result.fault, zone))
        elif result.status is Status.PAUSED:
            output.print_error(f"{result.name}: paused: not refreshed")
        elif result.source is None:
            output.print_error(
                f"{result.name}: {result.status}: another process is asking for it at this moment"
            )
    if any(report.account.origin == DEMO for report in shown):
        output.print_error("Nothing is sent for demo accounts; what they show is invented.")


def _table(
    wanted: RefreshOptions,
    shown: Sequence[AccountView],
    by_id: Mapping[int, RefreshResult],
    zone: tzinfo | None,
) -> list[str]:
    if wanted.classic:
        return output.table([r for r in shown if _has_row(by_id[r.account.id])], zone)
    return output.status_table(shown, clock.now(), zone)


def _has_row(result: RefreshResult) -> bool:
    """A failed account has no row in the classic table: its old numbers would look fresh."""
    return result.status is Status.OK and result.source in (NETWORK, CACHE)


def _print_raw(wanted: RefreshOptions, found: Sequence[RefreshResult]) -> None:
    for result in found:
        answer = result.answer
        if answer is None:
            continue
        if wanted.raw_headers and answer.headers is not None:
            print(f"=== Headers ===\n{_json(dict(answer.headers))}\n")
        if wanted.raw_json and answer.body_bytes is not None:
            print(f"=== Raw JSON ===\n{_indented(answer.body_bytes)}")


def _indented(body: bytes) -> str:
    """The body as indented JSON; as one string where it is none."""
    try:
        return _json(json.loads(body))
    except (ValueError, RecursionError):
        return _json(body.decode("utf-8", "replace"))


def _json(document: object) -> str:
    """As a terminal may have it: others wrote what is in it, and some characters are orders or turn
    the line around.
    """
    return names.visible_json(json.dumps(document, indent=2, ensure_ascii=False))


def write_state_file(services: Services) -> int:
    """Leave the results document where the settings want it, whole at every moment, and return the
    exit status of that.
    """
    file = services.settings.state_file
    if file is None:
        return output.OK
    content = orjson.dumps(results_json.document(current_overview(services, services.scope)))
    try:
        store.filesystem.write_private(file, content)
    except OSError as error:
        output.print_error(
            f"QUOTA_STATE_FILE: {names.printable(str(file))} cannot be written: {error.strerror}"
        )
        return output.BAD_SETTING
    return output.OK
