"""Numbers and times as each language writes them."""

from datetime import UTC, datetime

from quota_web.language import formats

MOMENT = datetime(2026, 11, 24, 19, 4, tzinfo=UTC)


def test_chinese_dates_numbers_and_lengths():
    assert formats.date(MOMENT, "zh") == "11月24日周二"
    assert formats.date(MOMENT, "zh", year=True) == "2026年11月24日周二"
    assert formats.date(MOMENT, "zh", weekday=False) == "11月24日"
    assert formats.clock(MOMENT, "zh") == "19:04"
    assert formats.number(1204, "zh") == "1,204"
    assert formats.length(3, "day", "zh") == "3天"
    assert formats.length(12, "minute", "zh") == "12分钟"
