"""The link against the demo's broker, rumqttd: another reading of the same standard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.cli.demo_broker import Broker
from tests.brokers import Listener, eventually
from tests.gateway.link.parts import LinkRig, sample


@pytest.fixture
def embedded() -> Iterator[Broker]:
    pytest.importorskip("iotcore")
    broker = Broker()
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_readings_arrive_and_commands_come(embedded: Broker, protocol: str, qos: int) -> None:
    url = f"mqtt://127.0.0.1:{embedded.port}"
    with LinkRig(url, protocol=protocol, qos={"boiler": qos}) as rig:
        listener = Listener(embedded.port, "tidegate/#", version=MQTTProtocolVersion.MQTTv311)
        eventually(lambda: rig.up)
        keys = [rig.outbox.append(sample(value)) for value in range(100)]
        eventually(lambda: sorted(rig.outbox.done) == keys)
        assert len(listener.wait_for("tidegate/g/boiler/data", 100)) == 100
        listener.publish("tidegate/g/pump/set", b'{"id":"a1","value":true}')
        eventually(lambda: len(rig.commands) == 1)
        assert rig.told("link") == []
        listener.close()
