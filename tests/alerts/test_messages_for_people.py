"""One message of several lines for people: merged, quiet at night, in the channel's language."""

from collections.abc import Iterator

import pytest

from quota_web.core import clock
from tests.alerts.receiver import Receiver
from tests.alerts.sending import (
    LOOPBACK,
    add_channel,
    add_event,
    change_delivery,
    deliveries,
    run_pass,
    states,
)
from tests.fakes import NOW
from tests.operations import add_account, opened

HOUR = 3_600


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture(autouse=True)
def app(instance_dir):
    settings = {**LOOPBACK, "QUOTA_PUBLIC_URL": "https://quota.example.org"}
    with opened(instance_dir, **settings) as found:
        for number, name in enumerate(("alice", "bob"), 1):
            add_account(name, number)
        yield found


def topic(receiver: Receiver) -> str:
    return f"ntfy://127.0.0.1:{receiver.port}/topic"


def texts(receiver: Receiver) -> list[str]:
    import json

    return [json.loads(got.body)["message"] for got in receiver.got]


def test_what_is_due_at_once_is_one_message_with_one_link(receiver):
    add_channel(topic(receiver))
    add_event("quota.low", 1, threshold=20)
    add_event("quota.low", 2, threshold=20)

    assert run_pass() == 2
    [text] = texts(receiver)
    *lines, link = text.splitlines()
    assert [line.split(":")[0] for line in lines] == ["alice", "bob"]
    assert link == "https://quota.example.org/"
    assert states() == ["sent", "sent"]


def test_a_message_has_twenty_lines_at_most(receiver):
    add_channel(topic(receiver))
    for _ in range(23):
        add_event("quota.low", threshold=20)
    run_pass()
    run_pass()

    assert [len(text.splitlines()) - 1 for text in texts(receiver)] == [20, 3]
    assert texts(receiver)[0].endswith("https://quota.example.org/accounts/alice")


def test_what_ended_before_it_was_told_is_one_line(receiver):
    add_channel(topic(receiver))
    add_event("quota.exhausted", at=NOW - 2 * HOUR)
    add_event("quota.low", at=NOW - 2 * HOUR, threshold=5)
    add_event("quota.back", at=NOW)
    run_pass()

    assert [text.splitlines()[0] for text in texts(receiver)] == ["alice was used up 11:00–13:00"]
    assert states() == ["sent"] * 3


def test_what_waits_for_its_next_try_is_told_with_its_end(receiver):
    add_channel(topic(receiver))
    receiver.answers(503, 200)
    add_event("quota.exhausted")
    run_pass()
    change_delivery(due_at=NOW + HOUR)
    with clock.frozen(NOW + 600):
        add_event("quota.back")
        run_pass()

    assert "was used up" in texts(receiver)[1]
    assert states() == ["sent", "sent"]


def test_an_end_whose_beginning_was_told_is_told(receiver):
    add_channel(topic(receiver))
    add_event("quota.exhausted")
    run_pass()
    add_event("quota.back")
    run_pass()

    assert len(texts(receiver)) == 2
    assert states() == ["sent", "sent"]


def test_an_end_without_its_beginning_is_not_told(receiver):
    add_channel(topic(receiver))
    add_event("quota.back", 1)
    add_event("account.recovered", 2)
    run_pass()

    assert (receiver.got, states()) == ([], ["dropped", "dropped"])


def test_the_end_of_another_account_ends_nothing(receiver):
    add_channel(topic(receiver))
    add_event("quota.exhausted", 1)
    add_event("quota.back", 2)
    run_pass()

    assert states() == ["sent", "dropped"]


NIGHT = 1_795_303_800  # 2026-11-22T00:30+01:00
MORNING = 1_795_327_200  # 2026-11-22T07:00+01:00


def test_at_night_all_waits_for_the_morning(receiver):
    add_channel(topic(receiver), quiet="22:00-07:00")
    with clock.frozen(NIGHT):
        add_event("quota.exhausted")
        add_event("quota.low", 2, threshold=20)
        run_pass()
        assert [row.due_at for row in deliveries()] == [MORNING, MORNING]
        assert [row.tries for row in deliveries()] == [0, 0]
    assert receiver.got == []

    with clock.frozen(MORNING):
        run_pass()
    assert len(texts(receiver)) == 1
    assert states() == ["sent", "sent"]


def test_what_is_urgent_passes_where_the_channel_says_so(receiver):
    add_channel(topic(receiver), quiet="22:00-07:00 urgent")
    with clock.frozen(NIGHT):
        add_event("quota.low", 2, threshold=20)
        add_event("quota.exhausted")
        run_pass()

    assert states() == ["waiting", "sent"]
    assert len(texts(receiver)) == 1


def test_each_channel_speaks_its_language(receiver):
    add_channel(topic(receiver), language="zh")
    add_event("quota.exhausted", at=NOW - 2 * HOUR)
    add_event("quota.back", at=NOW)
    run_pass()

    assert "was used up" not in texts(receiver)[0]
    assert "alice" in texts(receiver)[0]
