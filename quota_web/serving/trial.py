"""`codex-quota try`: the service with invented accounts, in a folder that goes when it ends."""

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from quota_web import config

PROGRAM = "quota_web.serving.program"
LOOPBACK = "127.0.0.1"


def run(arguments: Sequence[str]) -> int:
    """Serve invented accounts on this machine alone until a signal comes; returns the exit
    status.
    """
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="codex-quota-try-") as folder:
        environment = _environment(config.bare_environment(), Path(folder))
        invent = ["demo", "--accounts", str(options.accounts), "--days", str(options.days)]
        filled = subprocess.run(
            [sys.executable, "-m", PROGRAM, *invent],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if filled.returncode:
            return filled.returncode
        print("Invented accounts only; nothing is sent. Ctrl-C ends it and leaves nothing behind.")
        port = str(options.port or _free_port())
        return _serve(["--host", LOOPBACK, "--port", port], environment)


def _environment(bare: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What the trial runs with: no setting of a real installation, and so none of its data."""
    return {
        **bare,
        "QUOTA_INSTANCE_DIR": str(folder / "instance"),
        "QUOTA_ACCOUNT_DIR": str(_made(folder / "account")),
        "QUOTA_AUTH": "off",
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _free_port() -> int:
    """8081 where it is free, else any that is."""
    for port in (8081, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((LOOPBACK, port))
            except OSError:
                continue
            found: int = sock.getsockname()[1]
            return found
    raise OSError("no port is free")


def _serve(options: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the service as a process of its own, so that its folder can go after its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM, "serve", *options],
        env=dict(environment),
        # A Ctrl-C reaches this process alone, which passes it on once.
        start_new_session=True,
    )

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    try:
        status = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return 0 if status == -signal.SIGTERM else status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codex-quota try",
        description="Look at the dashboard with invented accounts. Nothing is sent, and nothing "
        "is left behind.",
    )
    parser.add_argument("--port", type=int, help="default: 8081, or another one if that is taken")
    parser.add_argument("--accounts", type=int, default=8, help="how many to invent (default: 8)")
    parser.add_argument("--days", type=int, default=60, help="days of history (default: 60)")
    return parser
