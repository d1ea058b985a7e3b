"""Door: what `flask quota refresh`, the classic command and services share: follow, refresh, print."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import orjson

from quota_web import clock, follow, names, ranking, refresh, reports, results, terminal
from quota_web.due import Pace
from quota_web.quota import CACHE, NETWORK, Status
from quota_web.refresh import Crew, Result
from quota_web.reports import AccountReport, Overview
from quota_web.store import files
from quota_web.store.accounts import DEMO, Account, Scope
from quota_web.world import World

__all__ = ["Wanted", "crew", "follow_folders", "overview", "run_refresh", "write_state_file"]


@dataclass(frozen=True, slots=True)
class Wanted:
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


def crew(world: World, keep_raw: bool = False, by_button: bool = False) -> Crew:
    """Who asks when a person wants to know; a pressed button believes the cache less long."""
    settings = world.settings
    cache_s = settings.cache_seconds
    return Crew(
        world.client,
        world.sealer,
        Pace(settings.refresh_interval, settings.active_interval, settings.skip_cache),
        settings.concurrency,
        clock.now,
        world.stop,
        keep_raw=keep_raw,
        cache_s=min(cache_s, refresh.BUTTON_CACHE_S) if by_button else cache_s,
    )


def follow_folders(world: World, only: Sequence[str] = ()) -> tuple[int, set[str]]:
    """Bring the accounts in step with their folders and say what is wrong with those; with *only*, of no other account.

    Returns the exit status of that, and the keys of the names that it complained of.
    """
    settings, status = world.settings, terminal.OK
    wanted, complained = {names.key(name) for name in only}, set()
    for folder in follow.folders(settings.account_dir, settings.account_dir_named):
        report = follow.sync(world.sealer, folder, clock.now())
        if report.folder_fault is not None:
            terminal.complain(report.folder_fault)
            status = terminal.BAD_SETTING
        for problem in report.problems:
            key = names.key(problem.name)
            if not wanted or key in wanted:
                terminal.complain(terminal.fault_line(problem.name, problem.fault, settings.timezone))
                status = max(status, terminal.UNUSABLE)
                complained.add(key)
    return status, complained


def overview(world: World, scope: Scope) -> Overview:
    return reports.overview(scope, clock.now(), world.settings.refresh_interval)


def run_refresh(world: World, wanted: Wanted) -> int:
    """Refresh, print what was asked for, write the state file, and return the exit status."""
    world.ready()
    status, complained = follow_folders(world, wanted.names)
    chosen, missing = refresh.select(wanted.scope, wanted.names)
    missing = [error for error in missing if names.key(error.name) not in complained]
    if not chosen and not missing:
        if not complained:
            terminal.complain("No auth files found.")
        if wanted.as_json:
            print(results.text(overview(world, wanted.scope)))
        return max(status, terminal.UNUSABLE)
    found = _refreshed(world, wanted, chosen)
    _print(world, wanted, found)
    for error in missing:
        terminal.complain(f"{error}: auth file not found or invalid" if wanted.classic else str(error))
        status = max(status, terminal.UNUSABLE)
    return max([status, write_state_file(world), *(terminal.exit_status(r.fault) for r in found)])


def _refreshed(world: World, wanted: Wanted, chosen: Sequence[Account]) -> list[Result]:
    found = []
    try:
        with terminal.ended_by_signals(world.end), terminal.progress(len(chosen)) as count:
            askers = crew(world, wanted.raw_headers or wanted.raw_json)
            askers.since = wanted.since
            for result in refresh.refresh(askers, chosen, force=wanted.force):
                found.append(result)
                count()
    except BaseException:
        # What was answered is stored; the threads must not go on asking until their deadline.
        world.client.cut()
        raise
    return found


def _print(world: World, wanted: Wanted, found: Sequence[Result]) -> None:
    zone = world.settings.timezone
    by_id = {r.account_id: r for r in found}
    seen = overview(world, wanted.scope)
    shown = [r for r in seen.accounts if r.account.id in by_id]
    if wanted.classic:
        shown.sort(key=lambda r: ranking.classic_order(r.windows, r.account.name))
    if wanted.as_json:
        print(results.text(seen.only(shown)))
    elif shown:
        _print_raw(wanted, [by_id[r.account.id] for r in shown])
        if not wanted.raw_json:
            print("\n".join(_table(wanted, shown, by_id, zone)))
    for report in shown:
        result = by_id[report.account.id]
        if result.fault is not None:
            terminal.complain(terminal.fault_line(result.name, result.fault, zone))
        elif result.status is Status.PAUSED:
            terminal.complain(f"{result.name}: paused: not refreshed")
        elif result.source is None:
            terminal.complain(f"{result.name}: {result.status}: another process is asking for it at this moment")
    if any(report.account.origin == DEMO for report in shown):
        terminal.complain("Nothing is sent for demo accounts; what they show is invented.")


def _table(
    wanted: Wanted,
    shown: Sequence[AccountReport],
    by_id: Mapping[int, Result],
    zone: tzinfo | None,
) -> list[str]:
    if wanted.classic:
        return terminal.table([r for r in shown if _has_row(by_id[r.account.id])], zone)
    return terminal.status_table(shown, clock.now(), zone)


def _has_row(result: Result) -> bool:
    """A failed account has no row in the classic table: its old numbers would look fresh."""
    return result.status is Status.OK and result.source in (NETWORK, CACHE)


def _print_raw(wanted: Wanted, found: Sequence[Result]) -> None:
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
    """As a terminal may have it: others wrote what is in it, and some characters are orders or turn the line around."""
    return names.visible_json(json.dumps(document, indent=2, ensure_ascii=False))


def write_state_file(world: World) -> int:
    """Leave the results document where the settings want it, whole at every moment, and return the exit status of that."""
    file = world.settings.state_file
    if file is None:
        return terminal.OK
    content = orjson.dumps(results.document(overview(world, world.scope)))
    try:
        files.write_private(file, content)
    except OSError as error:
        terminal.complain(f"QUOTA_STATE_FILE: {names.visible(str(file))} cannot be written: {error.strerror}")
        return terminal.BAD_SETTING
    return terminal.OK
