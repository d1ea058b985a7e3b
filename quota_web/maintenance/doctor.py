"""Look at everything that the app stands on, and say of each thing how it is and what to do.

Nothing is changed or made, and no token is sent.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from quota_web import store
from quota_web.codex.client import Probe, UsageClient
from quota_web.config import USAGE_URL, Settings
from quota_web.core import clock, times
from quota_web.core.checkout import COMMAND, PACKAGE, PROJECT
from quota_web.core.errors import BadDatabase, BadSetting, QuotaError
from quota_web.core.limits import CLOCK_SKEW_S, FIRST_BELIEVABLE
from quota_web.core.names import FILE_SUFFIX
from quota_web.core.quota import Status
from quota_web.foresight import outcomes
from quota_web.maintenance import doctor_alerts, doctor_judging, scheduled_backups
from quota_web.maintenance.findings import Finding, Level, mib
from quota_web.store.encryption import KEY_FILE, TokenCipher

#: How far the clock may be from the upstream's, in seconds, before it is worth a word and before
#: tokens are misjudged.
CLOCK_OFF, CLOCK_WRONG = 60, 300
MANY_WAL_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DoctorContext:
    """What is looked at."""

    settings: Settings
    cipher: TokenCipher
    client: Callable[[], UsageClient]
    now: int


def diagnose(context: DoctorContext) -> Iterator[Finding]:
    """One finding after the other, as they come; the upstream last but one, since it may take a
    while.
    """
    yield from _settings(context.settings)
    yield _instance_folder(context.settings.instance_dir)
    yield from _database(context)
    yield from _forecasts()
    if context.settings.backup_dir is not None:
        zone = context.settings.timezone
        yield scheduled_backups.finding(context.settings.backup_dir, zone, context.now)
    yield from doctor_judging.findings()
    yield from doctor_alerts.findings(context.cipher, context.now)
    yield _account_folder(context.settings)
    yield _clock(context.now)
    yield from _upstream(context)
    yield _chart_library()


def _settings(settings: Settings) -> Iterator[Finding]:
    odd = []
    if settings.usage_url != USAGE_URL:
        odd.append(("QUOTA_USAGE_URL is not the usual address", "unset it, unless that is meant"))
    if settings.auth == "off":
        odd.append(
            (
                "QUOTA_AUTH is off: everybody who reaches the dashboard sees it",
                "set it to password or proxy",
            )
        )
    if settings.secret_key_old is not None:
        odd.append(
            ("QUOTA_SECRET_KEY_OLD is still set", f"run `{COMMAND} rotate-key`, then unset it")
        )
    for text, advice in odd:
        yield Finding("settings", Level.WARN, text, advice)
    if not odd:
        yield Finding("settings", Level.OK, "all can be used")


def _instance_folder(folder: Path) -> Finding:
    what = "instance folder"
    if not os.path.isdir(folder):
        return Finding(what, Level.WARN, f"{folder}: is not there yet", "the first start makes it")
    try:
        store.filesystem.require_writable(folder / KEY_FILE)
    except BadSetting as error:
        return Finding(what, Level.BAD, str(error), "the line above says how")
    if os.stat(folder).st_mode & 0o077:
        return Finding(
            what,
            Level.WARN,
            f"{folder}: other users of this machine can look into it",
            f"chmod 700 {folder}",
        )
    return _space(what, folder)


def _space(what: str, folder: Path) -> Finding:
    free = store.filesystem.free_bytes(folder)
    if free is not None and free < store.filesystem.LOW_SPACE:
        return Finding(
            what,
            Level.WARN,
            f"{folder}: only {mib(free)} are free",
            "make room, or move the folder to a larger disk",
        )
    return Finding(
        what, Level.OK, f"{folder}: writable" + (f", {mib(free)} free" if free is not None else "")
    )


def _database(context: DoctorContext) -> Iterator[Finding]:
    what, place = "database", store.health.place()
    if place is not None and not place.is_there:
        yield Finding(
            what,
            Level.WARN,
            f"{place.file}: is not there yet",
            f"the first start makes it; or put a backup back with `{COMMAND} restore FILE`",
        )
        return
    try:
        content = store.health.content()
        if not content.is_known:
            advice = "start the later program again, or restore a backup"
            yield Finding(
                what,
                Level.BAD,
                f"is at version {content.version}, this program knows {content.newest_version}",
                advice,
            )
            return
        yield _wholeness(content)
        yield from _key(context, content)
    except QuotaError as error:
        damaged = f"stop the service and restore a backup: `{COMMAND} restore FILE`"
        yield Finding(
            what,
            Level.BAD,
            str(error),
            ""
            if "restore" in str(error)
            else damaged
            if "damaged" in str(error)
            else "see the line above",
        )


def _wholeness(content: store.health.StoredContent) -> Finding:
    store.health.check()
    table = store.health.broken_references()
    if table is not None:
        return Finding(
            "database",
            Level.BAD,
            f"a row of table {table} refers to one that is not there",
            "restore a backup",
        )
    size, place = store.health.measured(), store.health.place()
    told = f"version {content.version or 'none yet'}, {mib(size.database)}"
    if place is None:
        return Finding("database", Level.OK, f"PostgreSQL {store.health.server()}, {told}")
    told += f", log {mib(size.log or 0)}, every page looked through"
    if place.network is not None:
        advice = "move the instance folder to a local disk, or use PostgreSQL"
        return Finding(
            "database",
            Level.WARN,
            f"{told}; on a network file system ({place.network}): one process at a time",
            advice,
        )
    if (size.log or 0) > MANY_WAL_BYTES:
        return Finding(
            "database",
            Level.WARN,
            f"{told}: the log is large",
            "some program keeps the database open and reads on; restart the service",
        )
    return Finding("database", Level.OK, told)


def _key(context: DoctorContext, content: store.health.StoredContent) -> Iterator[Finding]:
    what, file = "key", context.settings.instance_dir / KEY_FILE
    if context.cipher.is_from_file and not file.exists():
        verdict = Level.BAD if content.sealed_with else Level.OK
        advice = (
            "put it back, or set QUOTA_SECRET_KEY if that was used before"
            if content.sealed_with
            else ""
        )
        yield Finding(
            what, verdict, f"{file}: is not there" + ("" if content.sealed_with else " yet"), advice
        )
        return
    try:
        known = context.cipher.opened_ids
    except BadSetting as error:
        yield Finding(what, Level.BAD, str(error), "see the line above")
        return
    yield _fitting(context, content, known)


def _fitting(
    context: DoctorContext, content: store.health.StoredContent, known: Sequence[str]
) -> Finding:
    """Whether the keys that are there open all stored tokens."""
    what, file = "key", context.settings.instance_dir / KEY_FILE
    lost = sum(count for key_id, count in content.sealed_with.items() if key_id not in known)
    old = sum(count for key_id, count in content.sealed_with.items() if key_id in known[1:])
    if lost:
        advice = (
            f"add the key that sealed them as a further line of {file}, or save those "
            f"accounts again"
        )
        return Finding(
            what,
            Level.BAD,
            f"the tokens of {lost} account(s) were sealed with a key that is not here",
            advice,
        )
    if context.cipher.is_from_file and os.stat(file).st_mode & 0o077:
        return Finding(
            what,
            Level.BAD,
            f"{file}: other users of this machine can read it",
            f"chmod 600 {file}; then `{COMMAND} rotate-key`",
        )
    if old:
        return Finding(
            what,
            Level.WARN,
            f"the tokens of {old} account(s) are sealed with an older key",
            f"finish with `{COMMAND} rotate-key`",
        )
    return Finding(
        what,
        Level.OK,
        "fits all stored tokens; keep a copy apart from the backups, which are of no use to a "
        "thief without it",
    )


def _forecasts() -> Iterator[Finding]:
    """How good they were, once enough can be judged."""
    place = store.health.place()
    if place is not None and not place.is_there:
        return
    try:
        with store.database.reading() as conn:
            said = [outcomes.Said(*row) for row in store.forecasts.with_cycles(conn)]
    except BadDatabase:
        # What is wrong with the database was said already.
        return
    judged = outcomes.outcomes(said)
    score = outcomes.brier_score(judged)
    if score is not None:
        text = f"Brier score {score:.3f} over {len(judged)} forecasts (0 is perfect, a coin 0.25)"
        yield Finding("forecasts", Level.OK, text)


def _account_folder(settings: Settings) -> Finding:
    what, folder = "account folder", settings.account_dir
    try:
        found = [
            name
            for name in os.listdir(folder)
            if name.endswith(FILE_SUFFIX) and not name.startswith(".")
        ]
    except FileNotFoundError:
        verdict = Level.BAD if settings.account_dir_named else Level.OK
        return Finding(
            what,
            verdict,
            f"{folder}: is not there",
            "make it, or change QUOTA_ACCOUNT_DIR" if settings.account_dir_named else "",
        )
    except OSError as error:
        return Finding(
            what,
            Level.BAD,
            f"{folder}: {error.strerror}",
            f"let user {os.geteuid()}:{os.getegid()} read it",
        )
    closed = sorted(name for name in found if not os.access(folder / name, os.R_OK))
    if closed:
        advice = f"let user {os.geteuid()}:{os.getegid()} read them, such as by chown"
        return Finding(what, Level.BAD, f"{folder}: cannot read {', '.join(closed[:3])}", advice)
    writable = "" if os.access(folder, os.W_OK) else "; read-only, so accounts are not edited here"
    return Finding(what, Level.OK, f"{folder}: {len(found)} file(s){writable}")


def _clock(now: int) -> Finding:
    said = times.iso_text(now)
    if now < FIRST_BELIEVABLE:
        return Finding(
            "clock",
            Level.BAD,
            f"says {said}, before this program was written",
            "set the clock, such as by NTP",
        )
    try:
        place = store.health.place()
        newest = store.health.content().newest_reading if place is None or place.is_there else None
        # Both at this moment: what was looked through before may have taken long.
        server_time = store.health.server_time() if place is None else None
        ahead = 0 if server_time is None else clock.now() - server_time
    except BadDatabase:
        newest, ahead = None, 0
    if newest is not None and newest > now + CLOCK_WRONG:
        return Finding(
            "clock",
            Level.WARN,
            f"says {said}, but there is a reading from {times.iso_text(newest)}",
            "check the clock: it has gone back",
        )
    if abs(ahead) > CLOCK_SKEW_S:
        return Finding(
            "clock",
            Level.WARN,
            f"says {said}, {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the database "
            "server's",
            f"set both: machines that share a database must agree within {CLOCK_SKEW_S} s",
        )
    return Finding("clock", Level.OK, f"says {said}")


def _upstream(context: DoctorContext) -> Iterator[Finding]:
    what = "upstream"
    try:
        probe = context.client().probe(context.now)
    except BadSetting as error:
        yield Finding(what, Level.BAD, str(error), "change the setting")
        return
    fault = probe.fault
    if fault is not None and fault.status is Status.UNREACHABLE:
        advice = (
            "check the network, the name service, and the proxy settings (QUOTA_HTTPS_PROXY, "
            "QUOTA_CA_BUNDLE)"
        )
        yield Finding(what, Level.BAD, fault.text(times.iso_text), advice)
    elif fault is not None and fault.status is Status.ADDRESS_BLOCKED:
        yield Finding(
            what,
            Level.BAD,
            fault.text(times.iso_text),
            "go out through another address (QUOTA_HTTPS_PROXY), or wait",
        )
    else:
        yield Finding(
            what,
            Level.OK,
            f"answers in {probe.duration_ms} ms (HTTP {probe.status}, asked without a token)",
        )
    yield from _clock_beside(probe, context.now)


def _clock_beside(probe: Probe, now: int) -> Iterator[Finding]:
    off = 0 if probe.date is None else abs(now - probe.date)
    if off > CLOCK_OFF:
        verdict = Level.BAD if off > CLOCK_WRONG else Level.WARN
        yield Finding(
            "clock",
            verdict,
            f"is {off} s away from the upstream's",
            "set the clock, such as by NTP: tokens are judged by it",
        )


def _chart_library() -> Finding:
    """Whether the library of the charts lies where pages look for it, as it was released."""
    what, advice = (
        "chart library",
        "python scripts/assets.py; until then charts are drawn on the server",
    )
    folder, manifest = (
        PACKAGE / "web" / "static" / "vendor",
        PROJECT / "assets" / "manifest.json",
    )
    # An image has the library without the list that it was built by.
    listed = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    # What only the tests need is missing nowhere else.
    wanted = {name: entry for name, entry in listed.items() if "for" not in entry}
    missing = sorted(name for name in wanted if not (folder / name).is_file())
    if missing or not any(folder.glob("*.js")):
        return Finding(what, Level.WARN, f"{', '.join(missing) or 'it'} is not there", advice)
    wrong = [
        name
        for name, entry in wanted.items()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != entry["sha256"]
    ]
    if wrong:
        return Finding(what, Level.WARN, f"{', '.join(wrong)} is not as released", advice)
    return Finding(what, Level.OK, "there")
