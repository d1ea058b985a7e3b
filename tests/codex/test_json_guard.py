"""JSON from outside cannot hurt, and what is said of it does not repeat it."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.codex.json_guard import MAX_DEPTH, JsonRefused, load_json

CANARY = "CANARY-7f3a"

REFUSED = {
    "nothing": (b"", "empty"),
    "blank": (b" \r\n\t", "empty"),
    "only a mark": (b"\xef\xbb\xbf", "empty"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8 text"),
    "cut UTF-16": ('{"a": 1}'.encode("utf-16")[:-1], "not UTF-8 text"),
    "cut": (b'{"a": "' + CANARY.encode(), "not valid JSON (line 1)"),
    "on line 3": (b'{\n"a": 1,\n"b": }', "not valid JSON (line 3)"),
    "two documents": (b"{} {}", "not valid JSON (line 1)"),
    "too deep": (b"[" * 33 + b"]" * 33, "nested deeper than 32 levels"),
    "far too deep": (b"[" * 200_000, "nested deeper than 32 levels"),
    "deep in turns": (b'{"a":[' * 17 + b"]}" * 17, "nested deeper than 32 levels"),
    "twice": (b'{"a": 1, "a": 2}', "not usable JSON (a field appears twice)"),
    "twice by escape": (b'{"a": 1, "\\u0061": 2}', "not usable JSON (a field appears twice)"),
    "NaN": (b'{"a": NaN}', "not usable JSON (a number is out of range)"),
    "infinite": (b'{"a": -Infinity}', "not usable JSON (a number is out of range)"),
    "1e999": (b'{"a": 1e999}', "not usable JSON (a number is out of range)"),
    "huge integer": (b'{"a": ' + b"9" * 30 + b"}", "not usable JSON (a number is out of range)"),
    "5000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "not usable JSON (a number is out of range)"),
    "lone surrogate": (b'{"a": "\\ud800"}', "not usable JSON (broken Unicode)"),
    "lone surrogate as key": (b'{"\\udfff": 1}', "not usable JSON (broken Unicode)"),
    "surrogate bytes": (b'{"a": "\xed\xa0\x80"}', "not UTF-8 text"),
    "too large": (b'"' + b"x" * 5000 + b'"', "larger than 4 KiB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_with_a_reason(case):
    raw, reason = REFUSED[case]

    with pytest.raises(JsonRefused) as caught:
        load_json(raw, 4096 if case == "too large" else 1 << 20)

    assert str(caught.value) == reason


def test_it_strips_a_byte_order_mark():
    assert load_json(b'\xef\xbb\xbf{"a": 1}', 100) == {"a": 1}


def test_it_takes_the_allowed_depth():
    assert load_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, 100) is not None


def test_brackets_in_strings_are_no_depth():
    document = {"a": "[{" * 500, "b": '\\"[[[' * 50, "c": ["}", "[", "\\"] * 20}

    assert load_json(json.dumps(document).encode(), 1 << 20) == document


def test_many_brackets_side_by_side_are_no_depth():
    assert load_json(b"[" + b"[{}]," * 5000 + b"[]]", 1 << 20) is not None


def test_a_pair_of_surrogates_is_a_character():
    assert load_json(b'{"a": "\\ud83d\\ude00"}', 100) == {"a": "\U0001f600"}


def test_lenient_reading_gives_up_single_numbers_alone():
    raw = (
        b'{"a": NaN, "b": 1e999, "c": '
        + b"9" * 5000
        + b', "d": 1.7976931348623157e+308, "e": 1, "f": "\\ud800"}'
    )

    assert load_json(raw, 1 << 20, lenient=True) == {
        "a": None,
        "b": None,
        "c": None,
        "d": 1.7976931348623157e308,
        "e": 1,
        "f": "\ud800",
    }


@pytest.mark.parametrize("lenient", [False, True])
def test_nothing_of_the_document_is_in_the_error(lenient):
    with pytest.raises(JsonRefused) as caught:
        load_json(f'{{"token": "{CANARY}" oops'.encode(), 1000, lenient=lenient)

    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in repr(error) + str(vars(error))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("cut", range(1, 40))
def test_the_beginning_of_a_document_is_incomplete(cut):
    whole = b'{"tokens": {"access_token": "a\xc3\xa9", "n": [1, true]}}'

    with pytest.raises(JsonRefused) as caught:
        load_json(whole[: len(whole) - cut], 1000)

    assert caught.value.incomplete


def test_a_broken_document_is_not_incomplete():
    with pytest.raises(JsonRefused) as caught:
        load_json(b'{"a": oops, "b": {}}', 1000)

    assert not caught.value.incomplete


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * (1 << 20),
        b"[]," * 300_000,
        b'{"a":' * 150_000,
        b'"' * (1 << 20),
        b"1" * (1 << 20),
        b'"",' * 300_000,
    ],
)
def test_hostile_megabytes_cost_little(raw):
    started = time.process_time()

    with pytest.raises(JsonRefused):
        load_json(raw, 1 << 20)

    assert time.process_time() - started < 1


texts = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_it_reads_back_what_was_written(value):
    assert load_json(json.dumps(value).encode(), 1 << 20) == value
    assert load_json(json.dumps(value, ensure_ascii=False).encode(), 1 << 20, lenient=True) == value


@given(
    st.binary(max_size=300)
    | st.text(alphabet='{}[]":,\\u0dD8a1eE-.+NIntrf \n', max_size=80).map(str.encode),
    st.booleans(),
)
def test_it_raises_nothing_but_its_own_error(raw, lenient):
    with suppress(JsonRefused):
        load_json(raw, 250, lenient=lenient)
