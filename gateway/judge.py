"""What a verdict on a command depends on: who gave it, to what, and how things are there.

Part of control, and used in its thread alone. `appliances.consider` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, replace

from gateway import appliances, orders
from gateway.appliances import Situation
from gateway.clock import Clock
from gateway.limits import Output
from gateway.model import Action, Command, Proof, Result
from gateway.orders import Order
from gateway.outputs import Outputs
from gateway.state import Store

NOT_SIGNED = "only a signed command is taken here"


@dataclass(frozen=True, slots=True)
class Authority:
    """roles_of: those of the one who signed; ValueError says why a signature does not count. None
    where nobody has a key. signed_by: the roles that may command the gateway itself, empty: any."""

    roles_of: Callable[[Proof], frozenset[str]] | None = None
    signed_by: frozenset[str] = frozenset()


class Judge:
    """nonce: the session's. allowed: commands to the gateway itself."""

    def __init__(
        self,
        outputs: Outputs,
        store: Store,
        clock: Clock,
        nonce: Callable[[], str],
        allowed: Container[str],
        authority: Authority,
    ) -> None:
        self._outputs = outputs
        self._store = store
        self._clock = clock
        self._nonce = nonce
        self._allowed = allowed
        self._authority = authority

    def situation_of(self, command: Command) -> tuple[Command, Order | None, Situation]:
        """The command with its value as the output takes it; the order that one to the gateway is.

        ValueError says what is wrong with it; StateFault.
        """
        if not command.device:
            order, situation = self._for_gateway(command)
            return command, order, situation
        command, situation = self._for_output(command)
        return command, None, situation

    def _signed_by(self, command: Command) -> frozenset[str]:
        if not command.device:
            return self._authority.signed_by
        appliance = self._outputs.appliances.get(command.device)
        if appliance is None:
            raise ValueError("no such appliance")
        return appliance.signed_by

    def identified(self, command: Command) -> tuple[Command, str]:
        """The command with who gave it as its source, and why they may not, empty if they may.

        It comes before all else: nothing is told to one whose signature does not count. ValueError
        says why it does not.
        """
        signed_by = self._signed_by(command)
        if appliances.is_local(command):
            return command, ""
        if command.proof is None:
            if signed_by:
                raise ValueError(NOT_SIGNED)
            return command, ""
        if self._authority.roles_of is None:
            raise ValueError("no commander is known here, so a signature means nothing")
        roles = self._authority.roles_of(command.proof)
        name = command.proof.commander
        command = replace(command, source=f"mqtt {name}")
        if signed_by and not roles & signed_by:
            return command, f"{name} may not: it takes one of {', '.join(sorted(signed_by))}"
        return command, ""

    def _for_output(self, command: Command) -> tuple[Command, Situation]:
        appliance = self._outputs.appliances[command.device]
        known = self._outputs.known[command.device]
        situation = replace(
            self._situation(command),
            locked=self._outputs.locked is not None,
            running=command.id in known.running,
            limits=appliance.limits,
            output=known.output,
            action=appliance.action,
            group=self._outputs.group_of(command.device),
            burden=self._outputs.burden_of(command.device),
        )
        return replace(command, value=appliance.parse(command.value)), situation

    def _for_gateway(self, command: Command) -> tuple[Order, Situation]:
        order = orders.parse(command.value, self._allowed)
        return order, replace(self._situation(command), limits=orders.limits_of(order))

    def _situation(self, command: Command) -> Situation:
        """Of a command that is done once, at once, and whatever the outputs do."""
        stamp = self._clock.stamp()
        found = self._store.known(command.device, command.id, stamp)
        return Situation(
            now=self._clock.monotonic(),
            stamp=stamp,
            nonce=self._nonce(),
            locked=False,
            known=found if isinstance(found, Result) else None,
            running=False,
            amnesia=bool(self._store.reset),
            limits=orders.NO_LIMITS,
            output=Output(),
            action=Action.PULSE,
            group={},
        )
