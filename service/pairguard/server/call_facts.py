"""What a call turned out to be, for the line and the figures that are kept of it.

Owns the way from the inside of a call out to its interceptor. It must not hold anything about a
participant: no id, no age, no text of the caller's.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from pairguard.server.callers import ANYBODY, Caller


@dataclass(slots=True)
class CallFacts:
    """Facts of one call; empty: not reached.

    Attributes:
        code: Name of the status code that the call ends with.
        caller: Who calls; its name is one that the operator gave.
        decision: ALLOW, REROUTE or BLOCK.
        leading_reason: Code of the reason that stands first, of the decision or the error.
        bundle_version: Version of the model bundle.
        policy_version: Version of the policy.
        degradations: What the call had to do without.
    """

    code: str = "OK"
    caller: Caller = ANYBODY
    decision: str = ""
    leading_reason: str = ""
    bundle_version: str = ""
    policy_version: str = ""
    degradations: tuple[str, ...] = ()


current_call: ContextVar[CallFacts] = ContextVar("current_call")
"""Facts of the call that this thread works on; set for every call of pairguard's services."""


def calling() -> Caller:
    """Return who makes the call that this thread works on; ``ANYBODY`` outside of any."""
    facts = current_call.get(None)
    return ANYBODY if facts is None else facts.caller
