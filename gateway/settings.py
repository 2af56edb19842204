"""The configuration as typed values: what each table of the TOML file may hold, and its defaults.

`config.py` fills these from a file and reports what is wrong; `build.py` hands the values on to the
parts as arguments. Nothing below build.py sees a settings object. A field whose `Option` says
unit "s" also takes "500ms", "10s", "5min", "2h", "1d" in the file; unit "B" takes "64MiB", "1GB".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from drivers.base import Option, Value
from gateway.orders import ORDERS
from gateway.settings_people import PeopleSettings

if TYPE_CHECKING:  # a house without rules does not load them
    from gateway.settings_rules import RuleSettings

NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
"""Ids are topic levels: the alphabet every broker, Homie and Home Assistant agree on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    id: Annotated[str, Option("the gateway's name, a topic level; unique at the broker")]
    description: Annotated[str, Option("free text, published in about")] = ""
    state: Annotated[
        str, Option("directory for the journal and the state, on a disk that lasts")
    ] = "/var/lib/tidegate"
    health_every: Annotated[float, Option("how often health is published", "s", low=1)] = 60.0
    socket: Annotated[
        str, Option("Unix socket for `tidegate status`; empty: in /run/tidegate, else in state")
    ] = ""
    metrics: Annotated[
        str, Option("host:port where Prometheus may ask, as 127.0.0.1:9464; empty: no port")
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Option("least severe level that is logged")
    ] = "info"
    allow: Annotated[
        tuple[str, ...],
        Option("commands to the gateway itself that may be used", choices=tuple(ORDERS)),
    ] = ()
    signed_by: Annotated[
        tuple[str, ...], Option("take those only signed by a commander of one of these roles")
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """`[[alarm]]`: how an alarm behaves; one that no table names is told once."""

    name: Annotated[str, Option("a topic level; rules name it, and what the gateway itself raises")]
    repeat: Annotated[
        float, Option("told again until somebody acknowledges it, 0: once", "s", low=0)
    ] = 0.0
    latch: Annotated[bool, Option("stands until it is acknowledged, cause or not")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBudgetSettings:
    """`[[load_budget]]`: what several outputs may take together."""

    name: Annotated[str, Option("outputs name it in load_budget")]
    limit: Annotated[float, Option("of all that are on at a time", "W", low=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommanderSettings:
    """`[[commander]]`: somebody whose signed commands count."""

    name: Annotated[str, Option("as given to `tidegate keygen`")]
    key: Annotated[str, Option("the public key that `tidegate keygen` printed")]
    roles: Annotated[tuple[str, ...], Option("outputs name them in signed_by")]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    url: Annotated[
        str | tuple[str, ...],
        Option(
            "mqtt://host:1883, mqtts://host:8883, ws://, wss://, unix:///path; several: in turn"
        ),
    ]
    root: Annotated[str, Option("first level of every topic")] = "tidegate"
    dialect: Annotated[
        Literal["json", "plain", "msgpack", "cbor"],
        Option("payloads; plain: a topic a channel, with a bare value"),
    ] = "json"
    protocol: Annotated[
        Literal["auto", "5", "3.1.1"], Option("MQTT version; auto falls back to 3.1.1")
    ] = "auto"
    client_id: Annotated[str, Option("empty: tidegate-ID; must be unique at the broker")] = ""
    username: Annotated[str, Option("login name, empty for none")] = ""
    password: Annotated[str, Option("better in password_file", secret=True)] = ""
    password_file: Annotated[str, Option("file with the password on its first line")] = ""
    ca_file: Annotated[str, Option("PEM file of trusted CAs instead of the system's")] = ""
    cert_file: Annotated[str, Option("PEM client certificate")] = ""
    key_file: Annotated[str, Option("PEM private key")] = ""
    key_password_file: Annotated[
        str, Option("file with the password of an encrypted key on its first line")
    ] = ""
    insecure: Annotated[bool, Option("allow a connection without TLS to another machine")] = False
    proxy: Annotated[str, Option("http://host:port or socks5://host:port")] = ""
    proxy_username: Annotated[str, Option("login name at the proxy, empty for none")] = ""
    proxy_password_file: Annotated[str, Option("file with its password on the first line")] = ""
    keepalive: Annotated[int, Option("MQTT keep-alive", "s", low=5, high=65535)] = 30
    window: Annotated[int, Option("messages in flight at most", low=1, high=1000)] = 100
    clean_session: Annotated[bool, Option("do not let the broker keep commands while away")] = False
    session_expiry: Annotated[float, Option("how long the broker keeps commands", "s", low=0)] = (
        300.0
    )
    ack_timeout: Annotated[
        float, Option("an unanswered message ends the connection", "s", low=1)
    ] = 15.0
    history: Annotated[
        Literal["batch", "same-topic"], Option("the backlog in batches, or one by one")
    ] = "batch"
    history_batch: Annotated[int, Option("samples in one history message", low=1, high=5000)] = 200
    history_rate: Annotated[
        float, Option("history entries a second at most, 0: as fast as the link", low=0)
    ] = 0.0
    history_bytes: Annotated[
        int, Option("bytes of history a second at most, 0: as fast as the link", "B", low=0)
    ] = 0
    linger: Annotated[
        float, Option("live readings wait for others, to share packets; 0: no", "s", low=0, high=60)
    ] = 0.0
    batch_every: Annotated[
        float, Option("readings wait and go out together this often, 0: at once", "s", low=0)
    ] = 0.0
    metered: Annotated[
        bool, Option("paid by the byte: keepalive 12h, batch_every and health_every 1d by default")
    ] = False
    daily_bytes: Annotated[int, Option("budget of a metered link, 0: none", "B", low=0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    size: Annotated[
        int, Option("disk that the journal uses, allocated at start", "B", low=2 << 20)
    ] = 64 << 20
    store: Annotated[
        Literal["ring", "sqlite"], Option("kind of journal; what the other kind holds is moved")
    ] = "ring"
    keep_free: Annotated[
        int,
        Option("disk left to others: the journal is made smaller where it is short", "B", low=0),
    ] = 32 << 20
    durability: Annotated[
        Literal["window", "each"],
        Option("window: on disk after commit_every unless acknowledged first; each: at once"),
    ] = "window"
    commit_every: Annotated[
        float, Option("longest time in memory only", "s", low=0.01, high=60)
    ] = 1.0
    order: Annotated[
        Literal["live-first", "fifo"], Option("after an outage: new values first, or strict order")
    ] = "live-first"
    expire: Annotated[
        float, Option("telemetry older than this is dropped, 0: never", "s", low=0)
    ] = 0.0
    memory: Annotated[
        int, Option("bytes held in memory while the disk fails", "B", low=64 << 10)
    ] = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    name: Annotated[str, Option("what devices call it")]
    kind: Annotated[
        Literal["i2c", "i2c-mux", "serial", "gpio", "spi", "onewire", "host", "simulated-i2c"],
        Option("what it is"),
    ]
    device: Annotated[str, Option("/dev/i2c-1, /dev/serial/by-id/..., or the pin factory")] = ""
    rts: Annotated[
        Literal["", "high", "low", "kernel"],
        Option(
            "serial: RTS while sending, for RS-485 adapters that are not switched by themselves"
        ),
    ] = ""
    recover: Annotated[
        str, Option("i2c: the bus of kind gpio whose spare lines sda and scl free this one")
    ] = ""
    sda: Annotated[int | None, Option("recover: GPIO wired to SDA", low=0, high=27)] = None
    scl: Annotated[int | None, Option("recover: GPIO wired to SCL", low=0, high=27)] = None
    parent: Annotated[str, Option("i2c-mux: the bus that the multiplexer hangs on")] = ""
    address: Annotated[int, Option("i2c-mux: of the TCA9548A", low=0x70, high=0x77)] = 0x70
    channel: Annotated[int | None, Option("i2c-mux: which of its buses", low=0, high=7)] = None
    chips: Annotated[
        tuple[str, ...], Option("kind simulated-i2c: chips on the bus, as bme280@0x76")
    ] = ()
    heat: Annotated[
        str, Option("kind simulated-i2c: a file with the degrees by which its chips are warmer")
    ] = ""
    pulses: Annotated[
        Mapping[str, float], Option("gpio with device mock: GPIO number to pulses a second")
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """`[device.filter.CHANNEL]`: what of a channel is worth keeping."""

    deadband: Annotated[float, Option("smallest change worth a reading, in the unit", low=0)] = 0.0
    max_silence: Annotated[
        float, Option("report at least this often in a deadband", "s", low=0)
    ] = 3600.0
    average: Annotated[float, Option("mean over this long, 0: none", "s", low=0)] = 0.0
    low: Annotated[float | None, Option("below: quality bad")] = None
    high: Annotated[float | None, Option("above: quality bad")] = None
    max_rate: Annotated[float | None, Option("faster change, per second: uncertain", low=0)] = None
    rising: Annotated[
        bool | None, Option("a register that only counts up; unset: as the driver says")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """Keys of a `[[device]]` that is an output. They hold below every source of commands."""

    start: Annotated[Value | None, Option("state at start; unset: off")] = None
    stop: Annotated[Value | None, Option("state at stop; unset: off")] = None
    crash: Annotated[Value | None, Option("state after a crash; unset: as stop")] = None
    offline: Annotated[
        Value | None, Option("state when it comes back from being offline; unset: as found")
    ] = None
    link_loss: Annotated[Value | None, Option("state after link_loss_after; unset: stays")] = None
    link_loss_after: Annotated[float, Option("without the broker for so long", "s", low=1)] = 300.0
    command_ttl: Annotated[float, Option("life of a command that does not say", "s", low=1)] = 30.0
    fresh_only: Annotated[bool, Option("refuse commands without the session's nonce")] = False
    signed_by: Annotated[
        tuple[str, ...], Option("take only commands signed by a commander of one of these roles")
    ] = ()
    max_on: Annotated[float, Option("switched off after so long, 0: never", "s", low=0)] = 0.0
    min_on: Annotated[float, Option("shortest time on", "s", low=0)] = 0.0
    min_off: Annotated[float, Option("shortest time off", "s", low=0)] = 0.0
    max_switches_per_hour: Annotated[int, Option("0: no limit", low=0)] = 0
    interlock: Annotated[str, Option("of a group, only one output is on at a time")] = ""
    dead_time: Annotated[
        float, Option("all off for so long between two of a group", "s", low=0)
    ] = 0.0
    load_budget: Annotated[str, Option("name of the [[load_budget]] that it takes from")] = ""
    load: Annotated[float, Option("what it takes while it is on", "W", low=0)] = 0.0
    ramp: Annotated[
        float, Option("largest change a second of a numeric output, 0: at once", low=0)
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """A `[[device]]`. Keys that are none of these are options of its driver."""

    name: Annotated[str, Option("topic level")]
    driver: Annotated[str, Option("see `tidegate drivers`")]
    bus: Annotated[str, Option("name of a [[bus]]; not needed by host drivers")] = ""
    interval: Annotated[
        float, Option("how often it is read; meters that speak: at most", "s", low=0)
    ] = 10.0
    qos: Annotated[Literal[0, 1, 2], Option("MQTT QoS of its data")] = 1
    description: Annotated[str, Option("free text, published in about")] = ""
    filter: Annotated[Mapping[str, FilterSettings], Option("per channel")] = field(
        default_factory=dict
    )
    output: OutputSettings | None = None
    """Filled from the device's own table when the driver is an Actuator, else None."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The driver's options, checked against its constructor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """`[site]`: where the clocks of windows, schedules and the sun are read."""

    timezone: Annotated[str, Option('as "Europe/Berlin"; empty: that of this machine')] = ""
    latitude: Annotated[float | None, Option("north positive", "°", low=-90, high=90)] = None
    longitude: Annotated[float | None, Option("east positive", "°", low=-180, high=180)] = None
    battery_clock: Annotated[
        bool, Option("believe the clock even if it was never set from the network")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    gateway: GatewaySettings
    upstream: UpstreamSettings
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    bus: tuple[BusSettings, ...] = ()
    device: tuple[DeviceSettings, ...] = ()
    alarm: tuple[AlarmSettings, ...] = ()
    load_budget: tuple[LoadBudgetSettings, ...] = ()
    site: SiteSettings = field(default_factory=SiteSettings)
    rule: tuple[RuleSettings, ...] = ()
    commander: tuple[CommanderSettings, ...] = ()
    people: tuple[PeopleSettings, ...] = ()
