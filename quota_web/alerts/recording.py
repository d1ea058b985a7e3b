"""Act: judge what attempts mean for alerts, in the transaction that stores them, so that a crash
neither loses what is to be told nor tells it twice.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import judging, kinds, telling
from quota_web.alerts.alert_values import Observation
from quota_web.alerts.low_quota import Thresholds
from quota_web.alerts.sign_in import NO_TOKEN
from quota_web.alerts.telling import Telling
from quota_web.core.quota import Facts, Status
from quota_web.store.event_log import LoggedEvent
from quota_web.store.recording import Recorded


def judge_recorded(conn: Connection, recorded: Sequence[Recorded]) -> None:
    """Tell what these outcomes mean; called after their readings were judged for resets."""
    ids = [one.outcome.account.id for one in recorded]
    known, wanted = telling.load(conn, ids), thresholds(conn)
    refused = [i for i, o in zip(ids, recorded, strict=True) if o.outcome.status is Status.EXPIRED]
    tokens = store.credentials.token_ends(conn, refused) if refused else {}
    told = Telling(conn, max(one.outcome.at for one in recorded))
    for one in recorded:
        account_id, at = one.outcome.account.id, one.outcome.at
        before, after = observations(one)
        old, new, events = telling.judge_and_keep(
            conn,
            account_id,
            known.get(account_id, {}),
            partial(
                judging.judge,
                before=before,
                after=after,
                now=at,
                thresholds=wanted,
                token=tokens.get(account_id, NO_TOKEN),
            ),
        )
        told.add(account_id, events)
        again_at = judging.asks_again_at(old, new, at)
        if again_at is not None:
            store.recording.ask_by(conn, account_id, again_at)
    told.add_logged(_early_resets(conn, recorded))
    told.finish()


def thresholds(conn: Connection) -> Thresholds:
    """The sets of percents left that are told of: the default ones, and each channel's."""
    chosen = {one.thresholds for one in store.channels.choices(conn) if one.thresholds}
    return [kinds.DEFAULT_THRESHOLDS, *sorted(chosen - {kinds.DEFAULT_THRESHOLDS})]


def observations(one: Recorded) -> tuple[Observation, Observation]:
    """The account before an attempt and after it."""
    outcome = one.outcome
    account, snapshot = outcome.account, outcome.snapshot
    here = [w.reading for w in one.windows if w.gone_at is None and w.taken_at is not None]
    before = Observation(account.last_status, account.taken_at, tuple(here), one.facts or Facts())
    if snapshot is None:
        return before, Observation(outcome.status, before.taken_at, before.windows, before.facts)
    return before, Observation(outcome.status, outcome.at, snapshot.readings, snapshot.facts)


def _early_resets(conn: Connection, recorded: Sequence[Recorded]) -> list[LoggedEvent]:
    """The early resets that these readings showed, those of a few points left out."""
    answered = [one.outcome for one in recorded if one.outcome.snapshot is not None]
    found: list[LoggedEvent] = []
    for at in sorted({outcome.at for outcome in answered}):
        ids = [outcome.account.id for outcome in answered if outcome.at == at]
        found += store.alert_events.told(conn, kinds.EARLY_RESETS, ids, at)
    return [one for one in found if _points(conn, one) >= kinds.EARLY_RESET_LEAST]


def _points(conn: Connection, one: LoggedEvent) -> float:
    """By how many points an early reset filled a window."""
    if one.account_id is None:
        ends = sorted({at for _, _, at in one.data["parts"]})
        return store.alert_events.used_at_resets(conn, ends)
    return float(one.data["used_before"] - one.data["used_after"])
