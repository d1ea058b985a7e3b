"""The classic scripts. Their options win over the environment.

Everything but argparse is imported after the options are read, so that `--help` answers at once.
"""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from flask import Flask

USAGE_PATH = "/backend-api/wham/usage"


def command(arguments: Sequence[str], began_at: int | None = None) -> int:
    """Run `codex_quota.py` with these arguments, as of *began_at*, and return the exit status."""
    options = _parser().parse_args(arguments)

    from quota_web.cli import output
    from quota_web.core.errors import BadDatabase, BadSetting, QuotaError

    output.escape_unprintable()
    try:
        status = _refresh(options, began_at)
        sys.stdout.flush()
        return status
    except (BadSetting, BadDatabase) as error:
        output.print_error(str(error))
        return output.BAD_SETTING
    except QuotaError as error:
        output.print_error(str(error))
        return output.UNUSABLE
    except BrokenPipeError:
        # Whoever read the table has seen enough; Python would complain of it once more when it
        # ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _refresh(options: argparse.Namespace, began_at: int | None) -> int:
    with _loading():
        from quota_web.cli.refresh import RefreshOptions, run_refresh
        from quota_web.services import services
        from quota_web.store.accounts import Scope

        app = make_app(options)
    with app.app_context():
        present = services()
        scope = (
            Scope(folder=present.settings.account_dir, managed=False)
            if options.account_dir
            else present.scope
        )
        names = (options.account_name,) if options.account_name else ()
        wanted = RefreshOptions(
            scope,
            names,
            options.refresh,
            raw_headers=options.raw_headers,
            raw_json=options.raw_json,
            classic=True,
            since=began_at,
        )
        return run_refresh(present, wanted)


@contextmanager
def _loading() -> Iterator[None]:
    """What is loaded stays: looking through it for garbage, time and again and once more at the
    end, would take a fifth of the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def make_app(options: argparse.Namespace) -> "Flask":
    """The app with the options laid over the environment's settings."""
    from quota_web import config
    from quota_web.factory import create_app

    folder = Path(os.path.abspath(options.account_dir)) if options.account_dir else None
    settings = config.load().with_options(
        account_dir=folder,
        account_dir_named=True if folder else None,
        usage_url=options.chatgpt_url,
        retries=options.retries,
        retry_delay=options.retry_delay,
    )
    return create_app(settings, pages=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codex_quota.py", description="Shows how much Codex quota each account has left."
    )
    parser.add_argument("account_name", nargs="?", help="only this account")
    add_common(parser)
    parser.add_argument(
        "--raw-json", action="store_true", help="print the answers themselves instead of the table"
    )
    parser.add_argument(
        "--raw-headers", action="store_true", help="print the answers' headers before the table"
    )
    parser.add_argument("--refresh", action="store_true", help="ask for exhausted accounts too")
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that both classic scripts have."""
    parser.add_argument(
        "--account-dir", metavar="D", help="folder of <name>.auth.json files (default: account)"
    )
    parser.add_argument(
        "--chatgpt-url", metavar="U", type=_usage_url, help="address to ask instead of ChatGPT's"
    )
    parser.add_argument(
        "--retries", metavar="N", type=_whole, help="how often to try again (default: 3)"
    )
    parser.add_argument(
        "--retry-delay",
        metavar="S",
        type=_seconds,
        help="base wait between tries in seconds (default: 2)",
    )


def _usage_url(value: str) -> str:
    """An address, completed where only the site was given; plain http goes nowhere but to this
    machine and its neighbours.
    """
    from quota_web.config import UPSTREAM_WANTED
    from quota_web.core import environment, setting_values

    try:
        path = urlsplit(value).path.rstrip("/")
        if not path:
            value = value.rstrip("/") + USAGE_PATH
        elif path.endswith("/backend-api"):
            value = value.rstrip("/") + USAGE_PATH.removeprefix("/backend-api")
        return setting_values.upstream_url(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{environment.shown(value)} cannot be used; give {UPSTREAM_WANTED}"
        ) from None


def _whole(value: str) -> int:
    if not value.isdecimal() or int(value) > 20:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 0 to 20")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 300:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds from 0 to 300")
    return seconds


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
