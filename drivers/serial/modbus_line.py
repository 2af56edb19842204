"""The master's side of Modbus: one request and its answer at a time on an open port.

Modbus over Serial Line V1.02, 2.5.1.1: frames are 3.5 character times apart, and 1.75 ms above
19200 baud; 2.4.1: a master waits for the answer or its time-out.

A call holds the thread of its bus until it has the answer or gave up. That thread belongs to the
line, and a half-duplex line can do nothing else meanwhile, so nothing is lost by it; a wait for
bytes in the kernel costs one wake-up where polling would cost one every few milliseconds.
"""

from __future__ import annotations

import time

from drivers.base import CorruptData, LineSettings, NoAnswer, SerialPort
from drivers.serial.modbus_frame import (
    ACKNOWLEDGE,
    DEVICE_BUSY,
    Broken,
    ModbusException,
    Request,
    rtu_answer,
    rtu_frame,
    rtu_length,
    rtu_missing,
    tcp_answer,
    tcp_packet,
)

FASTEST_COUNTED = 19200
SILENCE_ABOVE_S = 0.00175
SILENCE_CHARACTERS = 3.5
QUIET_S = 0.1
"""No byte for so long after as many as were expected: what came is all there is."""
HEARD_MAX = 1024
BUSY_S = 0.2


def silence(line: LineSettings) -> float:
    """Seconds between two frames."""
    if line.baudrate > FASTEST_COUNTED:
        return SILENCE_ABOVE_S
    return SILENCE_CHARACTERS * character(line)


def character(line: LineSettings) -> float:
    """Seconds of one character, with start, parity and stop bits."""
    bits = 1 + line.bytesize + (line.parity != "N") + line.stopbits
    return bits / line.baudrate


class Line:
    """framing: "rtu" or "tcp". timeout: seconds for the answer to begin. retries: after a bad or
    missing answer of a device that has answered before. pause: seconds of rest before a request.
    echo: the adapter gives back what is sent.
    """

    def __init__(
        self,
        port: SerialPort,
        line: LineSettings,
        *,
        framing: str,
        timeout: float,
        retries: int,
        pause: float,
        echo: bool,
    ) -> None:
        self._port = port
        self._line = line
        self._tcp = framing == "tcp"
        self._timeout = timeout
        self._retries = retries
        self._rest = pause if self._tcp else max(pause, silence(line))
        self._echo = echo
        self._answers = False
        self._transaction = 0

    def open(self) -> None:
        """For a new start: a connection that may be dead is made anew."""
        if self._tcp:
            self._port.close()
        self._port.open(self._line)

    def ask(self, request: Request) -> bytes:
        """The body of the answer. NoAnswer, CorruptData, ModbusException, BusMissing, BusFault."""
        for left in range(self._retries if self._answers else 0, -1, -1):
            try:
                answer = self._exchange(request)
            except ModbusException as error:
                self._answers = True
                if error.code not in (ACKNOWLEDGE, DEVICE_BUSY) or not left:
                    raise
                time.sleep(BUSY_S)
            except (NoAnswer, CorruptData):
                if not left:
                    self._answers = False
                    raise
                self._let_late_ones_pass()
            else:
                self._answers = True
                return answer
        raise AssertionError("the loop returns or raises")

    def _exchange(self, request: Request) -> bytes:
        self._port.open(self._line)  # another device of the bus may speak otherwise
        time.sleep(self._rest)
        self._port.discard()
        return self._by_tcp(request) if self._tcp else self._by_rtu(request)

    def _let_late_ones_pass(self) -> None:
        """An answer after its time-out must not be taken for that of the next request: RTU answers
        bear no number. Until the line has been quiet for as long as an answer may take."""
        if not self._tcp:
            for _ in range(8):
                if not self._port.read(HEARD_MAX, self._timeout):
                    break

    def _by_rtu(self, request: Request) -> bytes:
        frame = rtu_frame(request)
        self._port.write(frame)
        skip = len(frame) if self._echo else 0
        whole = rtu_length(request)
        patience = (len(frame) + skip + whole) * character(self._line) + self._timeout
        deadline = time.monotonic() + patience
        heard = b""
        while len(heard) < HEARD_MAX:
            left = deadline - time.monotonic()
            if len(heard) >= skip + whole:
                left = min(left, QUIET_S)
            wanted = max(skip - len(heard), 0) + rtu_missing(heard[skip:], request)
            more = self._port.read(wanted, left) if left > 0 else b""
            if not more:
                break
            heard += more
            answer = rtu_answer(heard[skip:], request)
            if answer is not None:
                return answer
        raise _unanswered(heard[skip:], request)

    def _by_tcp(self, request: Request) -> bytes:
        self._transaction = self._transaction % 0xFFFF + 1
        self._port.write(tcp_packet(request, self._transaction))
        deadline = time.monotonic() + self._timeout
        heard = b""
        try:
            answer, missing = tcp_answer(heard, request, self._transaction)
            while answer is None:
                left = deadline - time.monotonic()
                more = self._port.read(missing, left) if left > 0 else b""
                if not more:
                    raise _unanswered(heard, request)
                heard += more
                answer, missing = tcp_answer(heard, request, self._transaction)
        except Broken as error:
            self._port.close()
            raise CorruptData(str(error)) from error
        except (NoAnswer, CorruptData):
            self._port.close()  # a connection that died without a word looks just like this
            raise
        return answer


def _unanswered(heard: bytes, request: Request) -> NoAnswer | CorruptData:
    if not heard:
        return NoAnswer(f"unit {request.unit} does not answer")
    what = f"{len(heard)} bytes from {heard[:8].hex(' ')}"
    if heard[0] != request.unit:
        return CorruptData(f"no answer of unit {request.unit} but {what}")
    if len(heard) < rtu_length(request):
        return CorruptData(f"unit {request.unit}: the answer is cut off or not the one: {what}")
    return CorruptData(f"unit {request.unit}: wrong checksum: {what}")
