"""Act: send what is due, once around.

1. Claim it, and decide what is sent, in one transaction.
2. Send the channels side by side, outside of any transaction; nothing is begun shortly before the
   claim ends.
3. Write down what came of each message as soon as it is known: what a killed process did not write
   down is sent again, under the same message id.
"""

import logging
import queue
import random
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import channel_secrets, delivery_plan, messages, retries
from quota_web.alerts.apprise_runner import AppriseMessage
from quota_web.alerts.channel_secrets import OpenedChannel
from quota_web.alerts.delivery_plan import TITLE, Outgoing, Saying
from quota_web.alerts.send_result import SendCode, SendResult
from quota_web.alerts.senders import Senders
from quota_web.core import clock
from quota_web.core.language import mark
from quota_web.store.channels import WEBHOOK, AlertChannel
from quota_web.store.encryption import DecryptionFailed, TokenCipher

logger = logging.getLogger(__name__)
#: How long a claim lasts, and how much of it must be left where a message is begun.
CLAIM_S, LEAST_LEFT_S = 120, 20
#: Channels at once.
AT_ONCE = 8
LOCKED = mark("no key opens the address of this channel; enter it again")

#: What came of one message; None: it was not begun.
Came = tuple[Outgoing, SendResult | None]


class DeliveryPass:
    """Sends for one process."""

    def __init__(
        self, senders: Senders, cipher: TokenCipher, saying: Saying, stop: threading.Event
    ) -> None:
        self._senders, self._cipher, self._saying, self._stop = senders, cipher, saying, stop

    def run(self) -> int:
        """Send what is due; returns how many deliveries were looked at. Those that are not begun
        because the process stops are free again at once.
        """
        now, started = clock.now(), clock.monotonic()
        claim_id = secrets.randbits(62)
        # Most looks find nothing, and a transaction would keep others from writing.
        with store.database.reading() as conn:
            if not store.delivery_claims.is_any_due(conn, now):
                return 0
        with store.database.transaction() as tx:
            claimed = store.delivery_claims.claim(tx, claim_id, now, now + CLAIM_S)
            outgoing = delivery_plan.plan(tx, claim_id, claimed, now, self._saying)
        for came in self._sent(outgoing, started + CLAIM_S - LEAST_LEFT_S):
            with store.database.transaction() as tx:
                for message, result in came:
                    record(tx, claim_id, message, result, clock.now())
        return len(claimed)

    def _sent(self, outgoing: Sequence[Outgoing], until: float) -> Iterator[list[Came]]:
        """What came of the messages, as it comes."""
        works = list(self._works(outgoing, until))
        if not works:
            return
        came: queue.SimpleQueue[Came | None] = queue.SimpleQueue()
        with ThreadPoolExecutor(min(AT_ONCE, len(works)), "quota-send") as pool:
            for work in works:
                pool.submit(_run, work, came)
            running = len(works)
            while running:
                found = [came.get()]
                while not came.empty():
                    found.append(came.get())
                running -= found.count(None)
                if known := [each for each in found if each is not None]:
                    yield known

    def _works(
        self, outgoing: Sequence[Outgoing], until: float
    ) -> Iterator[Callable[[], Iterator[Came]]]:
        """What may go on side by side: each webhook, and one program for everything else."""
        others: list[tuple[Outgoing, OpenedChannel]] = []
        for channel, group in groupby(outgoing, key=lambda one: one.channel):
            mine, opened = list(group), self._opened(channel)
            if opened is None:
                yield partial(_locked, mine)
            elif channel.kind == WEBHOOK:
                yield partial(self._webhooks, mine, opened, until)
            else:
                others += [(each, opened) for each in mine]
        if others:
            yield partial(self._apprise, others, until)

    def _opened(self, channel: AlertChannel) -> OpenedChannel | None:
        try:
            return channel_secrets.opened(self._cipher, channel)
        except DecryptionFailed:
            return None

    def _may_begin(self, until: float) -> bool:
        return clock.monotonic() < until and not self._stop.is_set()

    def _webhooks(
        self, mine: Sequence[Outgoing], opened: OpenedChannel, until: float
    ) -> Iterator[Came]:
        is_wanted = True
        for one in mine:
            result = None
            if is_wanted and self._may_begin(until):
                result = send_webhook(self._senders, opened, one.message_id, one.body)
                is_wanted = result.code is not SendCode.GONE
            yield one, result

    def _apprise(
        self, mine: Sequence[tuple[Outgoing, OpenedChannel]], until: float
    ) -> Iterator[Came]:
        if not self._may_begin(until):
            yield from ((one, None) for one, _ in mine)
            return
        sent = self._senders.apprise.send(
            [
                AppriseMessage(number, opened.url, TITLE, one.body.decode(), one.urgency)
                for number, (one, opened) in enumerate(mine)
            ]
        )
        yield from ((one, sent[number]) for number, (one, _) in enumerate(mine))


def send_webhook(
    senders: Senders, opened: OpenedChannel, message_id: str, body: bytes
) -> SendResult:
    """Send one webhook."""
    if opened.keys is None:
        return SendResult(SendCode.FORBIDDEN, reason=LOCKED)
    return senders.webhooks.send(opened.url, opened.keys, message_id, body, clock.now())


def _locked(mine: Sequence[Outgoing]) -> Iterator[Came]:
    yield from ((one, SendResult(SendCode.FORBIDDEN, reason=LOCKED)) for one in mine)


def _run(work: Callable[[], Iterator[Came]], came: "queue.SimpleQueue[Came | None]") -> None:
    try:
        for each in work():
            came.put(each)
    except Exception:
        # What it did not come to is free again when the claim ends.
        logger.exception("sending failed")
    finally:
        came.put(None)


def record(
    tx: Connection, claim_id: int, message: Outgoing, result: SendResult | None, now: int
) -> None:
    """Write down what came of one message."""
    claims, channel = store.delivery_claims, message.channel
    if result is None:
        return claims.put_off(tx, claim_id, message.ids, now)
    if result.code is SendCode.SENT:
        claims.note_sent(tx, claim_id, message.ids, now)
        return store.channels.note_success(tx, channel.id)
    error = result.text or ""
    store.channels.note_failure(tx, channel.id, now, error)
    for one in message.deliveries:
        urgency = messages.urgency_of(one.event)
        if result.code is SendCode.GONE or retries.is_given_up(one.told_at, urgency, now):
            claims.note_failed(tx, claim_id, [one.id], error)
            continue
        # No secret hangs on it.
        chance = random.random()  # noqa: S311
        due_at = retries.next_due_at(one.tries + 1, now, result.retry_after_s, chance)
        due_at = min(due_at, max(now + 1, retries.gives_up_at(one.told_at, urgency)))
        claims.note_try(tx, claim_id, [one.id], due_at, error)
    if result.code is SendCode.GONE:
        logger.warning("channel %s: the receiver wants no more; it is switched off", channel.name)
        store.channels.switch_off(tx, channel.id)
        store.deliveries.drop_channel(tx, channel.id)
