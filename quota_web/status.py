"""Door: `flask quota status`. It asks nobody, so it loads nothing that could."""

from collections.abc import Sequence

from quota_web import clock, reports, results, terminal
from quota_web.store.accounts import Scope
from quota_web.world import World


def run(
    world: World,
    scope: Scope,
    names: Sequence[str],
    form: str,
    most: int | None = None,
) -> int:
    """Print what the database says, of at most so many accounts, and return the exit status."""
    world.ready()
    settings, now = world.settings, clock.now()
    seen = reports.overview(scope, now, settings.refresh_interval)
    chosen, missing = reports.pick(seen.accounts, names)
    shown = chosen[:most]
    if form == "json":
        print(results.text(seen.only(shown)))
    elif form == "oneline":
        print(terminal.oneline(shown, now, settings.timezone))
    elif shown:
        print("\n".join(terminal.status_table(shown, now, settings.timezone)))
    elif not missing:
        terminal.complain("No auth files found.")
    for report in shown:
        if report.fault is not None:
            terminal.complain(terminal.fault_line(report.account.name, report.fault, settings.timezone))
    for error in missing:
        terminal.complain(str(error))
    return terminal.UNUSABLE if missing else terminal.OK
