"""Where the marks of a time axis stand and what they say; pure."""

from dataclasses import dataclass
from datetime import tzinfo

from quota_web.core.series import Axis
from quota_web.web import formats, svg

DAY = 86_400
#: So many marks at most about; every other one is left out on a phone.
MOST = 8


@dataclass(frozen=True, slots=True)
class AxisMark:
    """A mark: its place in percent of the width, and its words."""

    place: float
    words: str
    #: Whether it stands on a phone as well.
    is_major: bool


def ticks(axis: Axis, zone: tzinfo | None) -> list[AxisMark]:
    """The marks over an axis: times of day, or days where they are at least one apart."""
    moments, step = svg.time_ticks(axis.start, axis.end, zone, MOST)
    width = axis.end - axis.start
    return [
        AxisMark(
            round((at - axis.start) / width * 100, 2), formats.tick(at, step, zone), i % 2 == 0
        )
        for i, at in enumerate(moments)
        # One at the edge would be cut.
        if width * 0.01 < at - axis.start < width * 0.97
    ]
