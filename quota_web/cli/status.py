"""Door: `flask quota status`. It asks nobody, so it loads nothing that could."""

from collections.abc import Sequence

from quota_web.cli import output
from quota_web.core import clock
from quota_web.reports import overview, results_json
from quota_web.services import Services
from quota_web.store.accounts import Scope


def run(
    services: Services,
    scope: Scope,
    names: Sequence[str],
    form: str,
    most: int | None = None,
) -> int:
    """Print what the database says, of at most so many accounts, and return the exit status."""
    services.ready()
    settings, now = services.settings, clock.now()
    seen = overview.load_overview(scope, now, settings.refresh_interval)
    chosen, missing = overview.pick(seen.accounts, names)
    shown = chosen[:most]
    if form == "json":
        print(results_json.text(seen.only(shown)))
    elif form == "oneline":
        print(output.oneline(shown, now, settings.timezone))
    elif shown:
        print("\n".join(output.status_table(shown, now, settings.timezone)))
    elif not missing:
        output.print_error("No auth files found.")
    for report in shown:
        if report.fault is not None:
            output.print_error(
                output.fault_line(report.account.name, report.fault, settings.timezone)
            )
    for error in missing:
        output.print_error(str(error))
    return output.UNUSABLE if missing else output.OK
