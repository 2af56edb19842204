"""TLS: what is refused, and in which words; certificates of our own, and when they end."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from gateway.config import parse
from gateway.link.certificate import not_after
from gateway.link.decisions import certificate_warning
from gateway.link.login import Login
from gateway.link.tls import TlsFiles, Trust, TrustError
from tests.brokers import Mosquitto, eventually
from tests.certificates import Authority, Pair
from tests.gateway.link.parts import LinkRig, sample
from tests.scripted_broker import ScriptedBroker


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def why_not(broker: ScriptedBroker, url: str, ca: Path) -> str:
    """The reason for which there is no connection; none may come about, nor fall back to plain."""
    with LinkRig(url, tls=TlsFiles(ca=str(ca))) as rig:
        eventually(lambda: rig.link.status().reason != "not connected yet")
        assert not rig.up
        assert broker.hellos == []
        return rig.link.status().reason


def test_a_good_certificate_is_accepted(authority: Authority) -> None:
    """P22: TLS, verified, by name and by address."""
    for host in ("localhost", "127.0.0.1"):
        with ScriptedBroker(tls=authority.issue("good", host).server()) as broker:
            url = f"mqtts://{host}:{broker.port}"
            with LinkRig(url, tls=TlsFiles(ca=str(authority.cert))) as rig:
                key = rig.outbox.append(sample())
                eventually(lambda: rig.outbox.done == [key])  # noqa: B023


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"host": "other.example"}, "the certificate is not for localhost"),
        ({"days": -0.5}, "the certificate of localhost has expired (by this machine's clock, 20"),
        ({"begins": 1.0}, "is not yet valid: this machine's clock says 20"),
        ({"self_signed": True}, "is signed by itself: give it, or its CA, as ca_file"),
    ],
    ids=["wrong host", "expired", "not yet valid", "self-signed"],
)
def test_certificates_that_are_refused(
    authority: Authority, made: dict[str, object], words: str
) -> None:
    """P22, P24, cases 28 and 29."""
    pair = authority.issue("bad", **made)  # type: ignore[arg-type]
    with ScriptedBroker(tls=pair.server()) as broker:
        assert words in why_not(broker, f"mqtts://localhost:{broker.port}", authority.cert)


def test_a_certificate_of_another_authority_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """Case 29: the fifth of five; and without a CA file the system's do not know it either."""
    other = Authority(tmp_path, "somebody else")
    with ScriptedBroker(tls=other.issue("foreign").server()) as broker:
        url = f"mqtts://localhost:{broker.port}"
        assert "signed by nobody we trust" in why_not(broker, url, authority.cert)
        with LinkRig(url) as rig:
            eventually(lambda: "give its CA as ca_file" in rig.link.status().reason)


def test_an_address_that_the_certificate_does_not_name(authority: Authority) -> None:
    with ScriptedBroker(tls=authority.issue("named").server()) as broker:
        reason = why_not(broker, f"mqtts://127.0.0.1:{broker.port}", authority.cert)
        assert "the certificate is not for 127.0.0.1" in reason


def test_tls_to_a_broker_without_it_and_the_other_way_round(
    scripted: ScriptedBroker, authority: Authority
) -> None:
    """P22: no fallback to plain."""
    scripted.tolerant = True
    reason = why_not(scripted, f"mqtts://localhost:{scripted.port}", authority.cert)
    assert "TLS with localhost failed: the broker" in reason
    with (
        ScriptedBroker(tls=authority.issue("good").server()) as broker,
        LinkRig(f"mqtt://localhost:{broker.port}") as rig,
    ):
        eventually(lambda: rig.link.status().reason != "not connected yet")
        assert not rig.up


