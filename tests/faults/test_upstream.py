"""An upstream that does everything wrong: each fault gets its status, the last readings stay, and
nothing is invented.
"""

import gzip
import random
import time

from quota_web.core.quota import Status
from tests.fakes import DROPS, FakeResponse, usage_body
from tests.faults.figures import runs

GOOD = usage_body(23, 47)
BOMB = gzip.compress(b'{"a":"' + b"a" * 30_000_000 + b'"}')
HTML = b"<!doctype html><title>Oops</title>"

FAULTS: list[tuple[str, FakeResponse, set[Status]]] = [
    *(
        (
            f"cut at {point}",
            FakeResponse(body=GOOD, drop=point),
            {Status.UNREACHABLE, Status.BAD_RESPONSE},
        )
        for point in DROPS
        if point != "accept"
    ),
    (
        "half close",
        FakeResponse(body=GOOD, half_close=True),
        {Status.UNREACHABLE, Status.BAD_RESPONSE},
    ),
    ("dripping header", FakeResponse(body=GOOD, header_drip=0.05), {Status.UNREACHABLE}),
    ("dripping body", FakeResponse(body=GOOD, body_drip=0.05), {Status.UNREACHABLE}),
    ("silence", FakeResponse(body=GOOD, delay=5), {Status.UNREACHABLE}),
    (
        "endless",
        FakeResponse(raw=b"x" * 70_000, endless=True),
        {Status.BAD_RESPONSE, Status.UNREACHABLE},
    ),
    ("too long", FakeResponse(body=GOOD, length=2**40), {Status.BAD_RESPONSE}),
    (
        "packed bomb",
        FakeResponse(raw=BOMB, headers={"Content-Encoding": "gzip"}),
        {Status.BAD_RESPONSE},
    ),
    (
        "torn gzip",
        FakeResponse(raw=gzip.compress(b"{}")[:-9], headers={"Content-Encoding": "gzip"}),
        {Status.BAD_RESPONSE},
    ),
    (
        "unknown packing",
        FakeResponse(body=GOOD, headers={"Content-Encoding": "zstd"}),
        {Status.BAD_RESPONSE},
    ),
    *(
        (
            f"redirect {code}",
            FakeResponse(code, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
            {Status.UPSTREAM_ERROR},
        )
        for code in (301, 302, 307, 308)
    ),
    *(
        (f"HTTP {code}", FakeResponse(code, raw=HTML), {Status.UPSTREAM_ERROR})
        for code in (400, 404, 408, 418, 500, 502, 503, 504, 529)
    ),
    ("HTTP 401", FakeResponse(401, body={"detail": "token expired"}), {Status.EXPIRED}),
    ("HTTP 402", FakeResponse(402, body={"detail": "pay"}), {Status.UPSTREAM_ERROR}),
    (
        "deactivated",
        FakeResponse(402, body={"detail": {"code": "deactivated_workspace"}}),
        {Status.DEACTIVATED},
    ),
    ("HTTP 403", FakeResponse(403, body={"detail": "no"}), {Status.FORBIDDEN}),
    ("429", FakeResponse(429, body={}), {Status.RATE_LIMITED}),
    (
        "429 with a time",
        FakeResponse(429, body={}, headers={"Retry-After": "120"}),
        {Status.RATE_LIMITED},
    ),
    (
        "429 with nonsense",
        FakeResponse(429, body={}, headers={"Retry-After": "soon"}),
        {Status.RATE_LIMITED},
    ),
    *(
        (f"200 with {raw[:12]!r}", FakeResponse(raw=raw), {Status.BAD_RESPONSE})
        for raw in (b"", b"null", b"[]", b"7", b'"x"', b"{", HTML, b"\xff\xfe{}", b"{}{}")
    ),
    (
        "200 too deep",
        FakeResponse(raw=b'{"rate_limit":' * 5_000 + b"1" + b"}" * 5_000),
        {Status.BAD_RESPONSE},
    ),
]


def test_upstream(figures, installation, codex):
    # The client was not made yet: a short deadline makes the slow faults quick.
    object.__setattr__(installation.services.settings, "timeout", 0.4)
    chance, wrong, total = random.Random(6), [], 0
    names = [f"a{number}" for number in range(8)]
    for name in names:
        installation.file(name)
    installation.refresh()
    kept = {name: installation.used(name) for name in names}
    rounds, started = runs(40, 400), time.monotonic()
    for _ in range(rounds):
        installation.now += 3_000
        played = {name: chance.choice(FAULTS) for name in names}
        for name, (_, scene, _) in played.items():
            codex.answers(f"acct-{name}", scene)
        # A person asks again whatever the status is: forgotten expiry must not keep the later
        # rounds from being asked.
        installation.execute(
            "UPDATE account SET status = 'ok', fault_code = NULL, fault_data = NULL, next_due_at "
            "= NULL"
        )
        found = installation.ask(*names, force=True)
        for name, (what, _, statuses) in played.items():
            total += 1
            if found[name].status not in statuses or installation.used(name) != kept[name]:
                wrong.append((what, found[name].status, installation.used(name)))
        for name in names:
            codex.answers(
                f"acct-{name}",
                FakeResponse(body=usage_body(chance.randrange(99), 47, at=installation.now)),
            )
        installation.execute(
            "UPDATE account SET status = 'ok', fault_code = NULL, fault_data = NULL, next_due_at "
            "= NULL"
        )
        good = installation.ask(*names, force=True)
        wrong += [
            ("recovery", good[name].status, {})
            for name in names
            if good[name].status is not Status.OK
        ]
        kept = {name: installation.used(name) for name in names}
    readings = installation.rows("SELECT count(*) FROM reading WHERE used_percent IS NOT NULL")[0][
        0
    ]
    lost = readings - 2 * len(names) * (rounds + 1)
    print(*wrong, sep="\n")
    figures.record(
        "upstream faults answered",
        of=total,
        bad=len(wrong) + abs(lost),
        bad_is="got another status, or changed what was stored",
        kinds=len(FAULTS),
        seconds_in_all=round(time.monotonic() - started),
    )
    # Every fault at least once in the long run; where redirected, nobody followed.
    assert all(seen.path == "/backend-api/wham/usage" for seen in codex.seen)
