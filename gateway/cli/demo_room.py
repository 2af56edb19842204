"""The demo's room: a heater that a key switches, and a cooler that a rule does. Pure."""

from __future__ import annotations

HEATING = 1.3  # °C a second
COOLING = 2.6
LEAKING = 0.02  # of the difference, a second
HOTTEST = 25.0  # °C above the room's own temperature


class Room:
    """warmth: °C by which it is warmer than it would be by itself."""

    def __init__(self) -> None:
        self.warmth = 0.0
        self.heated = False

    def pass_time(self, seconds: float, cooled: bool) -> None:
        change = HEATING * self.heated - COOLING * cooled - LEAKING * self.warmth
        self.warmth = min(HOTTEST, max(0.0, self.warmth + change * seconds))
