"""Starts the program that sends through Apprise, and reads what came of each message."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.codex.classify import retry_after_seconds
from quota_web.core import clock, urls
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.checkout import PROJECT
from quota_web.core.secret import Secret

#: For all messages of one program, its start included, in seconds.
DEADLINE_S = 20.0
PROGRAM = "quota_web.alerts.apprise_child"


@dataclass(frozen=True, slots=True)
class AppriseMessage:
    """What is sent to one address; *level* is that of `alerts.kinds.Level`."""

    id: int
    url: Secret
    title: str
    body: str
    level: str


class AppriseRunner:
    """Sends messages through Apprise; safe to use from many threads."""

    def __init__(
        self,
        targets: AlertTargets,
        *,
        https_proxy: str | None = None,
        no_proxy: str | None = None,
        ca_bundle: str | None = None,
        deadline_s: float = DEADLINE_S,
        program: Sequence[str] = ("-m", PROGRAM),
    ) -> None:
        self._targets, self._program = targets, program
        self._proxy = urls.with_scheme(https_proxy) if https_proxy else None
        self._no_proxy, self._ca_bundle, self._deadline_s = no_proxy, ca_bundle, deadline_s
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False

    def check(self, url: Secret) -> SendResult:
        """Judge where messages to *url* would go; nothing is sent."""
        message = AppriseMessage(0, url, "", ".", "info")
        return self._run([message], is_dry=True)[0]

    def send(self, messages: Sequence[AppriseMessage]) -> dict[int, SendResult]:
        """Send messages side by side; what came of each, by its id."""
        return self._run(messages, is_dry=False) if messages else {}

    def close(self) -> None:
        """End what is under way; nothing can be sent any more."""
        with self._lock:
            self._is_closed = True
            for process in self._running:
                process.kill()

    def _run(self, messages: Sequence[AppriseMessage], is_dry: bool) -> dict[int, SendResult]:
        started = clock.monotonic()
        output, is_late = self._output(self._document(messages, is_dry))
        found = dict(_results(output))
        spent = round((clock.monotonic() - started) * 1000)
        reason = f"timed out after {self._deadline_s:g} s" if is_late else "nothing was sent"
        missing = SendResult(SendCode.NO_ANSWER, reason=reason, duration_ms=spent)
        return {message.id: found.get(message.id, missing) for message in messages}

    def _output(self, document: bytes) -> tuple[bytes, bool]:
        """What the program wrote, and whether it had to be killed."""
        # Nothing of the environment: it holds secrets of ours.
        process = subprocess.Popen(
            [sys.executable, "-s", *self._program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=PROJECT,
            env=self._environment(),
            start_new_session=True,
        )
        with self._lock:
            self._running.add(process)
            if self._is_closed:
                process.kill()
        try:
            return process.communicate(document, self._deadline_s)[0], False
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0], True
        finally:
            with self._lock:
                self._running.discard(process)

    def _environment(self) -> dict[str, str]:
        found = {"LANG": "C.UTF-8", "HOME": "/nonexistent", "NETRC": "/dev/null"}
        if self._proxy is not None:
            found |= {"HTTPS_PROXY": self._proxy, "NO_PROXY": self._no_proxy or ""}
        if self._ca_bundle is not None:
            found |= {"REQUESTS_CA_BUNDLE": self._ca_bundle, "SSL_CERT_FILE": self._ca_bundle}
        return found

    def _document(self, messages: Sequence[AppriseMessage], is_dry: bool) -> bytes:
        targets = [*sorted(self._targets.hosts), *map(str, self._targets.networks)]
        listed = [
            {
                "id": message.id,
                "url": message.url.reveal(),
                "title": message.title,
                "body": message.body,
                "level": message.level,
            }
            for message in messages
        ]
        document: dict[str, Any] = {
            "targets": " ".join(targets),
            "proxy": self._proxy,
            "no_proxy": self._no_proxy,
            "is_dry": is_dry,
            "messages": listed,
        }
        return json.dumps(document).encode()


def _results(output: bytes) -> list[tuple[int, SendResult]]:
    """What the lines say; the last one may be half of one."""
    found = []
    for line in output.splitlines():
        with suppress(ValueError, KeyError, TypeError):
            said = json.loads(line)
            wait = retry_after_seconds(said["retry_after"], clock.now())
            code, status = SendCode(said["code"]), said["status"]
            result = SendResult(code, status, said["reason"], wait, int(said["ms"]))
            found.append((int(said["id"]), result))
    return found
