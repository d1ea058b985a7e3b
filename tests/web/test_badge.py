"""The words of a badge, for every state that an account can be in, and their picture."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC
from types import MappingProxyType

import pytest

from quota_web.core.display_order import Group
from quota_web.core.language import use_language
from quota_web.core.quota import Block, Credits, Facts, Status
from quota_web.reports.overview import Overview
from quota_web.store.site_state import SiteState
from quota_web.web import badge, badge_svg
from tests.foresight.test_ordering import HOUR, NOW, view

SITE = SiteState(1, NOW, 0, "nonce", None)
SVG = "{http://www.w3.org/2000/svg}"
PERCENT = "\u202f%"


def of(found, **more):
    return badge.of_account(replace(found, **more), NOW, UTC)


def unread(found):
    return replace(found, account=replace(found.account, taken_at=None), windows=())


@pytest.mark.parametrize(
    ("found", "text", "tone"),
    [
        (view(1), f"a1 · 50{PERCENT} of the week · until Mon 12:00", "fine"),
        (view(1, five=60), f"a1 · 40{PERCENT} · until 14:00", "fine"),
        (view(1, five=90), f"a1 · 10{PERCENT} · until 14:00", "low"),
        (view(1, five=60, stale=True), f"a1 · 40{PERCENT} · as of 12:00", "none"),
        (view(1, five=60, status=Status.UNREACHABLE), f"a1 · 40{PERCENT} · as of 12:00", "none"),
        (
            view(1, five=100, group=Group.BLOCKED, block=Block(True, NOW + HOUR)),
            "a1 · used up · back 13:00", "empty",
        ),
        (view(1, five=100, group=Group.BLOCKED, block=Block(True)), "a1 · used up", "empty"),
        (
            view(1, group=Group.ATTENTION, status=Status.EXPIRED),
            "a1 · needs sign-in", "bad",
        ),
        (view(1, group=Group.PAUSED, status=Status.PAUSED), "a1 · paused", "none"),
        (unread(view(1, group=Group.UNKNOWN, status=Status.PENDING)), "a1 · not read yet", "none"),
        (
            view(1, five=None, week=None, facts=Facts(credits=Credits(True, unlimited=True))),
            "a1 · no limit", "fine",
        ),
        (view(1, five=100, facts=Facts(credits=Credits(True))), "a1 · on credits", "fine"),
    ],
)  # fmt: skip
def test_each_state_has_its_words_and_its_tone(found, text, tone):
    said = of(found)

    assert (said.text, said.tone) == (text, tone)


def test_a_window_without_a_reset_ahead_has_no_until():
    one = view(1, five=60)
    windows = [replace(w, resets_at=None if w.key == "five_hour" else NOW) for w in one.windows]

    assert of(one, windows=tuple(windows)).text == f"a1 · 40{PERCENT}"


def test_all_accounts_are_the_one_to_use_or_when_one_is_back():
    used_up = view(2, five=100, group=Group.BLOCKED, block=Block(True, NOW + HOUR))
    ranks = MappingProxyType({1: 1, 2: 2})

    def said(*views):
        return badge.of_all(Overview(SITE, views, None, None, ranks), NOW, UTC).text

    assert said(used_up, view(1, five=60)) == f"a1 · 40{PERCENT} · until 14:00"
    assert said(used_up) == "Codex · none until 13:00"
    assert said(view(1, group=Group.ATTENTION, status=Status.EXPIRED)) == (
        "Codex · none can be used now"
    )
    assert said() == "Codex · not read yet"


def test_a_picture_is_as_wide_as_its_words_and_runs_nothing():
    long = replace(view(1), account=replace(view(1).account, name="<b>&" + "ü" * 60))

    for found in (view(1), long):
        for language in ("en", "zh"):
            with use_language(language):
                said = of(found)
            picture = badge_svg.document(said, "dark", "large", "UTC")
            root = ET.fromstring(picture)
            assert float(root.attrib["width"]) == pytest.approx(
                1.6 * float(root.attrib["viewBox"].split()[2]), abs=0.1
            )
            words = [text.text or "" for text in root.iter(f"{SVG}text")]
            assert words == [said.subject, said.message]
            assert len(said.subject) <= badge.MOST_NAME
            assert "<b>" not in picture
            assert "style" not in picture
