"""How many commands of a topic are looked at: before anything is parsed. Pure.

Five times what an output takes (`gateway/gate.py`), so that an honest sender never meets it and
one that does too much is answered by control; a flood costs no more than its messages.
"""

from __future__ import annotations

from collections import OrderedDict

from gateway.link.pacing import TokenBucket

RATE = 25.0  # commands a second on one topic, in the long run
BURST = 50.0  # commands on one topic at once
TOPICS = 64
"""Topics that are remembered: an attacker can think of any number."""
TELL_EVERY = 60.0  # seconds


class Flood:
    def __init__(self) -> None:
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self._unread = 0
        self._told = float("-inf")

    def passes(self, topic: str, now: float) -> bool:
        """Whether one more command on this topic is looked at. now: monotonic seconds."""
        bucket = self._buckets.pop(topic, None) or TokenBucket(RATE, BURST)
        passes = bucket.available(now) >= 1
        bucket.spend(int(passes))
        self._buckets[topic] = bucket
        if len(self._buckets) > TOPICS:
            self._buckets.popitem(last=False)
        self._unread += not passes
        return passes

    def drops(self, topic: str, now: float) -> bool:
        """Whether `passes` would refuse it, and has to be asked no more; counted like that."""
        bucket = self._buckets.get(topic)
        drops = bucket is not None and bucket.available(now) < 1
        self._unread += drops
        return drops

    def report(self, now: float) -> str:
        """What is to be logged, at most once in TELL_EVERY; "" for nothing."""
        if not self._unread or now - self._told < TELL_EVERY:
            return ""
        count, self._unread, self._told = self._unread, 0, now
        return f"a flood of commands: {count} were not looked at, {RATE:.0f} a second and topic are"
