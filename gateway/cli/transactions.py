"""A capture of an I2C or SPI device: every transfer, in turn, as text; and a bus that plays one.

    # tidegate transfers 1
    # device {"name": "room", "driver": "bme280", "options": {"address": 118}}
    0.000 76 ask d0 -> 60
    0.001 76 write e0b6
    0.004 44 read - -> 6666a2
    0.005 44 read - ! NoAnswer: no answer at 0x44 on /dev/i2c-1
    0.006 spi transfer 018000 -> 000155

Seconds since the start, address in hexadecimal (`spi`: the chip select), what was written (`-`:
nothing), what came back or what went wrong. Pure but for `Recorder`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drivers import base
from drivers.base import BusFault, DriverError, I2CBus, SPIBus
from gateway.settings import DeviceSettings

HEAD = "# tidegate transfers 1"
DEVICE = "# device "
LINE = re.compile(
    r"(?P<seconds>\d+\.\d+) (?P<at>[0-9a-f]{2}|spi) (?P<verb>write|read|ask|transfer) "
    r"(?P<written>-|(?:[0-9a-f]{2})+)"
    r"(?: -> (?P<answer>(?:[0-9a-f]{2})*)| ! (?P<kind>\w+): (?P<text>.*))?"
)


class NoTransfers(ValueError):
    """The text is no such capture; the message says where."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer. error: the name of its class in drivers.base, "" for none."""

    seconds: float
    at: str
    verb: str
    written: bytes
    answer: bytes = b""
    error: str = ""
    text: str = ""

    def __str__(self) -> str:
        head = f"{self.seconds:.3f} {self.at} {self.verb} {self.written.hex() or '-'}"
        if self.error:
            return f"{head} ! {self.error}: {self.text}"
        return head if self.verb == "write" else f"{head} -> {self.answer.hex()}"


def head(device: DeviceSettings) -> str:
    """The first lines of a file: enough to make the device again."""
    options = {name: _plain(value) for name, value in device.options.items()}
    what = {"name": device.name, "driver": device.driver, "options": options}
    return f"{HEAD}\n{DEVICE}{json.dumps(what, ensure_ascii=False)}"


def _plain(value: Any) -> Any:
    """An option as TOML would have it: what is unset is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def is_transfers(text: str) -> bool:
    return text.startswith(HEAD)


def parsed(text: str) -> tuple[dict[str, Any], list[Transfer]]:
    """The device, and what was transferred. NoTransfers names the first line that is none."""
    device: dict[str, Any] = {}
    transfers = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(DEVICE):
            device = json.loads(line.removeprefix(DEVICE))
        elif line and not line.startswith("#"):
            transfers.append(_transfer(line, number))
    if not device:
        raise NoTransfers(f'no line "{DEVICE.strip()}" says which device it is')
    return device, transfers


def _transfer(line: str, number: int) -> Transfer:
    match = LINE.fullmatch(line.rstrip())
    if match is None:
        raise NoTransfers(f"line {number} is no transfer: {line[:60]!r}")
    written = b"" if match["written"] == "-" else bytes.fromhex(match["written"])
    answer = bytes.fromhex(match["answer"] or "")
    seconds = float(match["seconds"])
    return Transfer(
        seconds,
        match["at"],
        match["verb"],
        written,
        answer,
        match["kind"] or "",
        match["text"] or "",
    )


class Recorder:
    """An I2CBus and SPIBus that tells what passes through it."""

    def __init__(
        self, bus: I2CBus | SPIBus, tell: Callable[[Transfer], None], clock: Callable[[], float]
    ) -> None:
        self._bus: Any = bus
        self._tell = tell
        self._clock = clock
        self._begun = clock()

    def read(self, address: int, count: int) -> bytes:
        return self._noted(f"{address:02x}", "read", b"", lambda: self._bus.read(address, count))

    def write(self, address: int, data: bytes) -> None:
        self._noted(f"{address:02x}", "write", data, lambda: self._bus.write(address, data))

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        at = f"{address:02x}"
        return self._noted(at, "ask", data, lambda: self._bus.write_read(address, data, count))

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        def do() -> bytes:
            answer: bytes = self._bus.transfer(data, mode=mode, hertz=hertz)
            return answer

        return self._noted("spi", "transfer", data, do)

    def _noted(self, at: str, verb: str, data: bytes, do: Callable[[], bytes | None]) -> bytes:
        seconds = self._clock() - self._begun
        try:
            answer = do() or b""
        except DriverError as error:
            name, text = type(error).__name__, str(error).replace("\n", " ")
            self._tell(Transfer(seconds, at, verb, data, error=name, text=text))
            raise
        self._tell(Transfer(seconds, at, verb, data, answer))
        return answer


class Played(DriverError):
    """The driver did something else than the capture has; the message says what."""


class Player:
    """An I2CBus and SPIBus that gives what a capture has, and insists on its order."""

    def __init__(self, transfers: list[Transfer]) -> None:
        self._left: Iterator[Transfer] = iter(transfers)
        self.next = next(self._left, None)

    def read(self, address: int, count: int) -> bytes:
        return self._take(f"{address:02x}", "read", b"", count)

    def write(self, address: int, data: bytes) -> None:
        self._take(f"{address:02x}", "write", data, 0)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        return self._take(f"{address:02x}", "ask", data, count)

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        return self._take("spi", "transfer", data, len(data))

    def _take(self, at: str, verb: str, written: bytes, count: int) -> bytes:
        wanted, self.next = self.next, next(self._left, None)
        did = f"{at} {verb} {written.hex() or '-'}"
        if wanted is None:
            raise Played(f"the capture is at its end, and the driver does: {did}")
        if (wanted.at, wanted.verb, wanted.written) != (at, verb, written):
            raise Played(f"the driver does {did!r}, the capture has {str(wanted)!r}")
        if wanted.error:
            kind = getattr(base, wanted.error, BusFault)
            raise (kind if issubclass(kind, DriverError) else BusFault)(wanted.text)
        if len(wanted.answer) != count:
            raise Played(f"the driver reads {count} bytes, the capture has {str(wanted)!r}")
        return wanted.answer
