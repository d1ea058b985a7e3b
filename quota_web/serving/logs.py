"""Where log lines go and how they look. Every line passes one formatter that takes tokens and
control characters out.

Set up by what serves; commands and tests keep Python's own way.
"""

import json
import logging
import re
import sys
from datetime import tzinfo

from quota_web.core import names, times

#: What looks like a secret: JWTs, refresh tokens, API keys, session tokens, our own API tokens,
#: bearer values, the set-up link's code, and the secrets of share links.
_SECRET = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*)*|(?<![A-Za-z0-9])(?:rt|sk|sess|cq)[-_.][\w.-]{8,}|(?<=bearer "
    r")[^\s\"']{8,}|(?<=#setup=)[\w-]+|(?<=/share/)[\w-]{8,}|(?<=/embed/)[\w-]{8,}",
    re.IGNORECASE,
)
_HIDDEN = "***"
#: Loggers of ours say what happened; those of libraries are heard when something is wrong.
OWN = "quota_web"
#: What a record carries by itself; anything else was given with `extra` and becomes a field of the
#: JSON line.
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def init(log_format: str, zone: tzinfo | None) -> None:
    """Let all log lines go to standard error, as `text` or as `json`.

    Doing it twice changes nothing.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines(zone))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN).setLevel(logging.INFO)


def scrubbed(text: str) -> str:
    """*text* without anything that looks like a token."""
    return _SECRET.sub(_HIDDEN, text)


def one_line(text: str) -> str:
    """*text* with its control characters spelled out: no line can be added to the log by choosing
    a name.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii")
        for c in text
    )


class TextLines(logging.Formatter):
    """`2026-11-21 20:05:00 CST INFO alice: ok, …`; a traceback follows on lines of its own."""

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__()
        self._zone = zone

    def format(self, record: logging.LogRecord) -> str:
        line = (
            f"{times.local(int(record.created), self._zone)} {record.levelname} "
            f"{one_line(record.getMessage())}"
        )
        if record.exc_info:
            line += "".join(
                f"\n{one_line(part)}" for part in self.formatException(record.exc_info).splitlines()
            )
        return scrubbed(line)


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, whatever else the line was given, and a
    traceback where there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": times.iso(int(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return scrubbed(names.visible_json(json.dumps(fields, ensure_ascii=False, default=str)))
