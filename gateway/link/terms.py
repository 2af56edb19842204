"""What each broker wants, kept from one connection to the next, by its url. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.link.hello import Hello
from gateway.link.reasons import BAD_VERSION, NO_QOS, NO_RETAIN

TRIALS = 2
"""Silence at two CONNECTs of version 5, then a session with 3.1.1: so often, and it is settled.
Once may have been connections that broke at a bad moment."""


class Versions:
    """Which MQTT version to speak. With "auto", 5 first.

    A broker that refuses 5 gets 3.1.1 from then on. One that does not answer a CONNECT of version 5
    at all (RabbitMQ 3.10) gets 3.1.1 at every third try, until it is plain which of them works.
    """

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._settled: set[str] = set()
        self._silences: dict[str, int] = {}
        self._won: dict[str, int] = {}

    def of(self, url: str) -> str:
        if self._configured != "auto":
            return self._configured
        third = self._silences.get(url, 0) % 3 == 2
        return "3.1.1" if third or url in self._settled else "5"

    def refused(self, url: str, code: int | None) -> bool:
        """No session came about. True when this settles that the broker gets 3.1.1."""
        if self._configured != "auto" or url in self._settled:
            return False
        if self.of(url) == "5" and code == BAD_VERSION:
            self._settled.add(url)
            return True
        if code is None:
            self._silences[url] = self._silences.get(url, 0) + 1
        return False

    def worked(self, url: str) -> bool:
        """A session came about. True when this settles that the broker gets 3.1.1."""
        if self._configured != "auto" or url in self._settled:
            return False
        by_trial = self.of(url) == "3.1.1"
        self._silences[url] = 0
        self._won[url] = self._won.get(url, 0) + 1 if by_trial else 0
        if self._won[url] < TRIALS:
            return False
        self._settled.add(url)
        return True


class Sessions:
    """How old the broker's memory of us may be where it knows no expiry. Monotonic seconds."""

    def __init__(self, expiry: float) -> None:
        self._expiry = expiry
        self._ended: dict[str, float] = {}

    def ended(self, url: str, now: float) -> None:
        self._ended[url] = now

    def forgotten(self, url: str) -> None:
        """There is none until we have been in again: even with an expiry of 0 none is too old."""
        self._ended[url] = float("inf")

    def too_old(self, url: str, now: float) -> bool:
        """Also what an earlier run of ours has left, for nobody knows when that ended."""
        return url not in self._ended or now - self._ended[url] > self._expiry


@dataclass(slots=True)
class Concession:
    client_id: str = ""
    """The one that the broker gave us instead of ours."""
    retained_will: bool = True
    will_qos: int = 2


class Concessions:
    """What a broker does not take in a CONNECT is left out of the next one."""

    def __init__(self) -> None:
        self._of: dict[str, Concession] = {}

    def refused(self, url: str, code: int | None) -> str:
        """What is left out from now on, in words; empty: nothing new."""
        known = self._of.setdefault(url, Concession())
        if code == NO_RETAIN and known.retained_will:
            known.retained_will = False
            return "retained messages: the will goes without"
        if code == NO_QOS and known.will_qos:
            known.will_qos = 0
            return "QoS 1: the will goes with QoS 0"
        return ""

    def assigned(self, url: str, client_id: str) -> None:
        """The broker calls us so: the session is under this name (MQTT 5.0, 3.2.2.3.7)."""
        if client_id:
            self._of.setdefault(url, Concession()).client_id = client_id

    def applied(self, url: str, hello: Hello) -> Hello:
        known = self._of.get(url)
        if known is None:
            return hello
        will = hello.will._replace(
            qos=min(hello.will.qos, known.will_qos),
            retain=hello.will.retain and known.retained_will,
        )
        return replace(hello, client_id=known.client_id or hello.client_id, will=will)
