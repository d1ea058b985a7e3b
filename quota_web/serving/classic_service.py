"""`codex_quota_service.py`: dashboard and schedule in one process, served by waitress.

Its options win over the environment.
"""

import argparse
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quota_web.serving import classic_command

if TYPE_CHECKING:
    from flask import Flask

    from quota_web.config import Settings

PROG = "codex_quota_service.py"
STATE_FILE = "codex_quota_web_results.json"
MIN_INTERVAL, MAX_INTERVAL = 10, 30 * 86_400
#: Slow clients are held in buffers, not in threads.
WAITRESS = {
    "threads": 8,
    # What came in one read is answered whether or not it is read, and each script that waits is
    # an open file: so, not many at once.
    "recv_bytes": 1024,
    "channel_timeout": 30,
    # How often deadlines are looked at.
    "cleanup_interval": 1,
    # In bytes; it takes this long an address only to ask for very many accounts at once.
    "max_request_header_size": 64 * 1024,
    "ident": None,
}
#: How many files may be open: a few for each connection.
MOST_FILES = 32_768
#: Files that are no connections: databases, the schedule's requests, what pages are made of.
OTHER_FILES, FEWEST = 48, 8


def service(arguments: Sequence[str], prog: str = PROG) -> int:
    """Run `codex_quota_service.py` with these arguments until a signal ends it, and return the exit
    status.
    """
    options = parser(prog).parse_args(arguments)

    from quota_web.cli import output
    from quota_web.core.errors import BadDatabase, BadSetting
    from quota_web.factory import create_app

    try:
        return _serve(create_app(settings(options)), options.host, options.port)
    except (BadSetting, BadDatabase) as error:
        output.print_error(str(error))
        return output.BAD_SETTING


def settings(options: argparse.Namespace) -> "Settings":
    """The environment's settings with the options laid over them."""
    from quota_web import config

    found = config.load()
    folder = Path(options.account_dir).absolute() if options.account_dir else None
    interval = options.interval_seconds or found.refresh_interval
    state_file = Path(options.state_file).absolute() if options.state_file else found.state_file
    return found.with_options(
        account_dir=folder,
        account_dir_named=True if folder else None,
        usage_url=options.chatgpt_url,
        retries=options.retries,
        retry_delay=options.retry_delay,
        refresh_interval=interval,
        active_interval=min(found.active_interval, interval),
        state_file=state_file or (folder or found.account_dir) / STATE_FILE,
        only_account=options.account_name,
        skip_cache=options.refresh or None,
    )


def _serve(app: "Flask", host: str, port: int) -> int:
    from quota_web.serving import connections, lifecycle

    # Taken before anything is started: a second service on the same port must not ask for anything.
    sockets = listen(host, port)
    # A little more than the app takes, so that what is too large gets the app's own words.
    most = (app.config.get("MAX_CONTENT_LENGTH") or 0) + 1024 * 1024
    try:
        _stop_at_signals(app)
        limits = connections.Limits(
            all=_most_connections(_allow_files()), proxies=app.config["SETTINGS"].trusted_proxies
        )
        lifecycle.start(app)
        server = connections.create_server(
            app,
            sockets,
            limits,
            max_request_body_size=most,
            clear_untrusted_proxy_headers=False,
            **WAITRESS,
        )
        lifecycle.welcome(app, f"http://{shown_host(host)}:{sockets[0].getsockname()[1]}")
        connections.run(server)
    except SystemExit:
        # The signal came before the server ran.
        pass
    finally:
        lifecycle.stop(app)
    return 0


def _allow_files() -> int:
    """Let this process open as many files as it may, up to what connections can need, and return
    how many those are.

    Without one left, not even the database can be read.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_FILES if files == resource.RLIM_INFINITY else files


def _most_connections(files: int) -> int:
    """How many connections are held at once, of which some have a file open that they send."""
    from quota_web.serving.connections import MOST

    return max(FEWEST, min(MOST, (files - OTHER_FILES) * 7 // 8))


def _stop_at_signals(app: "Flask") -> None:
    """Waitress would die at once, and with it the answers that are on their way."""
    from quota_web.serving import lifecycle

    def handle(number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        lifecycle.begin_to_stop(app)
        # What waitress ends its loop by; it then lets running requests finish for some seconds.
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets on all addresses of *host*, bound; raises BadSetting where that cannot be done."""
    from quota_web.core.errors import BadSetting

    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in _addresses(host, port):
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # With port 0 the first socket's port holds for the others, too.
            sock.bind((address[0], sockets[0].getsockname()[1] or port, *address[2:]))
            # Another process that listens is noticed here, not at the first visitor.
            sock.listen(1024)
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise BadSetting(f"--host {host} --port {port}: {error.strerror or error}") from None
    return sockets


def _addresses(host: str, port: int) -> list[Any]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(found))


def shown_host(host: str) -> str:
    """What a person types into the address bar on this machine."""
    if host in ("", "0.0.0.0", "::", "127.0.0.1", "::1"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serves the dashboard of your Codex quota and keeps it up to date.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--host",
        default="0.0.0.0",  # noqa: S104 - the contract
        metavar="H",
        help="address to listen on (default: all of this machine's)",
    )
    parser.add_argument(
        "--port", default=8081, type=_port, metavar="P", help="port to listen on (default: 8081)"
    )
    parser.add_argument(
        "--interval-seconds",
        metavar="S",
        type=_interval,
        help="seconds between refreshes of an account that is not in use (default: 3600)",
    )
    classic_command.add_common(parser)
    parser.add_argument(
        "--state-file",
        metavar="F",
        help=f"the latest results as JSON (default: {STATE_FILE} in the account folder)",
    )
    parser.add_argument("--account-name", metavar="A", help="refresh and show this account only")
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="ask for exhausted accounts as often as for the others",
    )
    return parser


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) > 65_535:
        raise argparse.ArgumentTypeError(f"{value!r} is not a port from 0 to 65535")
    return int(value)


def _interval(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or not MIN_INTERVAL <= int(value) <= MAX_INTERVAL:
        raise argparse.ArgumentTypeError(
            f"{value!r} is not a whole number of seconds from {MIN_INTERVAL} to {MAX_INTERVAL}"
        )
    return int(value)


if __name__ == "__main__":
    sys.exit(service(sys.argv[1:]))
