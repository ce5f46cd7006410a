"""An expression of a policy, asked of calls: what it is shown, and what its answer means."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from proxy.call import Call, tokens_of
from proxy.counts import EXPRESSION_ERRORS
from proxy.expression import Expression
from proxy.protocols.arguments import KEPT, Arguments
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.stage import Ground, Quote, Site, no_quote


class Condition:
    """A condition in force: an expression at one place of one policy.

    Whoever asks it has three answers to think of, and a fourth where the call's arguments count: it
    holds, it does not, it failed (None). Then a restriction counts as matched, a permission not.
    """

    __slots__ = ("_errors", "_expression", "_policy", "_reads", "_where")

    def __init__(
        self,
        expression: Expression,
        policy: str,
        where: str,
        ground: Ground,
        quote: Quote = no_quote,
    ) -> None:
        """`where` is the section, as it stands in the metric of failures; `quote` knows what a call
        costs."""
        self._expression = expression
        self._policy = policy
        self._where = where
        # Not `ground.kept`: one that fails in a shadow will fail in force.
        self._errors = ground.keep.of(EXPRESSION_ERRORS.key, EXPRESSION_ERRORS.counts)
        readers = _readers(expression, ground, quote)
        self._reads = tuple((name, readers[name]) for name in sorted(expression.uses))

    @classmethod
    def of(cls, when: Expression | None, where: str, site: Site) -> "Condition | None":
        """That of a section, for the stage that is built of it; None where it has none."""
        return None if when is None else cls(when, site.policy, where, site.ground, site.quote)

    @classmethod
    def on(
        cls, when: Expression | None, policy: str, where: str, ground: Ground
    ) -> "Condition | None":
        """That of a price or a budget, which may not ask what a call costs; None where it has
        none."""
        return None if when is None else cls(when, policy, where, ground)

    def holds(self, call: Call) -> bool | Refusal | None:
        """Does it hold for this call? A refusal: its arguments can be read in more than one way.

        A failure is counted.
        """
        answer = self.look(call)
        if answer is None:
            self._errors.add(self._policy, self._where)
        return answer

    def look(self, call: Call) -> bool | Refusal | None:
        """The same for who only wants to know: nothing is counted."""
        try:
            return self._expression.holds({name: read(call) for name, read in self._reads})
        except NotADocument:
            return None
        except Ambiguous as why:
            return Refusal("ambiguous_call", str(why), policy=self._policy)
        except Exception:  # a clock that shows no date, a length that is not known
            return None


def _readers(
    expression: Expression, ground: Ground, quote: Quote
) -> dict[str, Callable[[Call], Any]]:
    """How each variable is read of a call. What cannot be read raises."""
    members, names = expression.members, expression.names

    def given(call: Call) -> Any:
        read = call.arguments or _read(call)
        read.check(names)
        return read.shown(members["input"])

    return {
        "input": given,
        "tool": lambda call: call.tool,
        "agent": lambda call: call.agent,
        "fleet": lambda call: call.fleet,
        "workflow": lambda call: call.workflow,
        "upstream": lambda call: call.upstream,
        "model": lambda call: call.model,
        "layer": lambda call: call.layer,
        "method": lambda call: call.method,
        "path": lambda call: call.path,
        "headers": lambda call: _headers(call, members["headers"]),
        "tokens": _tokens,
        "now": lambda _: datetime.fromtimestamp(ground.clock.wall(), UTC),
        "cost": lambda call: quote(call)[0],
        "budget.remaining": lambda call: quote(call)[1],
    }


def _read(call: Call) -> Arguments:
    read = PROTOCOLS[call.protocol].arguments(call)
    if read.size <= KEPT:
        call.arguments = read
    return read


def _headers(call: Call, names: frozenset[str] | None) -> dict[str, str]:
    fields = call.head.fields
    if names is None:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items()}
    found = ((name, fields.get(name.encode())) for name in names)
    return {name: value.decode("latin-1") for name, value in found if value is not None}


def _tokens(call: Call) -> int:
    """The estimate. Raises ValueError where a body still comes, and does not say how long it is:
    the least that there is would let every such call pass for a small one."""
    if call.head.chunked and call.body.whole is None:
        raise ValueError("a body that still comes")
    return tokens_of(call)
