"""A token that does not show itself: printing, logging or pickling it by mistake yields `***`."""

import hashlib


class Secret:
    """A string that must not be seen; `reveal()` is the one way to its value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for a header or for sealing, never for text that people read."""
        return self._value

    def fingerprint(self) -> str:
        """The first 32 hex digits of the value's SHA-256: equal for equal values, and says no
        more.
        """
        return hashlib.sha256(self._value.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
