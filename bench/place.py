"""A place to measure in: a folder of its own with accounts, settings and an app, and the upstream
beside it.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from bench.harness import PROJECT
from quota_web import config, store
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.demo.personas import PLAIN
from quota_web.factory import create_app
from quota_web.services import services
from quota_web.store.accounts import FOLLOWED


@dataclass
class Place:
    """Folders and settings of one instance."""

    root: Path
    settings: dict[str, str]

    @property
    def accounts(self) -> Path:
        return self.root / "account"

    @property
    def database(self) -> Path:
        return self.root / "instance" / "quota.sqlite"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a program that works here: the settings, and nothing else of ours."""
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("QUOTA_", "FLASK_"))
            and not k.upper().endswith("_PROXY")
            # An installed program has its byte code.
            and k != "PYTHONDONTWRITEBYTECODE"
        }
        return kept | {"PYTHONPATH": str(PROJECT)} | self.settings | more

    def app(self, **more: str) -> Flask:
        return create_app(config.load(self.settings | more))

    def timed(self, command: Sequence[str]) -> float:
        """Seconds that a program takes here."""
        start = time.perf_counter()
        quiet = subprocess.DEVNULL
        subprocess.run(
            command, cwd=PROJECT, env=self.environment(), stdout=quiet, stderr=quiet, check=True
        )
        return time.perf_counter() - start

    def add_accounts(self, count: int) -> None:
        """Write auth files for *count* made-up accounts."""
        self.accounts.mkdir(exist_ok=True)
        for number in range(count):
            account_id = f"acct-{number:04}"
            tokens = {"access_token": _token(account_id), "account_id": account_id}
            (self.accounts / f"{account_id}.auth.json").write_text(
                json.dumps({"tokens": tokens}), encoding="utf-8"
            )

    def invent(self, accounts: int, days: int) -> None:
        """Fill the database with the demo's accounts, which no request is sent for."""
        with self.app().app_context():
            services().ready()
            fill.fill(accounts, days, clock.now())

    def fill(self, accounts: int, days: int, every_s: int) -> int:
        """Invent a history, and give it to accounts that can be asked; returns how many snapshots
        it has.
        """
        with self.app().app_context():
            services().ready()
            now = clock.now()
            readings = fill.fill(accounts, days, now, every_s=every_s, persona=PLAIN)
            self.add_accounts(accounts)
            with store.database.transaction() as tx:
                files = sorted(self.accounts.iterdir())
                for found, file in zip(store.accounts.list_all(tx), files, strict=True):
                    name = file.name.removesuffix(".auth.json")
                    store.accounts.rename(tx, found.id, name)
                    store.accounts.update_account(
                        tx, found.id, origin=FOLLOWED, source_path=str(file)
                    )
                fill.unmark(tx)
                store.site_state.bump_version(tx, now)
        return readings // len(PLAIN.limits)


@contextmanager
def place(**settings: str) -> Iterator[Place]:
    """A place that is gone afterwards.

    BENCH_DIR says where it is made; the databases of full runs take half a gigabyte.
    """
    root = Path(tempfile.mkdtemp(prefix="quota-bench-", dir=os.environ.get("BENCH_DIR")))
    (root / "instance").mkdir(mode=0o700)
    (root / "account").mkdir()
    folders = {
        "QUOTA_INSTANCE_DIR": str(root / "instance"),
        "QUOTA_ACCOUNT_DIR": str(root / "account"),
    }
    try:
        yield Place(root, folders | settings)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _token(account_id: str) -> str:
    """A token with the claims of a real one and no worth."""
    claims = {
        "exp": int(time.time()) + 30 * 86_400,
        "https://api.openai.com/auth": {"chatgpt_account_id": account_id},
    }
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        )
        + ".bm9uZQ"
    )


class Upstream:
    """The fast upstream, in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self._process = process
        self.origin = f"http://127.0.0.1:{port}"
        self.url = f"{self.origin}/backend-api/wham/usage"

    def latency(self, seconds: float) -> None:
        """How long it thinks before each answer."""
        self._get(f"/latency?{seconds}")

    def in_use(self, accounts: int) -> None:
        """Only the first so many accounts are in use, as people use them; the others rest."""
        self._get(f"/in_use?{accounts}")

    def counted(self) -> dict[str, int]:
        """Connections and requests since the last time this was asked."""
        counts: dict[str, int] = self._get("/counts")
        return counts

    def _get(self, path: str) -> dict[str, int]:
        with urllib.request.urlopen(self.origin + path, timeout=10) as answer:  # noqa: S310  our own address
            found: dict[str, int] = json.load(answer)
            return found


@contextmanager
def upstream() -> Iterator[Upstream]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.upstream"], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Upstream(process, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
