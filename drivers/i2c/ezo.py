"""Atlas Scientific EZO circuits on I2C: pH, conductivity, redox, temperature of water.

EZO-pH data sheet V6.1, EZO-EC V6.4, EZO-ORP V5.3, EZO-RTD V4.2. Commands and answers are text; the
answer's first byte says how it went. Wiring, calibration and config: hardware/ezo.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from drivers.base import (
    Channel,
    CorruptData,
    I2CBus,
    NoAnswer,
    Option,
    OptionError,
    Quality,
    Reading,
    WrongDevice,
)  # fmt: skip

SUCCESS, SYNTAX_ERROR, PENDING, NO_DATA = 1, 2, 254, 255
ANSWER_MAX = 41
"""Bytes: the code, up to 39 characters, and the zero behind them."""

COMMAND_S = 0.3
POLL_S, POLLS = 0.2, 5

Kind = Literal["ph", "ec", "orp", "rtd"]

KINDS = {
    # address, seconds of a reading, channel, quantity, factor, range, what it calls itself
    "ph": (0x63, 0.9, "acidity", "acidity", 1.0, (0.0, 14.0), "pH"),
    "ec": (0x64, 0.6, "conductivity", "conductivity", 1.0, (0.07, 500000.0), "EC"),
    "orp": (0x62, 0.9, "redox", "voltage", 0.001, (-1.0199, 1.0199), "ORP"),
    "rtd": (0x66, 0.6, "temperature", "temperature", 1.0, (-126.0, 1254.0), "RTD"),
}
NO_PROBE_C = -1023.0
"""What an EZO-RTD says without a probe."""


class Ezo:
    """One reading takes the circuit 0.6 to 0.9 s."""

    def __init__(
        self,
        bus: I2CBus,
        *,
        measures: Annotated[Kind, Option("which circuit")],
        address: Annotated[
            int | None, Option("if it is not that of the circuit as it is sold", low=8, high=0x77)
        ] = None,
        temperature: Annotated[
            float | None, Option("of the water, which pH and EC allow for", "°C", low=0, high=100)
        ] = None,
    ) -> None:
        default, self._reading_s, channel, quantity, *_, self._name = KINDS[measures]
        if temperature is not None and measures not in ("ph", "ec"):
            raise OptionError("temperature: only pH and EC allow for it")
        self.channels: Sequence[Channel] = (Channel(channel, quantity),)
        self._bus = bus
        self._address = address or default
        self._kind = measures
        self._temperature = temperature

    def start(self) -> Generator[float, None, None]:
        """`?I,pH,1.98`: the circuit says what it is. An EC circuit must give EC first."""
        answer = yield from self._ask("I", COMMAND_S)
        fields = answer.split(",")
        if fields[0] != "?I" or len(fields) < 2 or fields[1].lower() != self._name.lower():
            raise WrongDevice(
                f"0x{self._address:02x} says {answer!r}, which is no EZO-{self._name}"
            )
        if self._kind == "ec":
            outputs = (yield from self._ask("O,?", COMMAND_S)).split(",")
            if outputs[:2] != ["?O", "EC"]:
                raise WrongDevice("the circuit does not give EC; send it the command O,EC,1")
        if self._temperature is not None:
            yield from self._ask(f"T,{self._temperature:.2f}", COMMAND_S)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        return [decode((yield from self._ask("R", self._reading_s)), self._kind)]

    def close(self) -> None:
        pass

    def _ask(self, command: str, seconds: float) -> Generator[float, None, str]:
        self._bus.write(self._address, command.encode("ascii"))
        yield seconds
        for _ in range(POLLS):
            answer = self._bus.read(self._address, ANSWER_MAX)
            if answer[0] != PENDING:
                return text_of(answer, command)
            yield POLL_S
        raise NoAnswer(f"0x{self._address:02x}: {command} is still pending")


def text_of(answer: bytes, command: str) -> str:
    """The text behind the response code, up to the first zero."""
    if answer[0] == SYNTAX_ERROR:
        raise CorruptData(f"the circuit does not know the command {command}")
    if answer[0] == NO_DATA:
        raise NoAnswer(f"no data: {command} did not arrive, or the circuit was reset")
    if answer[0] != SUCCESS:
        raise CorruptData(f"response code {answer[0]}")
    try:
        return answer[1:].partition(b"\0")[0].decode("ascii")
    except UnicodeDecodeError as error:
        raise CorruptData(f"{answer.hex()} is no text") from error


def decode(text: str, kind: Kind) -> Reading:
    """The first number of `9.560` or `1413,706`. Outside what the circuit can give: no value."""
    _, _, channel, _, factor, (low, high), _ = KINDS[kind]
    try:
        value = float(text.split(",")[0]) * factor
    except ValueError as error:
        raise CorruptData(f"{text!r} is no reading") from error
    if value <= NO_PROBE_C and kind == "rtd":
        return Reading(channel, None, Quality.BAD)
    # A dry EC probe says 0, a pH circuit without a probe wanders at the ends of its scale.
    good = low <= value <= high
    return Reading(channel, value, Quality.GOOD if good else Quality.UNCERTAIN)


DRIVER = Ezo
