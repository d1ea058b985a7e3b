"""What `flask quota refresh` and the classic command share: follow the folders, refresh, print, and
the exit status.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from quota_web.cli import output
from quota_web.cli.progress import ProgressBar
from quota_web.core import clock, display_order, faults, names
from quota_web.core.errors import AccountNotFound
from quota_web.core.quota import CACHE, NETWORK, Status
from quota_web.refresh import context, hooks, refresh_service
from quota_web.refresh.refresh_service import RefreshResult
from quota_web.reports import overview, results_json, state_file
from quota_web.reports.overview import AccountView, Overview
from quota_web.services import Services
from quota_web.store.accounts import DEMO, Account, Scope


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


def sync_folders(
    services: Services, only: Sequence[str] = (), *, missing_is_empty: bool = False
) -> tuple[int, set[str]]:
    """Bring the accounts in step with their folders and print what is wrong with those; with
    *only*, of no other account. With *missing_is_empty* a folder that is missing is no fault.

    Returns the exit status of that, and the folded names of the files that it printed.
    """
    status, wanted, printed = output.OK, {names.fold(name) for name in only}, set()
    for result in context.sync_folders(services):
        if result.folder_fault is not None and not (missing_is_empty and result.is_missing):
            output.print_error(str(result.folder_fault))
            status = output.BAD_SETTING
        for skipped in result.problems:
            key = names.fold(skipped.name)
            # What is as it should be is said to whoever names it, not at every refresh.
            if key in wanted or (not wanted and not skipped.is_fine):
                output.print_error(skipped.line(services.settings.timezone))
                status = status if skipped.is_fine else max(status, output.UNUSABLE)
                printed.add(key)
    return status, printed


def run_refresh(services: Services, wanted: RefreshOptions) -> int:
    """Refresh, print what was asked for, write the state file, and return the exit status."""
    services.ready()
    status, printed = sync_folders(services, wanted.names, missing_is_empty=wanted.classic)
    chosen, missing = _chosen(wanted)
    missing = [error for error in missing if names.fold(error.name) not in printed]
    if not chosen and not missing:
        if not printed:
            output.print_error("No auth files found.")
        if wanted.as_json:
            print(results_json.text(_overview(services, wanted.scope)))
        return max(status, output.UNUSABLE)
    found = _refreshed(services, wanted, chosen)
    if wanted.as_json:
        # Programs read the document once: it has the forecasts of these very readings.
        hooks.hooks().finished()
    _print(services, wanted, found)
    for error in missing:
        output.print_error(
            f"{error}: auth file not found or invalid" if wanted.classic else str(error)
        )
        status = max(status, output.UNUSABLE)
    if (unwritten := state_file.write(services)) is not None:
        output.print_error(unwritten)
        status = output.BAD_SETTING
    if not wanted.as_json:
        hooks.hooks().finished()
    return max([status, *(output.exit_status(r.fault) for r in found)])


def _chosen(wanted: RefreshOptions) -> tuple[list[Account], list[AccountNotFound]]:
    folder = wanted.scope.folder
    if wanted.classic and folder is not None and not wanted.scope.managed and not folder.exists():
        # Accounts that were followed there are stored still, and stay as they are.
        return [], [AccountNotFound(name) for name in wanted.names]
    return refresh_service.select(wanted.scope, wanted.names)


def _refreshed(
    services: Services, wanted: RefreshOptions, chosen: Sequence[Account]
) -> list[RefreshResult]:
    found = []
    try:
        with output.ended_by_signals(services.end), ProgressBar("refreshing", len(chosen)) as bar:
            refresh_context = context.make_context(services, wanted.raw_headers or wanted.raw_json)
            refresh_context.since = wanted.since
            for result in refresh_service.refresh(refresh_context, chosen, force=wanted.force):
                found.append(result)
                bar.count()
    except BaseException:
        # What was answered is stored; the threads must not send until their deadline.
        services.client.cut()
        raise
    return found


def _overview(services: Services, scope: Scope) -> Overview:
    return overview.load_overview(scope, clock.now(), services.settings.refresh_interval)


def _print(services: Services, wanted: RefreshOptions, found: Sequence[RefreshResult]) -> None:
    zone = services.settings.timezone
    by_id = {r.account_id: r for r in found}
    seen = _overview(services, wanted.scope)
    shown = [r for r in seen.accounts if r.account.id in by_id]
    if wanted.classic:
        shown.sort(key=lambda r: display_order.classic_order(r.windows, r.account.name))
    if wanted.as_json:
        print(results_json.text(seen.only(shown)))
    elif shown:
        _print_raw(wanted, [by_id[r.account.id] for r in shown])
        if not wanted.raw_json:
            print("\n".join(_table(wanted, shown, by_id, zone)))
    for report in shown:
        result = by_id[report.account.id]
        if result.fault is not None:
            output.print_error(faults.line(result.name, result.fault, zone))
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
