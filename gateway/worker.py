"""One thread a bus: the only place where a device is called.

The worker waits in one place: for an act, bytes on a port, the end of a step's wait, or a look that
is due. A device that fails waits longer and longer and never delays the others. An error that is no
DriverError is a bug, and ends the thread and with it the process.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from drivers.base import Actuator, Corrupt, DriverError, Exclusive, Stream, Watched
from gateway import attached as uses
from gateway.attached import Attached, Job
from gateway.clock import Clock
from gateway.model import Act, Acted, Reading, Sample, Value
from gateway.schedule import Schedule, slack, wake_at
from gateway.waiting import Waiting

log = logging.getLogger(__name__)

IDLE = 20.0
"""Seconds between two turns without work, so that the heartbeat shows."""
LISTENING = 5.0
"""Seconds between two looks whether a device that speaks by itself still does."""
SHORTEST = 0.01  # seconds between two looks
SAVE_TOTALS = 60.0
"""Seconds between two savings of a counter's total: the card's wear against what a crash loses."""


class Worker:
    """Run it with `run` on a thread of its own; `order` and `stop` are for any thread.

    append takes each sample. status is told when a device goes online or offline, with the reason.
    acted takes what came of each act. save_total keeps a counter's total (device, channel, total).
    """

    def __init__(
        self,
        name: str,
        devices: Sequence[Attached],
        *,
        clock: Clock,
        append: Callable[[Sample], object],
        status: Callable[[str, bool, str], None],
        acted: Callable[[Acted], None],
        save_total: Callable[[str, str, float], None],
        heartbeat: Callable[[], None],
    ) -> None:
        self.name = name
        self.devices = {attached.name: attached for attached in devices}
        self._clock = clock
        self._append = append
        self._status = status
        self._acted = acted
        self._save_total = save_total
        self._heartbeat = heartbeat
        self._schedule = Schedule()
        self._jobs: list[Job] = []
        self._orders: deque[Act] = deque()
        self._changed: deque[str] = deque()
        self._waiting = Waiting()
        self._stopping = False
        self._slack = slack(one.interval for one in devices)
        self._in_turn = any(isinstance(one.device, Exclusive) for one in devices)

    def order(self, act: Act) -> None:
        self._orders.append(act)
        self._waiting.wake()

    def stop(self) -> None:
        """Ends `run`, and closes what is on the bus."""
        self._stopping = True
        self._waiting.wake()

    def run(self) -> None:
        self.begin()
        while not self._stopping:
            self._heartbeat()
            self.turn(self._patience())
        self.close()

    def begin(self) -> None:
        """Every device is due at once; it is started by its first look."""
        now = self._clock.monotonic()
        for attached in self.devices.values():
            stream = isinstance(attached.device, Stream)
            every = LISTENING if stream else max(attached.interval, SHORTEST)
            self._schedule.add(attached.name, every, now)
            attached.heard = attached.saved = now
            if isinstance(attached.device, Watched):
                attached.device.watch(partial(self._notice, attached.name))

    def turn(self, patience: float) -> None:
        """Waits up to patience seconds in the one place, then does what there is to do."""
        ready = self._waiting.wait(patience)
        while self._changed:
            self._schedule.hasten(self._changed.popleft(), self._clock.monotonic())
        self._take_orders()
        for attached in ready:
            self._listen(attached)
        self._go_on()
        self._take_orders()
        for name in self._schedule.due(self._clock.monotonic()):
            if not self._taken():
                self._begin_look(self.devices[name])
                self._take_orders()

    def _taken(self) -> bool:
        """A line where one speaks at a time is in use: the next waits for the end of the job."""
        return self._in_turn and bool(self._jobs)

    def _notice(self, name: str) -> None:
        self._changed.append(name)
        self._waiting.wake()

    def _patience(self) -> float:
        """Seconds until something is due."""
        loose = [job.due for job in self._jobs if job.act is None]
        following = self._schedule.next()
        if following is not None and not self._taken():
            loose.append(following)
        exact = [job.due for job in self._jobs if job.act is not None]
        until = wake_at(exact, loose, self._slack)
        return min(IDLE, max(0.0, until - self._clock.monotonic()))

    def _take_orders(self) -> None:
        """Acts come before the next look; one at a time on a device, in their order."""
        while self._orders:
            act = self._orders.popleft()
            self.devices[act.device].acts.append(act)
        for attached in self.devices.values():
            while attached.acts and (attached.busy or not self._taken()):
                late = uses.is_late(attached.acts[0], self._clock.monotonic())
                if attached.busy and (late or not self._interrupted(attached)):
                    break
                act = attached.acts.popleft()
                if late:
                    error = "expired before the output was free"
                    self._acted(Acted(act, self._clock.stamp(), None, error, expired=True))
                else:
                    self._begin(Job(attached, uses.carry_out(attached, act), act))

    def _interrupted(self, attached: Attached) -> bool:
        """Whether the act that keeps the device busy gave way to the next one."""
        if not attached.interruptible:
            return False
        act = next((job.act for job in self._jobs if job.attached is attached), None)
        if act is None:
            return False
        self._abandon(attached)
        self._acted(Acted(act, self._clock.stamp(), None, "cut short by the next command"))
        return True

    def _abandon(self, attached: Attached) -> None:
        """Ends what is under way on the device; a driver leaves its output safe then."""
        for job in [job for job in self._jobs if job.attached is attached]:
            job.steps.close()
            attached.state = None
            self._end(job)

    def _begin_look(self, attached: Attached) -> None:
        self._schedule.hold(attached.name)
        if attached.busy:
            return
        self._begin(Job(attached, uses.look(attached, self._clock.monotonic()), None))

    def _begin(self, job: Job) -> None:
        job.attached.busy = True
        self._jobs.append(job)
        self._step(job)

    def _go_on(self) -> None:
        now = self._clock.monotonic()
        for job in [job for job in self._jobs if job.due <= now]:
            self._step(job)

    def _step(self, job: Job) -> None:
        try:
            job.due = next(job.steps) + self._clock.monotonic()  # the step itself takes time
            return
        except StopIteration as end:
            self._end(job)
            self._succeeded(job, end.value)
        except DriverError as error:
            self._end(job)
            self._failed(job.attached, error, job.act)

    def _end(self, job: Job) -> None:
        job.attached.busy = False
        self._jobs.remove(job)

    def _succeeded(self, job: Job, answer: Any) -> None:
        attached, device = job.attached, job.attached.device
        self._schedule.succeeded(attached.name, self._clock.monotonic())
        if isinstance(device, Stream):
            self._waiting.attend(attached, device)
            return
        self._online(attached)
        if job.act is not None:
            attached.claimed, attached.state = True, answer
            self._acted(Acted(job.act, self._clock.stamp(), answer))
            return
        attached.looks += 1
        if isinstance(device, Actuator):
            self._observed(attached, answer)
        else:
            self._record(attached, answer)

    def _failed(self, attached: Attached, error: DriverError, act: Act | None = None) -> None:
        """The device is started anew before the next try, so a chip that lost power recovers."""
        attached.failures += 1
        attached.started = False
        self._waiting.neglect(attached)
        now = self._clock.monotonic()
        if act is not None:
            attached.state = None  # the next look tells what became of it, whatever that is
            self._acted(Acted(act, self._clock.stamp(), None, str(error)))
            self._schedule.hasten(attached.name, now)
            return
        wait = self._schedule.failed(attached.name, now)
        in_a_row = self._schedule.failures(attached.name)
        # One bad transfer is no outage; a stream's silence was tolerated for long enough already.
        lasting = in_a_row > 1 or isinstance(attached.device, Stream)
        if attached.online is None or (attached.online and lasting):
            attached.online, attached.state = False, None
            log.warning("%s is offline: %s; next try in %.0f s", attached.name, error, wait)
            self._status(attached.name, False, str(error))

    def _online(self, attached: Attached) -> None:
        if attached.online is False:
            log.warning("%s is online again", attached.name)
        if not attached.online:
            attached.online = True
            self._status(attached.name, True, "")

    def _observed(self, attached: Attached, state: Value) -> None:
        """An output that was claimed, or that somebody else moved."""
        if state == attached.state:
            return
        cause = "observed" if attached.claimed else "start"
        attached.claimed = True
        attached.state = state
        self._acted(Acted(Act(attached.name, state, cause), self._clock.stamp(), state))

    def _listen(self, attached: Attached) -> None:
        device = attached.device
        if not isinstance(device, Stream):
            return
        try:
            heard = device.receive()
        except DriverError as error:
            self._failed(attached, error)
            return
        for item in heard:
            if isinstance(item, Corrupt):
                attached.corrupt += 1
                log.debug("%s: %d bytes passed over: %s", attached.name, item.length, item.reason)
                continue
            now = attached.heard = self._clock.monotonic()
            self._online(attached)
            fresh = attached.fresh(item.readings, now)
            if fresh:
                attached.looks += 1
                self._record(attached, fresh)

    def _record(self, attached: Attached, readings: Sequence[Reading]) -> None:
        now = self._clock.monotonic()
        kept = attached.worth(readings, now)
        if kept:
            moved = [total.moved() for total in attached.totals.values()]
            self._append(Sample(attached.name, self._clock.stamp(), kept, any(moved)))
        if attached.totals and now - attached.saved >= SAVE_TOTALS:
            self._save(attached, now)

    def _save(self, attached: Attached, now: float, stopping: bool = False) -> None:
        attached.saved = now
        for channel, value in attached.to_keep(stopping):
            self._save_total(attached.name, channel, value)

    def close(self) -> None:
        """Outputs to their stop states, devices closed, totals saved."""
        for attached in self.devices.values():
            try:
                self._abandon(attached)
                if isinstance(attached.device, Actuator) and attached.stop is not None:
                    self._put_to_stop(attached, attached.stop)
                attached.device.close()
            except DriverError as error:
                log.error("%s: not closed properly: %s", attached.name, error)
            self._save(attached, self._clock.monotonic(), stopping=True)

    def _put_to_stop(self, attached: Attached, value: Value) -> None:
        """The stop state, now: nobody else waits for the bus any more."""
        state = uses.finish(uses.perform(attached, value, at_once=True))
        self._acted(Acted(Act(attached.name, value, "stop"), self._clock.stamp(), state))
