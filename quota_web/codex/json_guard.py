"""JSON from outside, read so that no document can hurt: one size, one depth, no doubtful numbers,
keys or characters.

A refusal is one typed error whose text names no content of the document, so it may be shown and
logged.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_DEPTH = 32

#: 64-bit integers have at most 19 digits and a sign; anything longer fits no column and no date.
_MAX_INTEGER_CHARS = 20

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_OPENING = re.compile(r"[{\[]")
_NEXT_LINE = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"[{]}", b"(())")


class JsonRefused(ValueError):
    """A document cannot be used; *incomplete* is true where it looks like the beginning of one, so
    that reading again may help.

    The text completes `the answer is …`, such as `not valid JSON (line 3)`.
    """

    def __init__(self, reason: str, *, incomplete: bool = False) -> None:
        self.incomplete = incomplete
        super().__init__(reason)


def size_in_words(size: int) -> str:
    """A size limit in bytes as people write it: `2 MiB`, `16 KiB`, `100 bytes`."""
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} bytes"


def load_json(raw: bytes, max_bytes: int, *, lenient: bool = False) -> object:
    """Parse *raw* as one JSON document of at most *max_bytes* bytes, in UTF-8 or UTF-16; a
    byte-order mark is ignored.

    With *lenient* (answers, of which only a few fields matter) numbers that no column holds read as
    None and lone surrogates pass; without it (files that are kept) they are refused. Raises
    JsonRefused and nothing else.
    """
    text = load_text(raw, max_bytes)
    raw = text.encode("utf-8")
    if _too_deep(raw):
        raise JsonRefused(f"nested deeper than {MAX_DEPTH} levels")
    document = _parsed(text, _LENIENT if lenient else _STRICT)
    if not lenient and _SURROGATE_ESCAPE.search(raw) and _has_lone_surrogate(document):
        raise JsonRefused("not usable JSON (broken Unicode)")
    return document


@dataclass(frozen=True, slots=True)
class BrokenPart:
    """A part of a text that is no JSON, by the line that it begins in."""

    line: int


#: After so many broken parts a text is taken for something else.
MAX_BROKEN = 20


def load_text(raw: bytes, max_bytes: int) -> str:
    """The text of *raw*, at most *max_bytes* bytes of UTF-8 or UTF-16 (as PowerShell writes it).

    Raises JsonRefused.
    """
    if len(raw) > max_bytes:
        raise JsonRefused(f"larger than {size_in_words(max_bytes)}")
    text = _decoded(raw)
    if not text.strip():
        raise JsonRefused("empty", incomplete=True)
    return text


@dataclass(frozen=True, slots=True)
class Piece:
    """One document of a text, with the words before it and the line that those begin in; the last
    has words alone.
    """

    before: str
    line: int
    value: object = None


def sequence(text: str) -> Iterator[Piece]:
    """The objects and arrays that stand one after the other in *text*.

    Of a part that is no JSON a BrokenPart is given instead, at most MAX_BROKEN times.
    """
    position, line, broken = 0, 1, 0
    while broken < MAX_BROKEN and (opening := _OPENING.search(text, position)):
        start = opening.start()
        value, end = _decoded_at(text, start)
        first, line = line, line + text.count("\n", position, start)
        if value is None:
            value, broken = BrokenPart(line), broken + 1
            following = _NEXT_LINE.search(text, opening.end())
            end = following.end() if following else len(text)
        yield Piece(text[position:start], first, value)
        position, line = end, line + text.count("\n", start, end)
    yield Piece(text[position:], line)


def _decoded_at(text: str, start: int) -> tuple[object, int]:
    """The document that begins at *start*, and where it ends; None where it is none that may be
    used.
    """
    try:
        value, end = _STRICT.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start
    piece = text[start:end].encode("utf-8", "surrogatepass")
    if _too_deep(piece) or (_SURROGATE_ESCAPE.search(piece) and _has_lone_surrogate(value)):
        return None, start
    return value, end


# The errors below are raised outside the `except` blocks: an error raised inside one keeps the
# first error as its context, and that one holds the whole document.


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode(_encoding(raw)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        incomplete = error.end >= len(raw)
    raise JsonRefused("not UTF-8 text", incomplete=incomplete)


def _encoding(raw: bytes) -> str:
    """UTF-16 by its byte-order mark, or by the zero byte that one of JSON's first two characters
    has there.
    """
    if raw.startswith(b"\xff\xfe") or (raw[1:2] == b"\0" and raw[:1] != b"\0"):
        return "utf-16-le"
    if raw.startswith(b"\xfe\xff") or (raw[:1] == b"\0" and raw[1:2] != b"\0"):
        return "utf-16-be"
    return "utf-8"


def _parsed(text: str, decoder: json.JSONDecoder) -> object:
    try:
        return decoder.decode(text)
    except JsonRefused as error:
        refused = JsonRefused(str(error))
    except json.JSONDecodeError as error:
        cut = (
            error.pos >= len(text.rstrip())
            or error.msg.startswith("Unterminated")
            or text.rstrip()[-1] not in "}]"
        )
        refused = JsonRefused(f"not valid JSON (line {error.lineno})", incomplete=cut)
    raise refused


def _too_deep(raw: bytes) -> bool:
    """Whether brackets outside strings nest deeper than allowed; each round below takes the
    innermost level away.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", raw).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        shorter = brackets.replace(b"()", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return len(brackets) > MAX_DEPTH or b"()" in brackets


def _has_lone_surrogate(document: object) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonRefused("not usable JSON (a field appears twice)")
    return result


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JsonRefused("not usable JSON (a number is out of range)")
    return value


def _lenient_float(text: str) -> float | None:
    value = float(text)
    return None if math.isinf(value) else value


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_CHARS:
        raise JsonRefused("not usable JSON (a number is out of range)")
    return int(text)


def _lenient_integer(text: str) -> int | None:
    return int(text) if len(text) <= _MAX_INTEGER_CHARS else None


def _constant(name: str) -> object:
    raise JsonRefused("not usable JSON (a number is out of range)")


def _lenient_constant(name: str) -> object:
    return None


_STRICT = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_integer, parse_constant=_constant
)
_LENIENT = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_lenient_float,
    parse_int=_lenient_integer,
    parse_constant=_lenient_constant,
)
