"""The command `tidegate`.

`run` goes straight to the daemon, without argparse and the other verbs: what they load would stay
in the daemon's memory for years. So does `safe`, which has to be quick and needs nothing.
"""

from __future__ import annotations

import signal
import sys

DEFAULT_CONFIG = "/etc/tidegate/gateway.toml"


def main() -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 78 the configuration cannot be used."""
    config = daemon_config(sys.argv[1:])
    if config is not None:
        from gateway.deferred import defer
        from gateway.memory import hold_down

        hold_down()
        defer()
        from gateway import daemon

        return daemon.main(config)
    if len(sys.argv) == 3 and sys.argv[1] == "safe" and not sys.argv[2].startswith("-"):
        from gateway import safe

        return safe.main(sys.argv[2])
    from gateway.cli.main import main as command_line

    # A shell starts what it puts in the background with SIGINT ignored, and Python leaves it so.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    return command_line(sys.argv[1:])


def daemon_config(arguments: list[str]) -> str | None:
    """The configuration that `run [CONFIG]` names; None for all else, which argparse answers."""
    if arguments[:1] != ["run"] or len(arguments) > 2:
        return None
    config = arguments[1] if len(arguments) == 2 else DEFAULT_CONFIG
    return None if config.startswith("-") else config


if __name__ == "__main__":
    sys.exit(main())
