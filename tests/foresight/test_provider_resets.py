"""Early resets of most accounts in the same hours are one reset by the provider."""

import pytest

from quota_web.foresight import AccountHistory, Judgement
from tests.foresight.stories import RESETS, Story, account, hour, judged, moment

DUE = 100
#: Hour of the resets; the stories go on for a day after it.
FALLS = 20.0


def falls(at: float = FALLS, used: float = 50, **facts) -> AccountHistory:
    return account(weekly=Story().use(at, used, DUE).untouched(FALLS + 24 - at), **facts)


def stays(used: float = 50) -> AccountHistory:
    return account(weekly=Story().use(FALLS + 24, used, DUE))


def flaps(until: float, at: float = FALLS) -> AccountHistory:
    """Shows nothing used from *at*, and before hour *until* the old state again."""
    story = Story().use(at, 50, DUE).untouched(until - at)
    return account(weekly=story.use(FALLS + 24 - until, 50, DUE))


def people(*histories: AccountHistory) -> dict[str, AccountHistory]:
    return {f"account {i}": history for i, history in enumerate(histories)}


def resets(judgement: Judgement, withdrawn: bool = False) -> list[tuple[str, str | None, float]]:
    events = [e for e in judgement.events if (e.withdrawn_at is not None) == withdrawn]
    return [(str(e.kind), e.account, hour(e)) for e in events if e.kind in RESETS]


def hows(judgement: Judgement) -> list[str]:
    return [str(cycle.how) for rows in judgement.cycles.values() for cycle in rows]


def kinds(*histories: AccountHistory) -> set[str]:
    return {kind for kind, _, _ in resets(judged(people(*histories)))}


def test_all_accounts_at_once_are_one_event_of_all():
    result = judged(people(falls(20), falls(20.5), falls(21), falls(21)))

    assert resets(result) == [("reset_provider", None, 20)]
    assert hows(result) == ["provider"] * 4


def test_a_provider_reset_names_its_parts():
    result = judged(people(falls(20), falls(21), falls(22), stays()))

    event = next(e for e in result.events if e.kind == "reset_provider")
    assert [part[0] for part in event.data["parts"]] == ["account 0", "account 1", "account 2"]
    assert event.data["accounts"] == 4


def test_two_accounts_are_too_few():
    assert kinds(falls(), falls()) == {"reset_early"}


def test_two_of_three_are_enough_and_two_of_four_are_not():
    assert kinds(falls(), falls(), stays()) == {"reset_provider"}
    assert kinds(falls(), falls(), stays(), stays()) == {"reset_early"}


def test_three_of_five_are_enough_and_five_of_nine_are_not():
    assert kinds(*[falls()] * 3, *[stays()] * 2) == {"reset_provider"}
    assert kinds(*[falls()] * 5, *[stays()] * 4) == {"reset_early"}


@pytest.mark.parametrize("used", [0, 1])
def test_accounts_that_had_used_nothing_do_not_count(used):
    idle = account(weekly=Story().untouched(FALLS + 24, used))

    assert kinds(falls(), falls(), stays(), *[idle] * 6) == {"reset_provider"}
    assert kinds(falls(), falls(), idle, idle) == {"reset_early"}
    assert kinds(falls(), falls(), stays(used), stays(used)) == {"reset_early"}


def test_an_account_counts_by_whichever_window_it_had_used():
    mixed = account(
        five_hour=Story(5).untouched(FALLS + 24),
        weekly=Story().use(FALLS + 24, 50, DUE),
    )

    assert kinds(falls(), falls(), mixed, mixed) == {"reset_early"}


def test_an_account_that_had_started_anew_just_before_does_not_count():
    renewed = account(weekly=Story().use(19, 50, 19).untouched(FALLS + 5))

    assert kinds(falls(), falls(), stays(), renewed, renewed) >= {"reset_provider"}


def test_an_account_that_was_not_read_does_not_count():
    paused = account(weekly=Story(h=-60).use(10, 50, DUE))

    assert kinds(falls(), falls(), stays(), paused, paused) == {"reset_provider"}


def test_an_account_that_had_not_been_added_does_not_count():
    later = account(weekly=Story(h=FALLS + 10).use(5, 50, DUE))

    assert kinds(falls(), falls(), stays(), later, later) == {"reset_provider"}


