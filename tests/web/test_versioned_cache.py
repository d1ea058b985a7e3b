"""Parts of pages are made once for a version, by one thread, and only a few are stored."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from quota_web.core.language import current_language, use_language
from quota_web.web.versioned_cache import VersionedCache


def test_a_part_is_made_once_for_a_version():
    cache, made = VersionedCache(24), []

    for version in [("v1", 1), ("v1", 1), ("v1", 2), ("v2", 2)]:
        cache.get("part", version, lambda: made.append(1))

    assert len(made) == 2 + 1


def test_a_new_version_takes_the_place_of_the_one_before():
    cache = VersionedCache(24)

    shown = [cache.get("part", (n,), partial(int, n)) for n in (1, 1, 2, 2)]

    assert (shown, len(cache)) == ([1, 1, 2, 2], 1)


def test_of_many_parts_only_the_missing_ones_are_made():
    cache, asked = VersionedCache(24), []

    def make(missing):
        asked.append(list(missing))
        return {key: key.upper() for key in missing}

    for versions in ({"a": (1,), "b": (1,)}, {"a": (1,), "b": (2,), "c": (1,)}):
        assert cache.get_many(versions, make) == {key: key.upper() for key in versions}

    assert asked == [["a", "b"], ["b", "c"]]


def test_threads_that_want_the_same_part_wait_for_the_one_that_makes_it():
    cache, made, together = VersionedCache(24), [], threading.Barrier(8)

    def make():
        made.append(1)
        time.sleep(0.05)
        return "part"

    def ask(_number):
        together.wait(10)
        return cache.get("part", ("v1",), make)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"part"}

    assert len(made) == 1


def test_nothing_is_stored_while_the_version_is_unknown():
    cache = VersionedCache(24)

    assert [cache.get("part", None, partial(int, n)) for n in (1, 2)] == [1, 2]
    assert len(cache) == 0


def test_only_a_few_parts_are_stored_and_the_oldest_go_first():
    cache = VersionedCache(24)

    for n in range(240):
        cache.get(n, ("v1",), lambda: "part")

    assert len(cache) == 24
    assert cache.get(239, ("v1",), lambda: "another") == "part"
    assert cache.get(0, ("v1",), lambda: "another") == "another"


def test_each_language_has_its_own_parts():
    cache = VersionedCache(24)

    def said() -> str:
        return cache.get("part", (1,), current_language)

    with use_language("zh"):
        assert said() == "zh"
    assert said() == "en"
    with use_language("zh"):
        assert said() == "zh"
