"""What a reply is to a circuit."""

from collections.abc import Container

from proxy.reply import Failure, Reply, Result
from proxy.state.circuit import Event
from proxy.symptom import Symptom, symptom_of

_OURS = frozenset({Failure.OVERLOADED, Failure.EXPIRED})
"""Limits of our own. Were a long stream a failure, an agent could open circuits by listening."""

_EVENTS = {
    Result.SUCCESS: Event.SUCCESS,
    Result.FAILURE: Event.FAILURE,
    Result.TRUNCATED: Event.FAILURE,
    Result.THROTTLED: Event.THROTTLED,
    Result.CALLER_ERROR: Event.ANSWERED,
    Result.CANCELLED: Event.NOTHING,
}


def event_of(reply: Reply, counted: Container[Symptom] | None) -> Event:
    """By the protocol's word; `counted`: what a policy has as failures instead, and nothing
    else."""
    if reply.result is None or reply.failure in _OURS:
        return Event.NOTHING
    event = Event.ANSWERED if reply.pending else _EVENTS[reply.result]
    if counted is None or event is Event.NOTHING:
        return event
    if symptom_of(reply) in counted:
        return Event.FAILURE
    if event is Event.FAILURE:  # the policy has it that this one is none
        return Event.ANSWERED if reply.status else Event.NOTHING
    return event
