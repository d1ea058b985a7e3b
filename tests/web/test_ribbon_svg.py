"""The ribbon as one picture: every part has its words, and words do not stand on each other."""

import re
from datetime import UTC
from xml.etree import ElementTree

from quota_web.web import ribbon, ribbon_svg
from quota_web.web.ribbon import Drought, Return, Ribbon, RibbonRow

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z, a Saturday
HOUR, DAY = 3_600, 86_400


def drawn(*rows: RibbonRow) -> str:
    ticks = tuple(ribbon.ticks(NOW, UTC))
    return str(ribbon_svg.drawing(Ribbon(rows, ticks, (), 0, None, 0), NOW, UTC))


def row(*parts: Return | Drought) -> RibbonRow:
    returns = tuple(p for p in parts if isinstance(p, Return))
    return RibbonRow("bob", returns, tuple(p for p in parts if isinstance(p, Drought)))


def five_hour(at: int) -> Return:
    return Return("bob", at, "five_hour", is_short=True)


def week(at: int) -> Return:
    return Return("bob", at, "weekly", is_short=False)


def test_each_part_has_its_words():
    used_up = Drought("bob", NOW, NOW + 2 * HOUR)
    likely = Drought("bob", NOW + DAY, NOW + 2 * DAY, "weekly", "70 %")
    titles = re.findall(
        "<title>([^<]+)</title>",
        drawn(row(five_hour(NOW + 2 * HOUR), week(NOW + 2 * DAY), used_up, likely)),
    )

    assert titles == [
        "bob: used up until 14:05",
        "bob: weekly may run out Sun (70 %)",
        "bob: five-hour full again 14:05",
        "bob: weekly full again Mon 12:05",
    ]


def test_the_picture_says_all_of_it_to_readers_who_do_not_see_it():
    picture = ElementTree.fromstring(drawn(row(five_hour(NOW + HOUR))).replace("&nbsp;", " "))

    assert picture.get("role") == "img"
    assert picture.get("aria-label") == "bob: five-hour full again 13:05"


def test_an_account_that_comes_back_after_these_days_has_its_stretch_alone():
    picture = drawn(row(Drought("bob", NOW, NOW + 12 * DAY)))

    assert "bob: used up until 3 Dec" in picture
    assert ">3 Dec →</text>" in picture, "the day is written where the stretch leaves the picture"


def test_words_of_two_marks_close_to_each_other_stand_apart():
    picture = drawn(row(five_hour(NOW + 4 * HOUR), week(NOW + 5 * HOUR)))

    assert re.findall(r'text-anchor="(start|end)">(\d\d:\d\d)', picture) == [
        ("end", "16:05"),
        ("start", "17:05"),
    ]


def test_words_at_the_edge_stand_inside():
    assert 'text-anchor="end">12:05' in drawn(row(week(NOW + 7 * DAY)))


def test_a_hostile_name_is_nothing_but_a_name():
    evil = '"><script>alert(1)</script>'
    part = Drought(evil, NOW, NOW + HOUR)

    assert "<script>" not in drawn(RibbonRow(evil, (), (part,)))


def test_it_needs_no_style():
    assert "style" not in drawn(row(five_hour(NOW + HOUR)))
