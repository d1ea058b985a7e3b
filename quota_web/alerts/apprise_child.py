"""The program that sends through Apprise and ends: in the service Apprise would cost a second and
15 MiB for good.

It reads one document of JSON, `{"targets", "proxy", "no_proxy", "is_dry", "messages": [{"id",
"url", "title", "body", "level"}]}`, and writes one line of JSON for each message when it is done:
`{"id", "code", "status", "reason", "retry_after", "ms"}`. The process that starts it
kills it where that takes too long.
"""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

from quota_web.alerts import apprise_address
from quota_web.alerts.apprise_guard import Guard, Refused, Watched
from quota_web.alerts.send_result import SendCode
from quota_web.core import setting_values
from quota_web.core.alert_targets import AlertTargets
from quota_web.core.language import mark

AT_ONCE = 8
#: Bytes of memory: a receiver may answer with gigabytes.
MOST_MEMORY = 2 * 1024**3
INVALID = mark("Apprise cannot read the address")
INCOMPLETE = mark("something is missing in the address: Apprise sends nothing to it")
_MAIL_REFUSED = mark("the mail server refused it")
_TYPES = {"urgent": "failure", "warning": "warning", "info": "info"}


def main() -> None:
    """Send what standard input says."""
    document = json.load(sys.stdin)
    written = _only_output()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    targets = document["targets"]
    guard = Guard(
        setting_values.alert_targets(targets) if targets else AlertTargets(),
        document["proxy"],
        document["no_proxy"],
    )
    guard.install()
    notify = _apprise()
    lock = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        line = json.dumps({"id": message["id"], **_sent(guard, notify, message, is_dry)})
        with lock:
            print(line, file=written, flush=True)

    is_dry = bool(document["is_dry"])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(send, document["messages"]))
    written.flush()
    # Apprise may have threads that wait for something.
    os._exit(0)


def _only_output() -> TextIO:
    """Standard output as it was; whatever a plugin prints goes nowhere."""
    written = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return written


def _apprise() -> Callable[[dict[str, Any]], bool | None]:
    """What sends one message: whether it was taken, None where its address cannot be read."""
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(
        app_id="Codex Quota",
        app_desc="Codex Quota",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        async_mode=False,
        storage_mode="memory",
        pgp_autogen=False,
        pem_autogen=False,
    )

    def notify(message: dict[str, Any]) -> bool | None:
        service = Apprise.instantiate(message["url"], asset=asset)
        if service is None:
            return None
        service.verify_certificate, service.redirects = True, False
        sender = Apprise(asset=asset)
        sender.add(service)
        return bool(
            sender.notify(
                body=message["body"],
                title=message["title"],
                notify_type=_TYPES[message["level"]],
                body_format="text",
            )
        )

    return notify


def _sent(
    guard: Guard,
    notify: Callable[[dict[str, Any]], bool | None],
    message: dict[str, Any],
    is_dry: bool,
) -> dict[str, Any]:
    started = time.monotonic()
    problem = apprise_address.problem_of(message["url"])
    with guard.watching(is_dry) as watched:
        try:
            is_taken = None if problem is not None else notify(message)
        except (Refused, Exception):  # noqa: BLE001 - a plugin's bug is one message that was not sent
            is_taken = False
    if is_taken is None:
        found: dict[str, Any] = {"code": SendCode.FORBIDDEN, "reason": problem or INVALID}
    else:
        found = _outcome(watched, is_taken)
    milliseconds = round((time.monotonic() - started) * 1000)
    return {"status": None, "reason": None, "retry_after": None, "ms": milliseconds, **found}


def _outcome(watched: Watched, is_taken: bool) -> dict[str, Any]:
    if watched.refusal is not None:
        return {"code": SendCode.FORBIDDEN, "reason": watched.refusal}
    status = watched.status
    if watched.is_dry and not watched.is_judged:
        return {"code": SendCode.FORBIDDEN, "reason": INCOMPLETE}
    if is_taken or watched.is_dry:
        return {"code": SendCode.SENT, "status": status}
    if status is not None:
        retry_after = watched.retry_after
        return {"code": SendCode.REFUSED, "status": status, "retry_after": retry_after}
    if watched.failure is None and watched.is_connected:
        return {"code": SendCode.REFUSED, "reason": _MAIL_REFUSED}
    return {"code": SendCode.NO_ANSWER, "reason": watched.failure or "nothing was sent"}


if __name__ == "__main__":
    main()
