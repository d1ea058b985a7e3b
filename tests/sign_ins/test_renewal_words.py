"""How a renewal stands is told in one place, in both languages, with what a person can do."""

import itertools
import re
from dataclasses import replace

import pytest

from quota_web.codex.renewal_answer import Verdict
from quota_web.core.language import use_language
from quota_web.core.times import iso
from quota_web.reports import renewal_state, renewal_words
from quota_web.sign_ins.renewal_service import Press
from tests.fakes import NOW
from tests.issuer import DAY, Turn


def told(house, **options):
    now = house.installation.now
    state = renewal_state.of(
        house.installation.account("alice"),
        house.held(),
        options.pop("not_before", None),
        now,
        **{"renews": True, **options},
    )
    assert state is not None
    return state


def test_an_own_sign_in_says_when_it_is_renewed_and_asks_for_nothing(house):
    house.sign_in()

    found = told(house)

    assert (found.state, found.sign_in_by, found.may_press) == ("on", None, True)
    assert renewal_state.document(found) == {
        "kind": "own",
        "access_ends_at": "2026-12-01T12:00:00Z",
        "renewal": {
            "state": "on",
            "next_at": iso(found.next_at),
            "last_at": None,
            "code": None,
            "sign_in_by": None,
        },
    }
    [sentence] = renewal_words.sentences(found)
    assert re.fullmatch(r"Renewed by itself, next about 2026-11-2\d\D.*\.", sentence)


def test_unsure_and_dead_name_the_day_by_which_to_sign_in(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.plays(Turn(drop=True))
    house.renew_due()
    unsure = told(house)
    house.installation.execute("UPDATE credential SET renewal = 'dead', renew_at = NULL")
    dead = told(house)

    for found in (unsure, dead):
        assert found.sign_in_by == found.access_ends_at
        assert found.may_press is False
        assert "Sign in again by" in " ".join(renewal_words.sentences(found))
    assert "It is tried once more" in renewal_words.sentences(unsure)[0]


def test_resting_paused_and_switched_off_are_told(house):
    house.sign_in()

    resting = told(house, not_before=house.installation.now + 6 * 3_600)
    assert resting.state == "resting"
    assert "nothing is renewed before" in renewal_words.sentences(resting)[0]
    # The minute between two renewals is no rest.
    assert told(house, not_before=house.installation.now + 60).state == "on"
    off = told(house, renews=False)
    assert (off.state, off.code, off.next_at) == ("off", "setting", None)
    house.installation.execute("UPDATE account SET paused_at = 1")
    paused = told(house)
    assert renewal_words.sentences(paused)[0].startswith("Paused: nothing is sent")
    assert (paused.next_at, paused.sign_in_by) == (None, paused.access_ends_at)


def test_an_ended_token_that_will_be_renewed_says_renewing(house):
    house.sign_in()
    house.installation.now = NOW + 11 * DAY

    assert told(house).is_renewing
    assert renewal_words.short(told(house)) == "renewing"
    assert renewal_words.sentences(told(house))[0].startswith("Renewing: ")


def test_copies_and_files_say_what_renews_them(house, installation):
    house.paste()
    copy = told(house)
    file = replace(copy, kind="file")

    assert copy.may_switch
    assert "copied from may do that" in renewal_words.sentences(copy)[0]
    assert "run codex once on that machine" in renewal_words.sentences(file)[1]
    assert renewal_words.short(file) == "renewed by its file’s owner"


@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_outcome_of_a_press_and_every_state_has_words(house, code):
    house.sign_in()
    states = ("on", "off", "unsure", "dead", "resting")
    reasons = (None, "refresh_token_reused", "restored", "something_new")
    with use_language(code):
        outcomes = [*Press, *Verdict]
        words = [renewal_words.pressed(one, "no_answer", None, "12:00") for one in outcomes]
        said = [
            sentence
            for state, reason, kind in itertools.product(states, reasons, ("own", "copy", "file"))
            for sentence in renewal_words.sentences(
                replace(told(house), state=state, code=reason, kind=kind)
            )
        ]

    assert all(words)
    assert all(said)
    chinese = [bool(re.search("[\u4e00-\u9fff]", text)) for text in (*words, *said)]
    assert all(chinese) if code == "zh" else not any(chinese)
