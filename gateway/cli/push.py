"""One message to one person, in a process of its own: apprise takes some 45 MB.

`python -m gateway.cli.push` reads `{"url": ..., "title": ..., "body": ..., "kind": ...}` and exits
with 0 when it was delivered; what went wrong is on stderr, without the URL: it may hold a secret.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from gateway.cli.alerts import Alert

KINDS = {"raised": "failure", "acknowledged": "info", "cleared": "success"}
"""An alarm's state to apprise's type of notification, which gives icon and colour."""
TIMEOUT = 60.0  # seconds
MISSING = "the library apprise is missing: pip install 'tidegate[notify]'"


def deliver(url: str, alert: Alert) -> str:
    """Empty if it was delivered, else why not."""
    message = {
        "url": url, "title": alert.title, "body": alert.body, "kind": KINDS[alert.state]
    }  # fmt: skip
    command = [sys.executable, "-m", "gateway.cli.push"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(message),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not delivered within {TIMEOUT:.0f} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1].replace(url, "the service") if said else f"exit status {done.returncode}"


def check(url: str) -> str:
    """Whether the library knows such a URL: empty if so."""
    try:
        import apprise
    except ImportError:
        return MISSING
    return "" if apprise.Apprise().add(url) else "is no URL that apprise knows"


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    message = json.load(sys.stdin)
    try:
        import apprise
    except ImportError:
        print(MISSING, file=sys.stderr)
        return 1
    service = apprise.Apprise()
    if not service.add(message["url"]):
        print("is no URL that apprise knows", file=sys.stderr)
        return 1
    delivered = service.notify(
        body=message["body"], title=message["title"], notify_type=message["kind"]
    )
    return 0 if delivered else 1


if __name__ == "__main__":
    sys.exit(main())
