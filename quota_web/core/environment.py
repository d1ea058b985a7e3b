"""Reads environment variables: each reader checks one and says in one line what is wrong with it.

A reader is called with the environment and the variable's name; it returns None where the variable
is not set, and raises BadSetting, naming the variable and what it may be.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quota_web.core.errors import BadSetting, shortened
from quota_web.core.secret import Secret

T = TypeVar("T")


class Environment:
    """Variables by name; an empty value counts as not set."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str) -> str | None:
        """The value of a variable, without the spaces around it."""
        return self._variables.get(name, "").strip() or None

    def secret_text(self, name: str) -> tuple[str, str | None]:
        """A secret, and where it comes from: the variable itself, or the file that `<name>_FILE`
        names.
        """
        value, source = self.text(name), f"{name}_FILE"
        file = self.text(source) if name.startswith("QUOTA_") else None
        if file is None:
            return name, value
        if value is not None:
            raise BadSetting(f"{name}: set either {name} or {source}, not both")
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise BadSetting(f"{source}: {shown(file)} cannot be read: {reason}") from None
        if not value:
            raise BadSetting(f"{source}: {shown(file)} is empty")
        return source, value


Reader = Callable[[Environment, str], T | None]


def path(env: Environment, name: str) -> Path | None:
    """A file or folder, made absolute; it need not exist."""
    value = env.text(name)
    return absolute(value) if value else None


def whole(low: int, high: int) -> Reader[int]:
    """A whole number from *low* to *high*."""

    def read(env: Environment, name: str) -> int | None:
        value = env.text(name)
        if value is None:
            return None
        return int(_bounded(name, value, r"[+-]?\d{1,18}", low, high, "a whole number"))

    return read


def number(low: float, high: float) -> Reader[float]:
    """A decimal number from *low* to *high*."""
    pattern = r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})"

    def read(env: Environment, name: str) -> float | None:
        value = env.text(name)
        return None if value is None else _bounded(name, value, pattern, low, high, "a number")

    return read


def choice(*allowed: str) -> Reader[str]:
    """One of a few words, in any case."""

    def read(env: Environment, name: str) -> str | None:
        value = env.text(name)
        if value is not None and value.lower() not in allowed:
            raise BadSetting(f"{name}: {shown(value.lower())} is not one of {', '.join(allowed)}")
        return value and value.lower()

    return read


def parsed(parse: Callable[[str], T], wanted: str, *, is_secret: bool = False) -> Reader[T]:
    """What *parse* makes of the text; it raises ValueError for what cannot be used.

    A secret may also stand in the file that `<name>_FILE` names, and is never shown.
    """

    def read(env: Environment, name: str) -> T | None:
        source, value = env.secret_text(name) if is_secret else (name, env.text(name))
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError:
            what = "the value" if is_secret else shown(value)
            raise BadSetting(f"{source}: {what} cannot be used; give {wanted}") from None

    return read


def or_conventional(reader: Reader[T], *others: str) -> Reader[T]:
    """The same, else the first that is set of the variables that programs share, in either case."""

    def read(env: Environment, name: str) -> T | None:
        names = (name, *(spelling for other in others for spelling in (other, other.lower())))
        return next((value for name in names if (value := reader(env, name)) is not None), None)

    return read


def secret(at_least: int = 1, at_most: int | None = None) -> Reader[Secret]:
    """A secret of so many characters, from the variable or the file that `<name>_FILE` names."""

    def read(env: Environment, name: str) -> Secret | None:
        source, value = env.secret_text(name)
        if value is None:
            return None
        if len(value) < at_least:
            few = f"{len(value)} characters are too few; give {at_least} or more"
            raise BadSetting(f"{source}: {few}")
        if at_most is not None and len(value) > at_most:
            many = f"{len(value)} characters are too many; give {at_most} or fewer"
            raise BadSetting(f"{source}: {many}")
        return Secret(value)

    return read


def absolute(value: str) -> Path:
    """A path as a person writes it, with `~` or relative, made absolute."""
    return Path(os.path.abspath(os.path.expanduser(value)))


def shown(value: str) -> str:
    """A bad value as a message quotes it: one short line, without the password that an address may
    hold.
    """
    masked = re.sub(r"//[^/?#]*@", "//***@", value)
    return repr(shortened(masked))


def _bounded(name: str, value: str, pattern: str, low: float, high: float, what: str) -> float:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise BadSetting(f"{name}: {shown(value)} is not {what}")
    number = float(value)
    if not low <= number <= high:
        raise BadSetting(f"{name}: {value} is not between {low:.10g} and {high:.10g}")
    return number


@dataclass(frozen=True, slots=True)
class Variable:
    """The environment variable of a setting."""

    name: str
    read: Reader[Any]
    #: The heading of docs/settings.md under which it stands, and what it says there.
    section: str
    help: str
    #: What the page gives as the default, where the value does not say it.
    default: str | None = None


def setting(
    default: Any,
    name: str,
    read: Reader[Any],
    section: str,
    help_: str,
    default_text: str | None = None,
    *,
    repr: bool = True,
) -> Any:
    """A field of the settings, with its variable."""
    variable = Variable(name, read, section, help_, default_text)
    return field(default=default, repr=repr, metadata={"variable": variable})
