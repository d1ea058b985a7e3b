"""The page of alerts with a real browser on the real service and a real receiver: a channel in a
few clicks, its test, a mistake, the next look, its end.
"""

import time

import pytest
from playwright.sync_api import expect

from tests.alerts.receiver import Receiver
from tests.chromium import PASSWORD, PHONE, overflows, visit
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.servers import Server

TOPIC = "canary-of-a-topic"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FakeCodex() as codex:
        codex.default = FakeResponse(body=usage_body(12, at=int(time.time())))
        with Server(
            tmp_path_factory.mktemp("service"),
            codex,
            QUOTA_PASSWORD=PASSWORD,
            QUOTA_ALERT_TARGETS="127.0.0.0/8",
        ).classic() as server:
            yield server


def test_a_channel_is_made_tried_edited_and_deleted_on_a_phone(chromium, server, state):
    with (
        Receiver() as receiver,
        visit(
            chromium,
            server.url,
            storage_state=state,
            viewport=PHONE,
            expected=("status of 422",),
        ) as page,
    ):
        page.goto("/")
        page.goto("/alerts")
        page.get_by_role("link", name="ntfy", exact=True).click()
        page.get_by_label("Topic").fill(TOPIC)
        page.get_by_label("Server").fill("http://169.254.1.1")
        page.get_by_role("button", name="Save and send a test").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was saved.")
        # What opens a topic is no part of the page that says what was wrong with the rest.
        assert page.get_by_label("Topic").input_value() == ""

        page.get_by_label("Topic").fill(TOPIC)
        page.get_by_label("Server").fill(f"http://127.0.0.1:{receiver.port}")
        page.get_by_role("button", name="Save and send a test").click()
        expect(page.get_by_role("status")).to_contain_text("The test was taken by ntfy")
        assert len(receiver.got) == 1
        assert TOPIC not in page.content()
        assert overflows(page) <= 0

        page.get_by_role("link", name="Edit").click()
        page.get_by_role("button", name="Save", exact=True).click()
        receiver.answers(503)
        page.get_by_role("button", name="Send a test").click()
        expect(page.locator("main")).to_contain_text("503")

        page.get_by_role("link", name="Edit").click()
        page.locator("summary", has_text="Delete").click()
        page.get_by_role("button", name="Delete this channel").click()
        expect(page.locator("main")).to_contain_text("Nothing is sent yet.")