def test_tls_older_than_12_is_not_spoken(authority: Authority) -> None:
    old = authority.issue("old").server()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with ScriptedBroker(tls=old) as broker:
        reason = why_not(broker, f"mqtts://localhost:{broker.port}", authority.cert)
        assert "speaks no TLS 1.2" in reason or "accepts none of" in reason
    assert Trust(TlsFiles()).context().minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_client_certificate_with_an_encrypted_key(authority: Authority, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\nsecond line\n")
    ours = authority.issue("ours", "gateway", password="s3cret")
    server = authority.issue("server").server(ca=authority.cert)
    with ScriptedBroker(tls=server) as broker:
        url = f"mqtts://localhost:{broker.port}"
        files = TlsFiles(str(authority.cert), str(ours.cert), str(ours.key), str(password))
        with LinkRig(url, tls=files) as rig:
            eventually(lambda: rig.up)
        with LinkRig(url, tls=TlsFiles(str(authority.cert))) as rig:
            eventually(lambda: "not connected yet" not in rig.link.status().reason)
            assert not rig.up


def test_renewed_files_are_used_at_the_next_handshake(authority: Authority, tmp_path: Path) -> None:
    """P23, case 28: the files are read anew when they have changed, without a restart."""
    ours = authority.issue("ours", "gateway", days=5)
    with ScriptedBroker(tls=authority.issue("server").server(ca=authority.cert)) as broker:
        files = TlsFiles(str(authority.cert), str(ours.cert), str(ours.key))
        with LinkRig(f"mqtts://localhost:{broker.port}", tls=files) as rig:
            eventually(lambda: rig.up)
            first = broker.peers[0].sock
            assert isinstance(first, ssl.SSLSocket)
            before = first.getpeercert(binary_form=True)
            eventually(lambda: len(rig.told("certificate")) == 1)
            assert rig.told("certificate")[0] == (
                True,
                "the client certificate ends in less than 7 days",
            )
            authority.issue("ours", "gateway", days=400)
            broker.cut()
            eventually(lambda: rig.connects == 2 and len(broker.peers) == 1)
            second = broker.peers[0].sock
            assert isinstance(second, ssl.SSLSocket)
            assert second.getpeercert(binary_form=True) != before
            eventually(lambda: len(rig.told("certificate")) == 2)
            assert rig.told("certificate")[1][0] is False
            days = rig.link.status().certificate_days
            assert days is not None and 399 < days <= 400


def test_days_to_expiry_and_the_alarms_at_21_and_7(authority: Authority) -> None:
    """Case 28: before it happens; the broker's certificate is watched as well."""
    with ScriptedBroker(tls=authority.issue("server", days=25).server()) as broker:
        files = TlsFiles(str(authority.cert))
        with LinkRig(f"mqtts://localhost:{broker.port}", tls=files, keepalive=3600) as rig:
            eventually(lambda: rig.link.status().broker_certificate_days is not None)
            assert rig.told("broker_certificate") == []
            for days, words in ((5, "less than 21 days"), (15, "less than 7 days"), (6, "expired")):
                rig.clock.set_wall(rig.clock.stamp().wall + days * 86400)
                rig.until(  # the certificates are looked at every hour
                    lambda: words in "".join(t for _, t in rig.told("broker_certificate")),  # noqa: B023
                    step=900,
                )
            left = rig.link.status().broker_certificate_days
            assert left is not None and left < 0


@pytest.mark.parametrize("days", [21.01, 21, 7.5, 7, 0.1, 0, -3, None])
def test_the_bounds_of_the_warning(days: float | None) -> None:
    words = certificate_warning(days, "it")
    if days is None or days > 21:
        assert words == ""
    elif days <= 0:
        assert words == "it has expired"
    else:
        assert words == f"it ends in less than {7 if days <= 7 else 21} days"


def unusable(files: TlsFiles) -> str:
    with pytest.raises(TrustError) as error:
        Trust(files).context()
    return str(error.value)


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    one, two = authority.issue("one"), authority.issue("two")
    locked = authority.issue("locked", password="s3cret")
    nothing, wrong = tmp_path / "nothing.pem", tmp_path / "wrong"
    nothing.write_text("not a certificate\n")
    wrong.write_text("guess\n")
    missing = str(tmp_path / "missing.pem")
    cert, key = str(one.cert), str(one.key)
    assert unusable(TlsFiles(ca=missing)) == f"ca_file {missing}: No such file or directory"
    assert "ca_file" in unusable(TlsFiles(ca=str(nothing)))
    assert f"key_file {two.key} is not the key of" in unusable(TlsFiles("", cert, str(two.key)))
    assert "not PEM" in unusable(TlsFiles("", str(nothing), key))
    pair = ("", str(locked.cert), str(locked.key))
    assert "is encrypted: give key_password_file" in unusable(TlsFiles(*pair))
    assert "does not open it" in unusable(TlsFiles(*pair, str(wrong)))
    assert "key_password_file" in unusable(TlsFiles(*pair, missing))


def test_a_file_that_is_missing_is_the_reason_for_being_offline(authority: Authority) -> None:
    with LinkRig("mqtts://localhost:1", tls=TlsFiles(ca="/nowhere/ca.pem")) as rig:
        eventually(lambda: "ca_file /nowhere/ca.pem" in rig.link.status().reason)


def test_the_end_of_a_certificate_as_openssl_reads_it(authority: Authority) -> None:
    for days in (1, 400, 15000):  # the last is written as GeneralizedTime
        pair = authority.issue("dated", days=days)
        decoded = ssl._ssl._test_decode_cert(str(pair.cert))  # type: ignore[attr-defined]
        assert not_after(pair.cert.read_bytes()) == ssl.cert_time_to_seconds(decoded["notAfter"])


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n", None])
def test_a_certificate_that_cannot_be_read(authority: Authority, damage: bytes | None) -> None:
    pem = authority.issue("cut").cert.read_bytes()
    for data in [damage] if damage is not None else [pem[:cut] for cut in range(60, 400, 17)]:
        with pytest.raises(ValueError):  # noqa: PT011 - any words; nothing else may be raised
            not_after(data)


def test_passwords_from_files_are_read_at_each_connect(
    scripted: ScriptedBroker, tmp_path: Path
) -> None:
    file = tmp_path / "mqtt"
    file.write_text("old\r\nsecond line\n")
    with LinkRig(scripted.url, login=Login("me", "", str(file))) as rig:
        eventually(lambda: rig.up)
        file.write_text("new")
        scripted.cut()
        eventually(lambda: rig.connects == 2)
        file.unlink()
        scripted.cut()
        eventually(lambda: "password_file" in rig.link.status().reason)
    assert [hello.password for hello in scripted.hellos] == ["old", "new"]


def test_secrets_from_systemds_credentials(tmp_path: Path) -> None:
    """LoadCredential= puts files into $CREDENTIALS_DIRECTORY, which the configuration may name."""
    text = """
[gateway]
id = "g"
[upstream]
url = "mqtts://broker.example"
username = "g"
password_file = "${CREDENTIALS_DIRECTORY}/mqtt"
"""
    loaded = parse(text, "gateway.toml", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert loaded.warnings == ()
    (tmp_path / "mqtt").write_text("s3cret\n")
    assert Login("g", "", loaded.settings.upstream.password_file).secret() == "s3cret"


def mosquitto_with(tmp_path: Path, pair: Pair, *options: str) -> Mosquitto:
    if os.getuid() == 0:
        options += ("user root",)
    return Mosquitto(tmp_path, f"certfile {pair.cert}", f"keyfile {pair.key}", *options)


def test_mosquitto_with_tls_and_client_certificates(authority: Authority, tmp_path: Path) -> None:
    ours = authority.issue("ours", "gateway-7")
    broker = mosquitto_with(
        tmp_path,
        authority.issue("server"),
        f"cafile {authority.cert}",
        "require_certificate true",
        "use_identity_as_username true",
    )
    broker.start()
    files = TlsFiles(str(authority.cert), str(ours.cert), str(ours.key))
    with LinkRig(f"mqtts://localhost:{broker.port}", tls=files) as rig:
        keys = [rig.outbox.append(sample(value)) for value in range(300)]
        eventually(lambda: sorted(rig.outbox.done) == keys)
    assert "u'gateway-7'" in broker.log
    with LinkRig(f"mqtts://localhost:{broker.port}", tls=TlsFiles(str(authority.cert))) as rig:
        eventually(lambda: "wants a client certificate" in rig.link.status().reason)
    broker.stop()
