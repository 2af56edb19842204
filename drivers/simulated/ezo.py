"""Atlas Scientific EZO: commands and answers as text, a code in front (EZO-pH data sheet V6.1)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander

PENDING, NO_DATA, SYNTAX_ERROR, SUCCESS = 254, 255, 2, 1


class Ezo:
    """The value may be set at any time."""

    def __init__(
        self,
        value: Signal | None = None,
        *,
        name: str = "pH",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.value = wander(6.9, 0.4, 64, clock) if value is None else value
        self.name = name
        self.temperature = 25.0
        self._clock = clock
        self._ready = 0.0
        self._answer = bytes([NO_DATA])

    def write(self, data: bytes) -> None:
        command = data.decode("ascii")
        seconds, text = 0.3, ""
        if command == "R":
            seconds, text = 0.9, f"{present(self.value):.3f}"
        elif command == "I":
            text = f"?I,{self.name},1.98"
        elif command == "O,?":
            text = f"?O,{self.name}"
        elif command.startswith("T,"):
            self.temperature = float(command[2:])
        else:
            self._answer = bytes([SYNTAX_ERROR])
            return
        self._ready = self._clock() + seconds
        self._answer = bytes([SUCCESS]) + text.encode("ascii") + b"\0"

    def read(self, count: int) -> bytes:
        if self._clock() < self._ready:
            return bytes([PENDING]).ljust(count, b"\0")
        answer, self._answer = self._answer, bytes([NO_DATA])
        return answer[:count].ljust(count, b"\0")


CHIP = Ezo