def test_the_same_hours_are_six():
    assert kinds(falls(20), falls(23), falls(26)) == {"reset_provider"}
    assert kinds(falls(20), falls(23.5), falls(26.5), stays(), stays()) == {"reset_early"}


def test_the_fullest_hours_are_the_reset_and_a_stray_one_stays_early():
    result = judged(people(falls(20), falls(25), falls(25.5), falls(26.5), falls(26.5)))

    assert resets(result) == [("reset_early", "account 0", 20), ("reset_provider", None, 25)]
    assert sorted(hows(result)) == ["early", *["provider"] * 4]


def test_several_windows_of_an_account_are_one_account():
    both = account(
        daily=Story(24).use(FALLS, 30, 24).untouched(24),
        weekly=Story().use(FALLS, 50, DUE).untouched(24),
    )

    assert kinds(both, both, stays(), stays()) == {"reset_early"}
    result = judged(people(both, both, both))
    assert resets(result) == [("reset_provider", None, FALLS)]
    assert hows(result) == ["provider"] * 6


def test_what_was_told_as_early_becomes_part_of_the_providers_reset():
    result = judged(people(falls(20), falls(22), falls(24), stays()))

    assert resets(result) == [("reset_provider", None, 20)]
    assert resets(result, withdrawn=True) == [
        ("reset_early", "account 0", 20),
        ("reset_early", "account 1", 22),
    ]
    early = [e for e in result.events if e.kind == "reset_early"]
    assert {e.withdrawn_at for e in early} == {moment(24.5)}


def test_before_enough_have_been_seen_they_are_early():
    histories = people(falls(20), falls(22), falls(24), stays())

    assert {k for k, _, _ in resets(judged(histories, moment(24)))} == {"reset_early"}
    assert {k for k, _, _ in resets(judged(histories, moment(25)))} == {"reset_provider"}


def test_a_banked_reset_is_none_of_the_providers():
    banked = falls(credits=[(0, 1), (FALLS, 0)])

    result = judged(people(falls(), falls(), falls(), banked))

    assert [kind for kind, _, _ in resets(result)] == ["reset_provider", "reset_banked"]
    assert kinds(banked, banked, banked) == {"reset_banked"}
    assert kinds(falls(), falls(), banked, banked) == {"reset_early", "reset_banked"}


def test_changes_of_plan_are_none_of_the_providers():
    changed = falls(plan=[(0, "plus"), (FALLS, "pro")])

    assert kinds(changed, changed, changed) == set()


def test_scheduled_resets_at_the_same_time_are_none_of_the_providers():
    due = account(weekly=Story().use(FALLS, 50, FALLS).untouched(24))

    assert kinds(due, due, due) == {"reset_scheduled"}


def test_an_account_seen_late_belongs_to_the_hours_in_which_it_was_seen_first():
    late = account(weekly=Story().use(20, 50, DUE).full().gap(60).use(1, 3, 188))

    assert kinds(falls(), falls(), late, stays()) == {"reset_provider"}


def test_a_flap_of_all_accounts_is_withdrawn_with_its_provider_reset():
    result = judged(people(*[flaps(24)] * 4))

    assert resets(result) == []
    assert ("reset_provider", None, 20) in resets(result, withdrawn=True)
    assert hows(result) == []
    assert [str(e.kind) for e in result.events if not e.withdrawn_at] == ["flapping"] * 4


def test_where_too_few_resets_prove_true_they_are_early_again():
    result = judged(people(falls(), flaps(24), flaps(25), stays()))

    assert resets(result) == [("reset_early", "account 0", 20)]
    wide = next(e for e in result.events if e.kind == "reset_provider")
    assert wide.withdrawn_at == moment(24)
    assert hows(result) == ["early"]


def test_where_enough_resets_prove_true_the_providers_reset_stands():
    result = judged(people(falls(), falls(), falls(), flaps(24)))

    assert resets(result) == [("reset_provider", None, 20)]
    assert hows(result) == ["provider"] * 3


def test_two_resets_by_the_provider_are_two_events():
    twice = account(weekly=Story().use(20, 50, DUE).use(20, 5, 188).untouched(5))

    result = judged(people(twice, twice, twice))

    assert resets(result) == [("reset_provider", None, 20), ("reset_provider", None, 40)]
