"""What of a reading is worth keeping, and how far it can be believed.

Pure: state machines that are given a reading and the time. One `ChannelFilter` a channel with a
`[device.filter.CHANNEL]` table, one `Total` a counter channel.
"""

from __future__ import annotations

import math

from gateway.model import Quality, Reading


class Total:
    """A count that survives restarts: the driver counts from its start, this adds what was before.

    It never runs backwards: a driver that begins again at a lower count (it was restarted, or its
    chip lost power) continues from where the sum stood.
    offset is added to what is told, and not to what is kept, so that it may be corrected.
    """

    def __init__(self, total: float = 0.0, offset: float = 0.0) -> None:
        self._base = total
        self._offset = offset
        self._seen = 0.0
        self._told: float | None = None
        self._kept = total

    def add(self, count: float) -> float:
        """count since the driver started, >= 0. Gives the sum over all starts, and the offset."""
        if count < self._seen:
            self._base += self._seen
        self._seen = count
        return self._base + count + self._offset

    @property
    def value(self) -> float:
        """The sum over all starts, without the offset: what is kept."""
        return self._base + self._seen

    def moved(self) -> bool:
        """Whether the sum is another than at the last call: a meter that stands costs nothing."""
        told, self._told = self._told, self.value
        return told != self._told

    def to_keep(self) -> float | None:
        """The sum, if it is another one than was given at the last call."""
        if self._kept == self.value:
            return None
        self._kept = self.value
        return self._kept


class ChannelFilter:
    """Plausibility, then averaging, then the deadband. All values in the channel's unit.

    deadband: a change smaller than this is not worth a reading; 0: every reading is.
    max_silence: seconds after which an unchanged value is told all the same.
    average: seconds over which the mean is taken; 0: none.
    low, high: outside, the quality becomes bad. max_rate: a faster change per second is uncertain.
    """

    def __init__(
        self,
        *,
        deadband: float = 0.0,
        max_silence: float = 3600.0,
        average: float = 0.0,
        low: float | None = None,
        high: float | None = None,
        max_rate: float | None = None,
    ) -> None:
        self._deadband = deadband
        self._max_silence = max_silence
        self._average = average
        self._low = low
        self._high = high
        self._max_rate = max_rate
        self._last_raw: tuple[float, float] | None = None
        self._sum = 0.0
        self._count = 0
        self._window_start: float | None = None
        self._told: Reading | None = None
        self._told_at = 0.0

    def apply(self, reading: Reading, now: float) -> Reading | None:
        """The reading as it should be recorded, or None if it says nothing new."""
        return self.worth(self.judged(reading, now), now)

    def worth(self, reading: Reading, now: float) -> Reading | None:
        """Of one that was judged: as it should be recorded, or None if it says nothing new."""
        if self._average > 0:
            mean = self._averaged(reading, now)
            if mean is None:
                return None
            reading = mean
        return self._if_new(reading, now)

    def judged(self, reading: Reading, now: float) -> Reading:
        """With the quality that its plausibility leaves it."""
        value = _number(reading)
        if value is None:
            return reading
        if (self._low is not None and value < self._low) or (
            self._high is not None and value > self._high
        ):
            return reading._replace(quality=Quality.BAD)
        last, self._last_raw = self._last_raw, (value, now)
        if last is not None and self._max_rate is not None and now > last[1]:
            rate = abs(value - last[0]) / (now - last[1])
            if rate > self._max_rate and reading.quality is Quality.GOOD:
                return reading._replace(quality=Quality.UNCERTAIN)
        return reading

    def _averaged(self, reading: Reading, now: float) -> Reading | None:
        """The mean when its time is over, else None. What is not good is told as it is, at once."""
        value = _number(reading)
        if value is None or reading.quality is not Quality.GOOD:
            return reading
        if self._window_start is None:
            self._window_start = now
        self._sum += value
        self._count += 1
        if now - self._window_start < self._average:
            return None
        mean = self._sum / self._count
        self._sum, self._count, self._window_start = 0.0, 0, None
        return reading._replace(value=mean)

    def _if_new(self, reading: Reading, now: float) -> Reading | None:
        if self._told is not None and not self._is_news(self._told, reading, now):
            return None
        self._told, self._told_at = reading, now
        return reading

    def _is_news(self, told: Reading, reading: Reading, now: float) -> bool:
        if self._deadband <= 0 or told.quality is not reading.quality:
            return True
        if now - self._told_at >= self._max_silence:
            return True
        old, new = _number(told), _number(reading)
        if old is None or new is None:
            return told.value != reading.value
        return abs(new - old) >= self._deadband


def _number(reading: Reading) -> float | None:
    """The value as a number, or None for a text, a state, or no value."""
    if isinstance(reading.value, bool) or not isinstance(reading.value, int | float):
        return None
    return float(reading.value)


def finite(reading: Reading) -> Reading:
    """A number that is none (NaN, infinite) is no value: a bad sensor, and nothing JSON can say."""
    if isinstance(reading.value, float) and not math.isfinite(reading.value):
        return reading._replace(value=None, quality=Quality.BAD)
    return reading


def rounded(reading: Reading, digits: int) -> Reading:
    """With the decimal places that carry information; whole numbers and texts stay as they are."""
    if isinstance(reading.value, float):
        return reading._replace(value=round(reading.value, digits))
    return reading
