"""The fields of JSON objects, by name, in whatever case the name came."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

Fields = dict[str, object]
NOTHING: Fields = {}
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def first(top: Fields, own: Fields, name: str) -> object:
    """The field of *top*, else that of *own*."""
    value = top.get(name)
    return own.get(name) if value is None else value


def fields_of(value: object) -> Fields:
    """An object with its keys in snake case, whatever case they came in; of two spellings the first
    one wins. Nothing for anything else.
    """
    if not isinstance(value, dict):
        return NOTHING
    fields: Fields = {}
    for name, item in items(value):
        fields.setdefault(_snake(name), item)
    return fields


def items(value: Mapping[object, object]) -> Iterator[tuple[str, object]]:
    """Names and values, without names longer than any real one."""
    return (
        (name, item) for name, item in value.items() if isinstance(name, str) and len(name) <= 64
    )


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _CAMEL_HUMP.sub(r"_\1", name).lower()
