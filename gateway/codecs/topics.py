"""The topic tree. Root and gateway come from the configuration, the rest is fixed here.

ROOT/GATEWAY/status session about health history gap result diagnostics command
ROOT/GATEWAY/alarm/NAME event/NAME reply/...
ROOT/GATEWAY/DEVICE/data status set state result
ROOT/GATEWAY/DEVICE/data/CHANNEL    in the dialect plain
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OWN = ("status", "session", "about", "health", "history", "gap", "result", "diagnostics")
"""What a gateway publishes beside its devices."""
NAMED = ("alarm", "event")
"""The same, each with a name below it."""
OTHERS = ("command", "reply")
"""What it hears, and where those who ask want their answers."""
LEAVES = ("data", "status", "state", "result")
"""What it publishes of a device."""
_NO_LEVEL = re.compile(r"[/+#\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Topics:
    root: str
    gateway: str

    def own(self, leaf: str) -> str:
        """`status`, `session`, `about`, `health`, `history`, `gap`, `command`, `result`."""
        return f"{self.root}/{self.gateway}/{leaf}"

    def device(self, device: str, leaf: str) -> str:
        """`data`, `status`, `set`, `state`, `result` of a device."""
        return f"{self.root}/{self.gateway}/{device}/{leaf}"

    def channel(self, device: str, channel: str) -> str:
        """A topic a channel. A name that is no level of a topic is made one."""
        return f"{self.root}/{self.gateway}/{device}/data/{_NO_LEVEL.sub('_', channel)}"

    def alarm(self, name: str) -> str:
        return f"{self.root}/{self.gateway}/alarm/{name}"

    def result(self, device: str) -> str:
        """Where answers go; device "" is the gateway itself."""
        return self.device(device, "result") if device else self.own("result")

    def remote(self, device: str) -> str:
        """Where another gateway's readings are; device as `gateway/device`."""
        return f"{self.root}/{device}/data"

    def commanded(self, topic: str) -> str | None:
        """The device that a command topic names, "" for the gateway itself, None for no such."""
        prefix = f"{self.root}/{self.gateway}/"
        if not topic.startswith(prefix):
            return None
        device, _, leaf = topic.removeprefix(prefix).partition("/")
        if device == "command" and not leaf:
            return ""
        return device if leaf == "set" and device else None
