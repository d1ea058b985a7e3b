"""The messages of each language: read from its `.po` file at first use, once a process.

A translation whose places differ from its message's is left out, so that a mistake in a file shows
English instead of an error. Babel is loaded here alone, and only when a language needs it.
"""

import io
import re
import threading
from collections.abc import Sequence
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING

from quota_web.core import language

if TYPE_CHECKING:
    from babel.messages import Catalog

FOLDER = Path(__file__).resolve().parent
#: A place for data, `%%`, or a percent sign that is neither and that no format may have.
_PLACE = re.compile(r"%(?:\(([a-z0-9_]*)\)s|(%))?")
_TAG = re.compile(r"</?[a-z][^>]*>")
_ODD = "has a percent sign that is no place: write %%"

_read: dict[str, NullTranslations] = {}
_reading = threading.Lock()


def init_app() -> None:
    """Let the words of the app come from here."""
    language.set_source(translations)


def translations(code: str) -> NullTranslations:
    """The messages of *code*; those of a language without a file are English."""
    found = _read.get(code)
    if found is None:
        with _reading:
            found = _read.get(code)
            if found is None:
                found = _read[code] = _load(code)
    return found


def _load(code: str) -> NullTranslations:
    from babel.messages.mofile import write_mo

    path = FOLDER / f"{code}.po"
    if not path.is_file():
        return NullTranslations()
    catalog = read_po(path, code)
    for message in list(catalog):
        if message.id and any(mistakes(message.id, message.string)):
            catalog.delete(message.id)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


def read_po(path: Path, code: str) -> "Catalog":
    """The messages of a `.po` file. Raises `babel.messages.pofile.PoFileError`."""
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


def mistakes(message: str | Sequence[str], string: object) -> list[str]:
    """What is wrong with the places and tags of a translation, and with those of its message."""
    ids = (message,) if isinstance(message, str) else tuple(message)
    strings = string if isinstance(string, list | tuple) else (string,)
    found = [f"{text!r} {_ODD}" for text in ids if _odd(text)]
    # A form for one thing may leave its number out; what is said of many names all.
    wanted, known = _places(ids[-1]), set().union(*map(_places, ids))
    for text in filter(None, map(str, filter(None, strings))):
        if _odd(text):
            found.append(f"{text!r} {_ODD}")
        elif not wanted <= _places(text) <= known:
            found.append(f"{text!r} has the places {sorted(_places(text))}, not {sorted(wanted)}")
        elif sorted(_TAG.findall(text)) != sorted(_TAG.findall(ids[-1])):
            found.append(f"{text!r} has other tags than its message")
    return found


def _places(text: str) -> set[str]:
    return {name for name, _ in _PLACE.findall(text) if name}


def _odd(text: str) -> bool:
    return any(not name and not doubled for name, doubled in _PLACE.findall(text))
