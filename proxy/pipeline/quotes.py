"""What a call costs and what is left, for those who only ask: expressions of policies."""

from proxy.call import Call
from proxy.protocols.condition import Condition
from proxy.refusal import Refusal
from proxy.stage import Ground, Target
from proxy.stages.budget import Budgets, payers_of
from proxy.state.price import meant
from proxy.state.spent_out import standing


class Quotes:
    """Of the calls of one pipeline; called as a `Quote`."""

    __slots__ = ("_otherwise", "_payers", "_price", "_wall", "_when")

    def __init__(self, section: Budgets, target: Target, ground: Ground) -> None:
        self._payers = payers_of(section, target, ground)
        self._price, self._otherwise = section.price, section.otherwise
        self._when = Condition.on(section.when, section.policy, "cost", ground)
        self._wall = ground.clock.fast_wall

    def __call__(self, call: Call) -> tuple[float, float]:
        """Part of Quote. No account is opened."""
        found, _ = self._payers.seen(call)
        now = self._wall()
        left = (1.0 - account.used_at(now) for _, account in found if account is not None)
        return self._amount(call) / 1e6, max(0.0, min(left, default=1.0))

    def full(self, call: Call) -> Refusal | None:
        """Part of Quote."""
        found, _ = self._payers.seen(call)
        strict = [(cap, account) for cap, account in found if cap.on_exceed != "approve"]
        _, refusal = standing(strict, self._amount(call), self._wall())
        return refusal

    def _amount(self, call: Call) -> int:
        price, now = self._price, self._wall()
        if self._when is not None:
            price = meant(self._when.look(call), price, self._otherwise, call, now)
        return price.estimate_of(call, now)
