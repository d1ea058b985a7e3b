"""A renewal under way, while another host looks at the same database, and while the disk is full:
the token is sent once, and its answer is kept.
"""

import logging
import threading

import pytest

from quota_web import store
from quota_web.sign_ins import renewal
from tests.fakes import NOW, make_jwt
from tests.faults.test_disk_full import limit_pages
from tests.installation import OtherProcess, open_installation, wait_until
from tests.issuer import DAY, Turn
from tests.sign_ins.house import House

KEY = "the same key on both machines"
#: By so much the second host's clock is ahead: it takes the first one for dead.
AHEAD_S = 600


def test_a_host_whose_clock_is_ahead_does_not_send_what_another_one_has_sent(
    tmp_path, codex, issuer, postgres_url
):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with postgres_url() as url:
        shared = {
            "QUOTA_DATABASE_URL": url,
            "QUOTA_SECRET_KEY": KEY,
            "QUOTA_AUTH_URL": issuer.url,
        }
        with (
            open_installation(tmp_path / "one", codex, **shared) as one,
            open_installation(tmp_path / "two", codex, **shared) as two,
        ):
            first, second = House(one, issuer), House(two, issuer)
            first.sign_in()
            first.make_due()
            two.now = one.now + AHEAD_S
            answer = threading.Event()
            issuer.plays(Turn(hold=answer))
            with OtherProcess(one, first.renew_due):
                wait_until(lambda: issuer.calls == 1)
                assert second.renew_due() is None
                assert second.renew_now().outcome != "renewed"
                answer.set()

            assert issuer.calls == 1
            assert issuer.is_current(first.refresh_token())
            assert first.state() == second.state() == ("on", None)


def test_an_answer_that_finds_the_disk_full_is_stored_when_there_is_room(
    house, issuer, monkeypatch
):
    house.sign_in()
    house.make_due()
    monkeypatch.setattr(renewal, "STORE_PAUSE_FIRST_S", 0.001)
    context = house.renewals().context
    found = renewal.held(context.cipher, house.held().account_id)
    assert found is not None
    # Longer than the one before, so that it needs pages that there are not.
    longer = make_jwt("acct-1", user_id="user-1", exp=NOW + 20 * DAY, pad="x" * 9_000)
    issuer.plays(Turn(changes={"access_token": longer}))
    client, room = context.client(), Room()
    real = client.renew

    def renew(*arguments):
        answer = real(*arguments)
        room.ends()
        return answer

    client.renew = renew
    logging.getLogger(renewal.__name__).addHandler(room)
    try:
        renewal.renew(context, found)
    finally:
        logging.getLogger(renewal.__name__).removeHandler(room)

    assert room.told == 1
    assert issuer.is_current(house.refresh_token())
    assert (house.claims(), house.state()) == ([("renewed", 1)], ("on", None))


class Room(logging.Handler):
    """The room on a disk, which is there again once its end was told."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told = 0

    def ends(self) -> None:
        with store.database.driver() as connection:
            connection.execute("VACUUM")
        self._lift = limit_pages(0)

    def emit(self, record: logging.LogRecord) -> None:
        self.told += 1
        self._lift()


@pytest.fixture(autouse=True)
def _is_heard(caplog):
    caplog.set_level(logging.ERROR)
