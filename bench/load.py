"""A busy hour, for the classic service and for gunicorn behind nginx: many visitors of the
dashboard, and clients that are slow on purpose.

50 accounts with a long history, each asked every minute meanwhile; the visitors run on the same
cores. Times count from when a request was meant to be sent (see bench/visitors.py), so they hold
for this machine and this hour only; errors do not.
"""

import asyncio
import http.client
import re
import time
from collections.abc import Iterable
from urllib.parse import urlencode

from bench import backends
from bench.backends import Service
from bench.harness import Report, Result, main
from bench.place import Upstream, place, upstream
from bench.visitors import (
    Address,
    Crowd,
    Seen,
    Slow,
    Stream,
    half_a_request,
    slow_body,
    slow_reader,
    tls_to_anybody,
)

PASSWORD = "bench-password"
#: Visitors differ in the page's hidden fields, so one page does not do for all of them.
SESSIONS = 10
RATE, HEALTH_RATE = 100, 10


def run(report: Report) -> None:
    accounts, days, every_s = report.size.pick((3, 1, 3_600), (50, 2, 60), (50, 8, 60))
    pace = {"QUOTA_REFRESH_INTERVAL": "60", "QUOTA_ACTIVE_INTERVAL": "60"}
    with (
        upstream() as codex,
        place(QUOTA_PASSWORD=PASSWORD, QUOTA_USAGE_URL=codex.url, **pace) as here,
    ):
        codex.latency(0.2)
        snapshots = here.fill(accounts, days, every_s)
        report.add(
            Result(
                "20",
                f"snapshots of {accounts} accounts at the start",
                "snapshots",
                [snapshots],
                unit="snapshots",
            )
        )
        with backends.classic(here) as service:
            _measure(report, service, codex)
        if backends.nginx() is None:
            print("nginx is not here: the classic service only")
            return
        with backends.gunicorn_behind_nginx(here) as service:
            _measure(report, service, codex)


def _measure(report: Report, service: Service, codex: Upstream) -> None:
    cookies = [sign_in(service.address) for _ in range(report.size.pick(2, SESSIONS, SESSIONS))]
    # The first round of asking is over.
    time.sleep(report.size.pick(0, 10, 15))
    _visits(report, service, codex, cookies)
    count = report.size.pick(5, 200, 200)
    _health(report, service, f"{count} half requests", [half_a_request] * count)
    _health(report, service, f"{count} slow bodies", [slow_body] * count)
    _health(report, service, f"{count} slow readers", [slow_reader] * count)
    _health(
        report,
        service,
        f"all {3 * count} of them",
        [half_a_request, slow_body, slow_reader] * count,
    )


def _visits(report: Report, service: Service, codex: Upstream, cookies: Iterable[str]) -> None:
    rate, seconds = report.size.pick((20, 0.2), (RATE, 20), (RATE, 60))
    requests = [
        service.address.request("/", f"Cookie: {cookie}", "Accept-Encoding: gzip")
        for cookie in cookies
    ]
    codex.counted()
    before = service.processor_seconds()
    seen = asyncio.run(Stream(service.address, requests, keeps=True).run(rate, seconds))
    spent, asked = service.processor_seconds() - before, codex.counted()["requests"]
    what = f"{rate}/s on /, {service.name}"
    _add(report, what, seen)
    report.add(Result("20", f"{what}: median", "ms", [seen.milliseconds(0.5)], unit="ms"))
    report.add(
        Result(
            "20",
            f"{what}: answers",
            "answers/s",
            [len(seen.latencies_s) / seen.took_s],
            unit="answers/s",
        )
    )
    report.add(
        Result("20", f"{what}: CPU of the service", "cores", [spent / seen.took_s], unit="cores")
    )
    report.add(
        Result(
            "20",
            f"{what}: accounts asked meanwhile",
            "a minute",
            [asked * 60 / seen.took_s],
            unit="requests/min",
        )
    )


def _health(report: Report, service: Service, beside: str, slow: list[Slow]) -> None:
    crowd = Crowd(service.address, slow)
    seconds = report.size.pick(0.2, 10, 20)

    async def measured() -> Seen:
        async with crowd:
            await asyncio.sleep(report.size.pick(0.1, 3, 3))
            seen = await Stream(
                service.address, [service.address.request("/healthz")], keeps=False
            ).run(HEALTH_RATE, seconds)
            print(
                f"      {crowd.connected} of {len(slow)} slow clients connected, {crowd.ended} "
                f"came back",
                flush=True,
            )
            return seen

    _add(report, f"/healthz beside {beside}, {service.name}", asyncio.run(measured()), "<= 1000")


def _add(report: Report, what: str, seen: Seen, wanted: str = "") -> None:
    report.add(
        Result(
            "20", f"{what}: errors", "errors", [seen.errors.total()], unit="errors", wanted="<= 0"
        )
    )
    if seen.errors:
        print(f"      {dict(seen.errors)}", flush=True)
    for share, name in ((0.99, "99 of 100 within"), (1.0, "slowest")):
        report.add(
            Result(
                "20", f"{what}: {name}", "ms", [seen.milliseconds(share)], unit="ms", wanted=wanted
            )
        )


def sign_in(address: Address) -> str:
    """The cookie of a session of its own."""
    connection = _connection(address)
    try:
        connection.request("GET", "/login", headers={"Host": address.host})
        answer = connection.getresponse()
        found = re.search(r'name="csrf_token" value="([^"]+)"', answer.read().decode())
        assert found, answer.status
        form = urlencode({"password": PASSWORD, "csrf_token": found.group(1), "next": ""})
        origin = f"{'https' if address.is_tls else 'http'}://{address.host}"
        headers = {
            "Host": address.host,
            "Origin": origin,
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": _cookie(answer),
        }
        connection.request("POST", "/login", form, headers)
        answer = connection.getresponse()
        assert answer.status == 303, answer.status
        return _cookie(answer)
    finally:
        connection.close()


def _connection(address: Address) -> http.client.HTTPConnection:
    if address.is_tls:
        return http.client.HTTPSConnection(
            "127.0.0.1", address.port, timeout=30, context=tls_to_anybody()
        )
    return http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)


def _cookie(answer: http.client.HTTPResponse) -> str:
    answer.read()
    return (answer.headers["Set-Cookie"] or "").partition(";")[0]


if __name__ == "__main__":
    main("load", run)
