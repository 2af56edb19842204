"""The part of the composition root for the link: settings to arguments."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.clock import Clock
from gateway.codecs.base import Dialect, LinkState
from gateway.control import Control
from gateway.link.link import Link
from gateway.link.login import Login
from gateway.link.pacing import Pace
from gateway.link.tls import TlsFiles
from gateway.outbox import Outbox
from gateway.settings import Settings
from gateway.state import Store
from gateway.supervisor import Chore, Part

if TYPE_CHECKING:
    from gateway.link.batches import Batches
    from gateway.metered import DayKeeper

log = logging.getLogger(__name__)


def make_batches(settings: Settings, outbox: Outbox) -> Batches | None:
    """What stands before the outbox where readings wait for a batch."""
    if not settings.upstream.batch_every:
        return None
    from gateway.link.batches import Batches  # a house that does not wait does not load it

    return Batches(outbox)


def make_day(settings: Settings, store: Store, clock: Clock) -> DayKeeper | None:
    """Who keeps the count of a metered link's day."""
    if not settings.upstream.daily_bytes:
        return None
    from gateway.metered import DayKeeper  # a link without a budget does not load it

    return DayKeeper(store, clock, settings.upstream.daily_bytes)


def make_link(
    settings: Settings,
    outbox: Outbox | Batches,
    dialect: Dialect,
    clock: Clock,
    control: Control,
    heartbeat: Callable[[], None],
    epoch: int,
    day: DayKeeper | None,
) -> Link:
    upstream = settings.upstream
    ttls = [d.output.command_ttl for d in settings.device if d.output is not None]
    urls = (upstream.url,) if isinstance(upstream.url, str) else upstream.url

    link = Link(
        outbox=outbox,
        dialect=dialect,
        clock=clock,
        urls=urls,
        client_id=upstream.client_id or f"tidegate-{settings.gateway.id}",
        epoch=epoch,
        on_command=lambda message, token: control.receive(message, lambda: link.acknowledge(token)),
        on_state=lambda state: control.link_changed(state is LinkState.CONNECTED),
        on_alarm=control.alarm,
        heartbeat=heartbeat,
        protocol=upstream.protocol,
        login=Login(upstream.username, upstream.password, upstream.password_file),
        tls=TlsFiles(
            upstream.ca_file, upstream.cert_file, upstream.key_file, upstream.key_password_file
        ),
        insecure=upstream.insecure,
        proxy=upstream.proxy,
        proxy_login=Login(upstream.proxy_username, "", upstream.proxy_password_file),
        keepalive=upstream.keepalive,
        window=upstream.window,
        clean_session=upstream.clean_session,
        # A command must not wait at the broker for longer than any command may live.
        session_expiry=min([upstream.session_expiry, *ttls]),
        ack_timeout=upstream.ack_timeout,
        history_batch=upstream.history_batch if upstream.history == "batch" else 0,
        pace=Pace(upstream.history_rate, upstream.history_bytes, upstream.history_batch),
        linger=upstream.linger,
        daily_bytes=upstream.daily_bytes,
        day=day.bytes if day else None,
        health_every=settings.gateway.health_every,
    )
    return link


def stop_link(link: Link, timeout: float) -> None:
    if not link.stop(timeout):
        log.error("the link did not stop within %.1f s", timeout)


def upkeep(day: DayKeeper | None) -> tuple[list[Part], list[Chore]]:
    """What starts before the link and so stops after it, and what main does meanwhile."""
    if day is None:
        return [], []
    from gateway.metered import EVERY

    return [Part("day", lambda: None, lambda timeout: day.end())], [Chore(EVERY, day.look)]
