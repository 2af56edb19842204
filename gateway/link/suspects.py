"""Which message does the broker hang up on? Pure.

Some brokers close the connection instead of refusing a message, and would for ever (traps of a
packet limit that is nowhere announced, of a topic that is not allowed over MQTT 3.1.1).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.model import Key

Name = Key | str
"""An entry, or the topic of a notice."""
Message = tuple[Name, ...]
"""What one message carries: a notice, an entry, or a batch of them."""

STRIKES_TO_WATCH = 2
STRIKES_OUT = 3
CERTAIN_AFTER = 10.0
"""Seconds over which an entry has to be the one: a line that flaps may be cut three times running
in the same moment, and what is shelved waits for somebody to come."""


class Suspects:
    """Finds the message without blaming a bad network.

    A drop by the broker while messages are in flight is a strike against all of them. After two,
    messages go one at a time. Three drops in a row, each by the broker, each while the same message
    was alone in flight on a connection that had carried others, and it is the message; an entry,
    which goes to the shelf for it, has ten seconds to be answered. When everything that was in
    flight at a drop has been answered, nobody is suspected any more.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._drops = 0
        self.watched: set[Name] = set()
        """Those that have a strike against them."""
        self._alone: Message = ()
        self._strikes = 0
        self._since = 0.0

    @property
    def one_at_a_time(self) -> bool:
        return self._drops >= STRIKES_TO_WATCH

    def answered(self, names: Collection[Name]) -> None:
        """The broker lives on, having seen these."""
        self.watched.difference_update(names)
        if not self.watched:
            self.clear()
        elif any(name in names for name in self._alone):
            self._alone, self._strikes = (), 0

    def dropped(
        self, in_flight: Sequence[Message], by_broker: bool, proven: bool, now: float
    ) -> Message | None:
        """The connection ended. The guilty message, if it is found out.

        by_broker: the broker closed; proven: it had answered something on this connection. now:
        monotonic seconds.
        """
        if not in_flight or not by_broker or not proven:
            return None
        self._drops += 1
        self.watched.update(name for message in in_flight for name in message)
        if len(in_flight) > 1:
            return None
        if in_flight[0] != self._alone:
            self._alone, self._strikes, self._since = in_flight[0], 0, now
        self._strikes += 1
        if self._strikes < STRIKES_OUT or now < self._since + _patience(in_flight[0]):
            return None
        self.clear()
        return in_flight[0]


def _patience(message: Message) -> float:
    """A notice is left out, and a batch made smaller, without harm."""
    (first, *rest) = message
    return 0.0 if rest or isinstance(first, str) else CERTAIN_AFTER
