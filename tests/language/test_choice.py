"""The chosen language comes first, then the browser's, then the setting's, then English."""

import pytest

from quota_web.language.choice import choose


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-Hans-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ZH-hk", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.5, zh;q=0.6", "zh"),
        ("de-DE,de;q=0.9,zh;q=0.3,en;q=0.2", "zh"),
        ("en;q=0, zh;q=0.1", "zh"),
    ],
)
def test_the_browser_s_list_is_read_by_its_weights(header, code):
    assert choose(None, header, None) == code
    assert choose(None, header, "en" if code == "zh" else "zh") == code


@pytest.mark.parametrize(
    "header", [None, "", "fr", "*", "zh;q=0", "zh;q=9", "zh;q=x", ";;;,,,", "x" * 99_999 + ",zh"]
)
def test_a_list_without_a_language_of_ours_leaves_it_to_the_setting(header):
    assert choose(None, header, None) == "en"
    assert choose(None, header, "zh") == "zh"


def test_the_choice_wins_and_nonsense_is_none():
    assert choose("en", "zh", "zh") == "en"
    assert choose("zh", "en", "en") == "zh"
    assert choose("../zh", "zh", None) == "zh"
