"""Reading the input of a tool, with an error that names the field and says what is allowed."""

from collections.abc import Collection, Mapping

from proxy.lab.sandbox.errors import invalid
from proxy.lab.sandbox.money import dollars, micros_of

LONGEST_TEXT = 1024


class Fields:
    """The input object of one call.

    A field may go by several names, since gateways differ (`payer_agent_id`, `payer_id`, …);
    the first one that is given counts, and errors use the first of the list. Every reader
    raises GatewayError 400. Unknown fields are left alone: agents send more than a tool reads.
    """

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given

    def text(self, *names: str) -> str:
        """A string that must be there."""
        found = self.optional_text(*names)
        if found is None:
            raise invalid(names[0], "required")
        return found

    def optional_text(self, *names: str) -> str | None:
        """A string that is not empty, or None."""
        found = self._find(names)
        if found is None:
            return None
        if not isinstance(found, str) or not 0 < len(found) <= LONGEST_TEXT:
            raise invalid(names[0], f"must be a string of 1 to {LONGEST_TEXT} characters")
        return found

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of the words allowed, or None."""
        found = self.optional_text(name)
        if found is not None and found not in allowed:
            raise invalid(name, f"must be one of {', '.join(allowed)}")
        return found

    def amount(self, *names: str, least_micros: int = 1) -> int:
        """Micro-dollars that must be there."""
        found = self.optional_amount(*names, least_micros=least_micros)
        if found is None:
            raise invalid(names[0], "required")
        return found

    def optional_amount(self, *names: str, least_micros: int = 0) -> int | None:
        """Micro-dollars, or None."""
        found = self._find(names)
        if found is None:
            return None
        try:
            micros = micros_of(found)
        except ValueError as error:
            raise invalid(names[0], str(error)) from None
        if micros < least_micros:
            raise invalid(names[0], f"must be at least {dollars(least_micros)}")
        return micros

    def whole(self, *names: str, least: int, most: int) -> int | None:
        """A whole number within the bounds, or None."""
        found = self._find(names)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise invalid(names[0], f"must be a whole number from {least} to {most}")
        return found

    def anything(self, *names: str) -> object:
        """Whatever was given, or None."""
        return self._find(names)

    def is_null(self, *names: str) -> bool:
        """Was one of them given as null, and none with a value?"""
        return self._find(names) is None and any(name in self._given for name in names)

    def _find(self, names: tuple[str, ...]) -> object:
        return next(
            (self._given[name] for name in names if self._given.get(name) is not None), None
        )
