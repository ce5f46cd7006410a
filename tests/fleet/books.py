"""The books of a fleet, read from outside: what each pod wrote down, and what the store knows."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import redis

from tests.crash.remains import Remains
from tests.fleet.pods import Pod


class Journals:
    """Those of all pods, each verified. Amounts are micro-dollars."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self.remains = [Remains(pod.data_dir) for pod in pods]
        for each in self.remains:
            each.look()

    @property
    def ends(self) -> list[dict[str, Any]]:
        """The records of all calls that ended."""
        return [end for each in self.remains for end in each.ends.values()]

    @property
    def outcomes(self) -> Counter[str]:
        """Of these."""
        return Counter(end["outcome"] for end in self.ends)

    def charged(self, account: str) -> int:
        """What calls were charged to an account."""
        return sum(end.get("charges", {}).get(account, 0) for end in self.ends)

    def told(self, *types: str) -> list[dict[str, Any]]:
        """All records of some types."""
        return [record for each in self.remains for record in each.told(*types)]


class Ledger(NamedTuple):
    """What the store has of all lines of money."""

    spent: int
    held: int  # by pods, and not spent


def ledger(port: int) -> Ledger:
    """As it lies there, for who knows nothing of scripts."""
    spent = held = 0
    with redis.Redis(port=port, decode_responses=True) as client:
        for name in client.scan_iter("*}:line:*"):
            line = client.hgetall(name)
            numbers = [
                int(each) for part in ("sums", "gone") for each in line.get(part, "").split()
            ]
            spent += sum(numbers[1::2])
            held += int(line["held"])
    return Ledger(spent, held)


async def told_by(pods: Iterable[Pod], budget: str) -> list[int]:
    """What each pod says that the whole fleet has spent."""
    found = []
    for pod in pods:
        (item,) = (await pod.asked(f"/v1/budgets?budget={budget}"))["items"]
        whole, _, cents = item["windows"][0]["spent"].partition(".")
        found.append(int(whole) * 1_000_000 + int(cents.ljust(6, "0")))
    return found
