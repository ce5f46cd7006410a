"""Who holds a reservation for calls that may come."""

from typing import Protocol


class Reserves(Protocol):
    """Holds a reservation for calls that may come (`state/till.py`)."""

    def close(self) -> None:
        """Give back what is left of it, and let it be known what was spent."""
