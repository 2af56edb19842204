"""DS2413: one of its pins as an output on 1-Wire (Maxim 19-4916), through the kernel's w1_ds2413.

An open drain: on pulls the pin to ground, with 20 mA at most. Wiring and config:
hardware/ds2413_output.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from drivers.base import Action, Channel, CorruptData, Option, Value
from drivers.onewire import w1
from drivers.onewire.ds2413 import ADDRESS, LATCH_A, LATCH_B, check_address, status
from drivers.words import switch

THREAD = "onewire switches"
"""Without a bus these wait for no conversion of a thermometer."""


class Ds2413Output:
    SHARES = "ds2413"
    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "state"),)

    def __init__(
        self,
        *,
        address: ADDRESS,
        pin: Annotated[Literal["a", "b"], Option("PIOA or PIOB")],
        root: Annotated[str, Option("where sys is mounted, for use in a container")] = "/",
    ) -> None:
        check_address(address)
        self._address = address
        self._root = root
        self._latch = LATCH_A if pin == "a" else LATCH_B

    def parse(self, value: Value) -> bool:
        return switch(value)

    def start(self, value: Value | None) -> None:
        """value None: as it is found; after power-up that is off."""
        if value is None:
            self._status()
        else:
            self.set(value)

    def set(self, value: Value) -> None:
        """Both latches are written at once (PIO access write): the other keeps what it has."""
        now = self._status()
        latches = now & ~self._latch if value else now | self._latch
        output = bool(latches & LATCH_A) | bool(latches & LATCH_B) << 1
        path = w1.find(self._root, self._address) / "output"
        try:
            path.write_bytes(bytes([output]))
        except OSError as error:
            raise w1.explained(path, error) from error
        if self.state() != bool(value):
            raise CorruptData("the latch is not as it was written")

    def state(self) -> bool:
        return not self._status() & self._latch

    def close(self) -> None:
        """The chip keeps the level."""

    def safeguard(self, value: Value) -> Sequence[str]:
        path = Path(self._root, w1.DEVICES, self._address)
        mask = 1 if self._latch == LATCH_A else 2
        return (f"ds2413 {path} {mask} {0 if value else mask}",)

    def _status(self) -> int:
        return status(w1.read(w1.find(self._root, self._address) / "state"))


DRIVER = Ds2413Output
