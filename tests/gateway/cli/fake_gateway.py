"""A gateway as its consumers see it: messages and nothing else, with faults on demand."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.messages import Fact, Notice, Numbered, Status


class FakeGateway:
    """Numbers entries and says of them what a truthful gateway says, except for those that `lose`
    takes: these vanish without a word.

    facts: what has been sent and not yet been handed out. lost, wide: for the test to compare with.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.epoch = 1
        self.seq = 0
        self.live: list[tuple[int, int, float]] = []
        self.history: list[tuple[int, int, float]] = []
        self.sent: list[Fact] = []
        self.lost: list[tuple[int, int]] = []
        self.wide = False
        self.life = 0.0
        """What is measured in it is another thing than in any other life."""
        self._facts: list[Fact] = [Status("g", "", True)]

    def facts(self) -> Iterator[Fact]:
        facts, self._facts = self._facts, []
        yield from facts

    def record(self) -> None:
        self.seq += 1
        self.live.append((self.epoch, self.seq, self.now))

    def send_live(self) -> None:
        self._send(self.live, "live")

    def send_history(self) -> None:
        self._send(self.history, "history")

    def _send(self, lane: list[tuple[int, int, float]], name: str) -> None:
        if lane:
            epoch, seq, _ = lane.pop(0)
            self._publish(self._entry(epoch, seq, name))

    def _entry(self, epoch: int, seq: int, lane: str) -> Numbered:
        fields = {"epoch": epoch, "seq": seq, "value": self.life + seq * epoch}
        return Numbered("g", "meter", "data", lane, epoch, seq, False, fields)

    def _publish(self, fact: Fact) -> None:
        self._facts.append(fact)
        self.sent.append(fact)

    def repeat(self) -> None:
        """The connection went before the acknowledgements: the last few come again."""
        self._facts += [fact for fact in self.sent[-3:] if isinstance(fact, Numbered)]

    def cut(self) -> None:
        """The link was away: what is unsent becomes history."""
        self.history += self.live
        self.live = []
        self._facts += [Status("g", "", False), Status("g", "", True)]

    def drop(self) -> None:
        """The oldest two kept are dropped, and a gap record says so."""
        gone, self.history = self.history[:2], self.history[2:]
        if not gone:
            return
        if gone[-1][0] != gone[0][0]:
            self.history.insert(0, gone.pop())
        first, last = gone[0][1], gone[-1][1]
        self.wide |= last - first + 1 != len(gone)
        self.seq += 1
        record = {
            "reason": "oldest",
            "gap_epoch": gone[0][0],
            "first_seq": first,
            "last_seq": last,
            "count": len(gone),
        }
        self._publish(Numbered("g", "", "gap", "live", self.epoch, self.seq, False, record))

    def lose(self) -> None:
        """The fault that an audit is there to find."""
        for lane in (self.history, self.live):
            if lane:
                epoch, seq, _ = lane.pop(0)
                self.lost.append((epoch, seq))
                return

    def crash(self) -> None:
        """Power goes: the last two unsent entries were not on the disk yet."""
        kept = sorted(self.history + self.live)
        young = [entry for entry in kept if entry[0] == self.epoch][-2:]
        durable = young[0][1] - 1 if young else self.seq
        # A silent loss above it cannot be told from what the crash took.
        self.lost = [key for key in self.lost if key <= (self.epoch, durable)]
        self.history = [entry for entry in kept if entry not in young]
        self.live = []
        previous = {"epoch": self.epoch, "durable_seq": durable}
        self.epoch, self.seq = self.epoch + 1, 0
        self._facts += [Status("g", "", False), Status("g", "", True)]
        self._publish(Notice("g", "about", {"epoch": self.epoch, "previous": previous}))

    def restore(self) -> None:
        """The card is put back from an image of just this run's start: its numbers come again."""
        self.life += 0.5
        self.seq, self.live, self.history = 0, [], []

    def health(self) -> None:
        kept = self.history + self.live
        oldest = min((entry[2] for entry in kept), default=None)
        outbox = {
            "last_seq": self.seq,
            "kept": len(kept),
            "in_flight": 0,
            "oldest_age": None if oldest is None else self.now - oldest,
        }
        self._publish(Notice("g", "health", {"epoch": self.epoch, "outbox": outbox}))

    def wait(self) -> None:
        self.now += 3.0

    def drain(self) -> None:
        while self.history or self.live:
            self.send_history()
            self.send_live()
        self.health()
