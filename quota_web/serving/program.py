"""`codex-quota`, the command of an installed wheel: `serve`, `try`, and all of `flask quota`."""

import gc
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flask import Flask

NAME = "codex-quota"


def main() -> None:
    """Run the command line of this process and end it with the contract's exit status."""
    command, arguments = sys.argv[1:2], sys.argv[2:]
    if command == ["serve"]:
        from quota_web.serving.classic_service import service

        sys.exit(service(arguments, prog=f"{NAME} serve"))
    if command == ["try"]:
        from quota_web.serving import trial

        sys.exit(trial.run(arguments))
    _run_quota()


def _run_quota() -> None:
    app = _app()
    # What is loaded stays: looking through it for garbage would take a command a fifth of its time.
    gc.freeze()
    with app.app_context():
        _program(app).main(prog_name=NAME)


def _app() -> "Flask":
    from quota_web.core.clock import process_began
    from quota_web.core.errors import BadSetting
    from quota_web.factory import create_app

    try:
        app = create_app(pages=False)
    except BadSetting as error:
        print(error, file=sys.stderr)
        sys.exit(4)
    app.extensions["quota_services"].began_at = process_began()
    return app


def _program(app: "Flask") -> click.Group:
    """All commands of `flask quota`, for *app*; `serve` and `try` beside them, for `--help`."""
    from flask.cli import ScriptInfo

    from quota_web.cli.quota import QuotaGroup, quota

    return QuotaGroup(
        NAME,
        commands={**quota.commands, "serve": _serve, "try": _try},
        help=quota.help,
        context_settings={"obj": ScriptInfo(create_app=lambda: app)},
    )


@click.command("serve")
def _serve() -> None:
    """Dashboard and schedule in one process; `serve --help` lists the options."""


@click.command("try")
def _try() -> None:
    """Look at the dashboard with invented accounts; nothing is sent, nothing left behind."""


if __name__ == "__main__":
    main()
