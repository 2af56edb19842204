"""`tidegate send`: a command to an appliance, and what became of it."""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.cli import login
from gateway.cli.consumer import Arrived, Consumer, Gone, Unreachable
from gateway.cli.layout import clean, value_text
from gateway.cli.problems import plainly
from gateway.codecs.commands import signed_bytes
from gateway.codecs.sniff import loads

HELP = "Send a command to an appliance over MQTT and wait for its result."
EXAMPLES = """\
tidegate send shed heater on
tidegate send shed valve 35 --expires 10         # refused if it comes later than that
tidegate send shed heater off --url mqtts://broker.example --username me --password-file pw
tidegate send shed pump on --key anna.key        # signed, see tidegate keygen
tidegate send shed - lock                        # to the gateway itself"""
EXIT = """\
Exit status 0: done. 1: not sent, the reason is on stderr. 3: refused. 4: expired. 5: failed.
6: indeterminate. 7: no final answer in time."""

OUTCOMES = {"done": 0, "refused": 3, "expired": 4, "failed": 5, "indeterminate": 6}
"""Outcome to exit status. `accepted` is none of them: the final answer is still to come."""
NO_ANSWER = 7
GATEWAY_ITSELF = "-"
RETAINED_WAIT = 1.0
"""Seconds in which a broker has sent what it retains."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{HELP}\n\n{EXIT}"
    parser.add_argument("gateway", metavar="GATEWAY")
    parser.add_argument("device", metavar="DEVICE", help="- is the gateway itself")
    parser.add_argument("value", metavar="VALUE", help="on, off, true, false, a number or a word")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="for the result (10)"
    )
    parser.add_argument(
        "--expires",
        type=float,
        metavar="SECONDS",
        help="not to be done later than that, by the clocks of both sides",
    )
    parser.add_argument("--id", default="", help="the command's id; the same id is done once")
    parser.add_argument("--nonce", help="quote this one instead of the present session's")
    parser.add_argument("--no-nonce", action="store_true", help="quote none")
    parser.add_argument("--key", default="", metavar="FILE", help="sign with this private key")
    parser.add_argument("--json", action="store_true", help="print the result as it came")
    login.configure(parser)


@dataclass(frozen=True, slots=True)
class Before:
    """What the broker retains of the gateway."""

    online: bool | None = None
    nonce: str | None = None


def run(args: argparse.Namespace) -> int:
    base = f"{args.root}/{args.gateway}"
    reply = f"{base}/reply/{uuid.uuid4().hex[:12]}"
    own = args.device == GATEWAY_ITSELF
    result = f"{base}/result" if own else f"{base}/{args.device}/result"
    if any(bad in level for level in (args.gateway, args.device) for bad in "/+#"):
        print("tidegate send: GATEWAY and DEVICE are names, without / + #", file=sys.stderr)
        return 2
    try:
        sign = signer(args.key) if args.key else None
        consumer = Consumer(login.login(args), [f"{base}/status", f"{base}/session", result, reply])
        consumer.connect()
    except (Unreachable, ValueError, OSError) as error:
        print(f"tidegate send: {plainly(error)}", file=sys.stderr)
        return 1
    try:
        before = _before(consumer, base)
        if before.online is False:
            print(f"tidegate send: {args.gateway} is offline: not sent", file=sys.stderr)
            return 1
        command = envelope(args, before.nonce, time.time())
        topic = f"{base}/command" if own else f"{base}/{args.device}/set"
        text = json.dumps(command)
        payload = sign(topic, text) if sign else text.encode()
        consumer.publish(topic, payload, _properties(args, reply))
        return _answer(consumer, args, str(command["id"]))
    finally:
        consumer.close()


def signer(file: str) -> Callable[[str, str], bytes]:
    """Makes the payload of a topic and an envelope. ValueError, OSError."""
    try:
        from gateway.signatures import read_key, sign
    except ImportError:
        raise ValueError("signatures need PyNaCl: pip install 'tidegate[signed]'") from None
    try:
        name, key = read_key(Path(file).read_text("ascii"))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None

    def signed(topic: str, text: str) -> bytes:
        signature = base64.b64encode(sign(key, signed_bytes(topic, text.encode()))).decode()
        return json.dumps({"key": name, "signature": signature, "signed": text}).encode()

    return signed


def parse_value(text: str) -> Any:
    """JSON's true, false and numbers as such; anything else is a word that the device knows."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def envelope(args: argparse.Namespace, nonce: str | None, wall: float) -> dict[str, Any]:
    """The payload. wall: seconds since 1970."""
    command: dict[str, Any] = {"id": args.id or uuid.uuid4().hex[:16]}
    command["value"] = parse_value(args.value)
    if args.expires is not None:
        until = datetime.fromtimestamp(wall, UTC) + timedelta(seconds=args.expires)
        command["expires"] = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    quoted = args.nonce or nonce
    if quoted and not args.no_nonce:
        command["nonce"] = quoted
    return command


def _properties(args: argparse.Namespace, reply: str) -> Properties:
    """For MQTT 5: where to answer, and how long the broker may hold the message.

    Without --expires that is as long as we wait: what was not answered is not done afterwards. The
    broker counts by itself, so no clock needs to be right.
    """
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic = reply
    properties.CorrelationData = reply.rsplit("/", 1)[1].encode()
    limit = args.timeout if args.expires is None else args.expires
    properties.MessageExpiryInterval = max(1, round(limit))
    return properties


def _before(consumer: Consumer, base: str) -> Before:
    online, nonce = None, None
    for event in consumer.events(RETAINED_WAIT):
        if not isinstance(event, Arrived):
            continue
        if event.topic == f"{base}/status":
            online = event.payload == b"online"
        elif event.topic == f"{base}/session":
            nonce = _fields(event.payload).get("nonce")
        if online is False or (online and nonce):
            break
    return Before(online, nonce if isinstance(nonce, str) else None)


def _fields(payload: bytes) -> Mapping[str, Any]:
    try:
        content = loads(payload)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _answer(consumer: Consumer, args: argparse.Namespace, command_id: str) -> int:
    accepted = ""
    for event in consumer.events(args.timeout):
        if isinstance(event, Gone):
            print(f"tidegate send: {event.reason}; waiting on", file=sys.stderr)
        if not isinstance(event, Arrived) or event.retained:
            continue
        result = _fields(event.payload)
        if result.get("id") != command_id or "outcome" not in result:
            continue
        if result["outcome"] in OUTCOMES:
            print(json.dumps(result, ensure_ascii=False) if args.json else in_words(args, result))
            return OUTCOMES[result["outcome"]]
        accepted = " but it was accepted"
    print(
        f"tidegate send: no answer within {args.timeout:g} s{accepted}: "
        f"what became of {command_id} is not known",
        file=sys.stderr,
    )
    return NO_ANSWER


def in_words(args: argparse.Namespace, result: Mapping[str, Any]) -> str:
    who = args.gateway if args.device == GATEWAY_ITSELF else args.device
    words = f"{who}: {clean(str(result['outcome']))}"
    if result.get("state") is not None:
        words += f", now {value_text(result['state'])}"
    if result.get("reason"):
        words += f" ({clean(str(result['reason']))})"
    return words
