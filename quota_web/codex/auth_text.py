"""The text of an auth file or of what was pasted, taken apart into JSON documents and bare tokens.

People paste several files one after the other, with code fences and words around them; other tools
write one document a line, or nothing but tokens.
"""

import re
from collections.abc import Iterator

from quota_web.codex.json_guard import (
    BrokenPart,
    JsonRefused,
    Piece,
    load_json,
    load_text,
    sequence,
)
from quota_web.core.limits import MAX_CREDENTIALS

MAX_ENTRIES = 1000
_REFRESH_PREFIXES = ("rt_", "rt.", "oaistb_rt_")
_BEARER = re.compile(r"^bearer(?:\s+|$)", re.IGNORECASE)
#: What a piece of JSON or a token leaves behind when it is cut: more than words between two
#: documents.
_REMAINS = re.compile(r"[\"{}\[\]]|eyJ")


def documents(raw: bytes, *, whole: bool = False) -> list[object]:
    """What is in a file, in its order: JSON documents, bare tokens, and BrokenPart where it is
    neither.

    With *whole* a broken part refuses all of it. Raises JsonRefused.
    """
    try:
        return [load_json(raw, MAX_CREDENTIALS)]
    except JsonRefused as error:
        refused = error
    text = load_text(raw, MAX_CREDENTIALS)
    found = _lines(text) or _parts(text)
    broken = [isinstance(part, BrokenPart) for part in found]
    if all(broken) or (whole and any(broken)):
        raise refused
    return found


def document(raw: bytes) -> object:
    """The one document of a file; a list where it holds several. Raises JsonRefused."""
    found = documents(raw, whole=True)
    return found[0] if len(found) == 1 else found


def _lines(text: str) -> list[object]:
    """Bare tokens or JSON Lines; empty where the text is neither."""
    lines = [
        line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")
    ]
    if len(lines) > MAX_ENTRIES and (is_bare_token(lines[0]) or _is_object(lines[0])):
        raise JsonRefused(f"more than {MAX_ENTRIES} accounts")
    if all(is_bare_token(line) for line in lines):
        return list(lines)
    if (
        len(lines) > 1
        and all(line[0] == "{" and line[-1] == "}" for line in lines)
        and _is_object(lines[0])
    ):
        return [_line(line, number) for number, line in enumerate(lines, 1)]
    return []


def _line(line: str, number: int) -> object:
    """One line of JSON Lines; a broken one stands for itself, so that it is reported with the
    others.
    """
    try:
        return load_json(line.encode("utf-8"), MAX_CREDENTIALS)
    except JsonRefused:
        return BrokenPart(number)


def _is_object(line: str) -> bool:
    return isinstance(_line(line, 0), dict)


def _parts(text: str) -> list[object]:
    """Documents and tokens that stand one after the other; words and code fences between them are
    passed over.
    """
    found: list[object] = []
    for piece in sequence(text):
        found += _between(piece)
        if piece.value is not None:
            found.append(piece.value)
        if (
            sum(not isinstance(part, BrokenPart) for part in found[-1:])
            and len(found) > MAX_ENTRIES
        ):
            raise JsonRefused(f"more than {MAX_ENTRIES} accounts")
    return found


def _between(piece: Piece) -> Iterator[object]:
    """Bare tokens, and what looks like a cut document, in the words before a document."""
    for number, words in enumerate(piece.before.splitlines(), piece.line):
        words = words.strip(" \t,;`")
        if is_bare_token(words):
            yield words
        elif _REMAINS.search(words) and not words.startswith("#"):
            yield BrokenPart(number)


def is_bare_token(line: str) -> bool:
    """Whether a line of text can be nothing but a token: one word with the marks of one, no
    JSON.
    """
    token = strip_bearer(line)
    looks = (
        token.startswith(("eyJ", "at-", "sess-", "sk-"))
        or is_refresh_token(token)
        or token.count(".") in (2, 4)
    )
    return (
        line.isascii()
        and looks
        and len(token.split()) == 1
        and len(token) >= 8
        and token[0] not in "{[\"'<"
    )


def is_refresh_token(token: str) -> bool:
    """Whether a token says by its beginning that it is a refresh token."""
    return token.startswith(_REFRESH_PREFIXES)


def strip_bearer(token: str) -> str:
    """A token without the spaces around it and the word that stands before it in a header."""
    return _BEARER.sub("", token.strip(), count=1)
