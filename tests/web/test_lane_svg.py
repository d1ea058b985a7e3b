"""One lane as a picture: well-formed whatever it shows, and unlike things look unlike."""

import re
from xml.etree import ElementTree

import pytest

from quota_web.core.series import Axis
from quota_web.reports.lanes import FAILING, PAUSED, SILENT, Hole, Lane, Reset
from quota_web.web import lane_svg

HOUR = 3_600
AXIS = Axis(0, 10 * HOUR, HOUR)
SVG = "{http://www.w3.org/2000/svg}"


def lane(area, band=(), resets=(), holes=(), *, is_lowest=False):
    return Lane("alice", AXIS, "weekly", area, is_lowest, band, resets, holes)


def drawn(one: Lane, theme: str = "light"):
    return ElementTree.fromstring(lane_svg.document(one, theme))


def paths(picture) -> list[str]:
    return [path.get("d") or "" for path in picture.iter(f"{SVG}path")]


def test_the_area_follows_the_values_and_breaks_at_holes_and_resets():
    picture = drawn(lane([90, 80, 80, None, None, 20, 10, 100, 95, 95]))

    assert "M0 100V10H1V20H3V100ZM5 100V80H6V90H7V0H8V5H10V100Z" in paths(picture)
    assert "M0 10H1V20H3M5 80H6V90H7M7 0H8V5H10" in paths(picture)


def test_slots_too_long_for_single_cycles_have_one_unbroken_line():
    [line] = [d for d in paths(drawn(lane([10] * 5 + [90] * 5, is_lowest=True))) if "Z" not in d]

    assert line == "M0 90H5V10H10"


def test_a_used_up_week_stands_on_a_ground_and_an_unknown_one_on_nothing():
    used_up, unknown = drawn(lane([0.0] * 10)), drawn(lane([50.0] * 5 + [None] * 5))

    assert "M0 100V91H10V100Z" in paths(used_up)
    assert not any("V91" in d for d in paths(unknown))


def test_the_band_is_as_high_as_what_was_left_and_whole_where_nothing_was():
    picture = drawn(lane([50.0] * 10, [100, 50, 50, 0, 0, 10, None, 100, 100, 100]))

    by_colour = {path.get("fill"): path.get("d") for path in picture.iter(f"{SVG}path")}
    assert by_colour["#2a9480"] == "M0 100V0H1V50H3V100ZM7 100V0H10V100Z"
    assert by_colour["#8b9692"] == "M3 100V0H5V100Z", "used up"
    assert by_colour["#d08a1c"] == "M5 100V90H6V100Z", "low"


def test_no_two_of_reset_provider_reset_gap_outage_and_pause_look_alike():
    holes = [Hole(i * HOUR, (i + 1) * HOUR, why) for i, why in enumerate((SILENT, FAILING, PAUSED))]
    picture = drawn(lane([50.0] * 10, (), (Reset(1, "scheduled"), Reset(2, "provider")), holes))

    patterns = {p.get("id"): ElementTree.tostring(p) for p in picture.iter(f"{SVG}pattern")}
    fills = [rect.get("fill") for rect in picture.iter(f"{SVG}rect")]
    assert fills == ["url(#silent)", "url(#failing)", "url(#paused)"]
    assert len(set(patterns.values())) == 3
    marks = [d for d in paths(picture) if d in (lane_svg.TRIANGLE, lane_svg.STAR)]
    assert sorted(marks) == sorted([lane_svg.TRIANGLE, lane_svg.STAR])


def test_a_long_hole_says_what_it_is():
    assert "no readings" in lane_svg.document(
        lane([None] * 10, (), (), (Hole(0, 9 * HOUR, SILENT),))
    )
    assert "no answer" in lane_svg.document(
        lane([None] * 10, (), (), (Hole(0, 9 * HOUR, FAILING),))
    )
    short = lane_svg.document(lane([5.0] * 10, (), (), (Hole(0, HOUR, SILENT),)))
    assert "no readings" not in re.sub("<desc>.*</desc>", "", short)


@pytest.mark.parametrize("theme", ["light", "dark", "bogus"])
def test_a_lane_of_nothing_says_so_in_every_theme(theme):
    picture = drawn(Lane("<&>", AXIS), theme)

    assert picture.findtext(f"{SVG}title") == "<&>"
    assert picture.findtext(f"{SVG}text") == "no readings"


def test_the_gist_says_lowest_last_resets_and_holes():
    one = lane([80.0, 20.0, None] + [66.0] * 7, (), (Reset(1, "early"),), (Hole(2, 3, SILENT),))

    assert lane_svg.gist(one) == (
        "Weekly: lowest 20\u202f%, last 66\u202f%. Resets: 1. There are times without readings."
    )
