"""Inputs from anywhere, bent at random: answered or refused in words of ours, never with a
traceback, never with a number nobody sent.
"""

import json
import random

import pytest

from quota_web.codex import auth_file, payload
from quota_web.codex.json_guard import JsonRefused, load_json
from quota_web.core.errors import CredentialsRefused
from tests.fakes import NOW, auth_document, usage_body
from tests.faults.figures import runs

ODD: list[object] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    100,
    1e308,
    -1e308,
    2**63,
    2**70,
    "",
    "0",
    "100",
    "NaN",
    "-",
    "\x00",
    "\ud800",
    "x" * 5_000,
    [],
    {},
    [[]],
    [None],
    {"": {}},
]


def bent(document, chance, depth=0):
    """The document with something in it replaced, dropped, doubled or moved."""
    if depth > 6 or chance.random() < 0.12:
        return chance.choice(ODD)
    if isinstance(document, dict) and document:
        key = chance.choice(list(document))
        changed = dict(document)
        how = chance.randrange(4)
        if how == 0:
            del changed[key]
        elif how == 1:
            changed[chance.choice(list(document))] = document[key]
        else:
            changed[key] = bent(document[key], chance, depth + 1)
        return changed
    if isinstance(document, list) and document:
        index = chance.randrange(len(document))
        return [
            *document[:index],
            bent(document[index], chance, depth + 1),
            *document[index + chance.randrange(2) :],
        ]
    return chance.choice(ODD)


def numbers(document):
    """Every number in it, also those that are written as text."""
    if isinstance(document, dict):
        return {n for value in document.values() for n in numbers(value)}
    if isinstance(document, list):
        return {n for value in document for n in numbers(value)}
    try:
        return (
            {float(document)} if not isinstance(document, bool) and document is not None else set()
        )
    except (ValueError, OverflowError):
        return set()


def torn(raw, chance):
    """Bytes changed, cut or doubled."""
    raw = bytearray(raw)
    for _ in range(chance.randrange(3)):
        place = chance.randrange(len(raw) + 1)
        kind = chance.randrange(3)
        if kind == 0:
            raw[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        elif kind == 1:
            del raw[place:]
        else:
            raw[place:place] = raw[: chance.randrange(len(raw) + 1)]
    return bytes(raw)


def bodies():
    rich = usage_body(
        12,
        40,
        spend_control={
            "reached": False,
            "individual_limit": {"limit": "15000", "used": "3831.75", "used_percent": 26},
        },
        additional_rate_limits=[
            {
                "limit_name": "Spark",
                "metered_feature": "codex_spark",
                "rate_limit": usage_body()["rate_limit"],
            }
        ],
        code_review_rate_limit=usage_body(3, 4)["rate_limit"],
        rate_limit_reached_type={"type": "rate_limit_reached"},
    )
    return [usage_body(), usage_body(100, 0), usage_body(None, 3), rich]


def test_answers(figures):
    chance, failed, invented, refused, total = random.Random(7), 0, 0, 0, runs(100_000, 500_000)
    known = bodies()
    for _ in range(total):
        document = bent(chance.choice(known), chance)
        if chance.random() < 0.5:
            document = bent(document, chance)
        try:
            snapshot = payload.parse(document, NOW)
        except payload.BadPayload:
            refused += 1
            continue
        except Exception as error:  # noqa: BLE001 - counted: whatever comes out here would have been a traceback
            print(repr(error), json.dumps(document)[:300])
            failed += 1
            continue
        sent = numbers(document)
        for reading in snapshot.readings:
            # A spend limit's percent is worked out from its amounts; what is left of a window may
            # be told instead of what is used.
            told = (
                reading.spend is not None
                or reading.used_percent in sent
                or 100 - reading.used_percent in sent
            )
            invented += not told
    figures.record(
        "bent answers read",
        of=total,
        bad=failed + invented,
        bad_is="ended in a traceback or gave a number that nobody sent",
        refused=refused,
    )


def test_answers_as_bytes(figures):
    chance, failed, refused, total = random.Random(8), 0, 0, runs(50_000, 500_000)
    known = [json.dumps(body).encode() for body in bodies()]
    for _ in range(total):
        raw = torn(chance.choice(known), chance)
        try:
            payload.parse(load_json(raw, 2**20, lenient=True), NOW)
        except (payload.BadPayload, JsonRefused):
            refused += 1
        except Exception as error:  # noqa: BLE001 - counted, as above
            print(repr(error), raw[:300])
            failed += 1
    figures.record(
        "torn answers read", of=total, bad=failed, bad_is="ended in a traceback", refused=refused
    )


@pytest.mark.parametrize("as_bytes", [False, True], ids=["bent", "torn"])
def test_auth_files(figures, as_bytes):
    chance, failed, refused, total = random.Random(9), 0, 0, runs(30_000, 300_000)
    for _ in range(total):
        document = auth_document("acct-1")
        raw = (
            torn(json.dumps(document).encode(), chance)
            if as_bytes
            else dumped(bent(bent(document, chance), chance))
        )
        try:
            for entry in auth_file.entries(raw, "fuzz"):
                refused += entry.credentials is None
        except CredentialsRefused:
            refused += 1
        except Exception as error:  # noqa: BLE001 - counted, as above
            print(repr(error), raw[:300])
            failed += 1
    what = "torn auth files read" if as_bytes else "bent auth files read"
    figures.record(what, of=total, bad=failed, bad_is="ended in a traceback", refused=refused)


def dumped(document):
    return json.dumps(document).encode("utf-8", "surrogatepass")
