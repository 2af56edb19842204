"""Linux IIO through a made-up sysfs: names, scales and offsets as the ABI has them."""

from pathlib import Path

import pytest

from drivers.base import BusFault, BusMissing, CorruptData, NoAnswer, OptionError
from drivers.iio.iio import Iio
from tests.fakes import values


def sensor(root: Path, number: int, name: str, **files: str) -> Path:
    folder = root / f"sys/bus/iio/devices/iio:device{number}"
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in {"name": name, **files}.items():
        (folder / file).write_text(text + "\n")
    return folder


def read(root: Path, name: str, *measures: str) -> dict[str, object]:
    one = Iio(sensor=name, measures=measures, root=str(root))
    one.start()
    return dict(values(one.read()))


def test_units_of_the_abi(tmp_path: Path) -> None:
    sensor(
        tmp_path, 0, "bme280", in_temp_input="-12340", in_pressure_input="101.325",
        in_humidityrelative_input="45123", in_concentration_co2_input="0.0815",
    )  # fmt: skip
    got = read(tmp_path, "bme280", "temp", "pressure", "humidityrelative", "concentration_co2")
    assert got == pytest.approx(
        {"temperature": -12.34, "pressure": 1013.25, "humidity": 45.123, "co2": 815}
    )


def test_raw_offset_and_scale_of_its_own_or_shared(tmp_path: Path) -> None:
    files = {
        "in_voltage0_raw": "-1000", "in_voltage1_raw": "500", "in_voltage_scale": "3.0",
        "in_voltage1_scale": "0.125", "in_temp_raw": "2750", "in_temp_offset": "-2000",
        "in_temp_scale": "10", "in_distance_raw": "1500", "in_distance_scale": "0.001",
    }  # fmt: skip
    sensor(tmp_path, 3, "ads1015", **files)
    got = read(tmp_path, "ads1015", "voltage0", "voltage1", "temp", "distance")
    assert got == pytest.approx(
        {"voltage_0": -3.0, "voltage_1": 0.0625, "temperature": 7.5, "distance": 1.5}
    )


def test_is_found_by_its_name_whatever_its_number(tmp_path: Path) -> None:
    sensor(tmp_path, 0, "dht11@4", in_temp_input="21000")
    sensor(tmp_path, 1, "dht11@11", in_temp_input="5000")
    assert read(tmp_path, "dht11@11", "temp") == {"temperature": 5.0}
    with pytest.raises(BusMissing, match="there is: dht11@11, dht11@4"):
        read(tmp_path, "dht22", "temp")
    sensor(tmp_path, 2, "dht11@4")
    with pytest.raises(BusFault, match="2 sensors"):
        read(tmp_path, "dht11@4", "temp")


def test_failures(tmp_path: Path) -> None:
    folder = sensor(tmp_path, 0, "x", in_temp_input="soon")
    with pytest.raises(CorruptData, match="soon"):
        read(tmp_path, "x", "temp")
    with pytest.raises(BusMissing, match="there is: in_temp_input"):
        read(tmp_path, "x", "pressure")
    (folder / "in_temp_input").unlink()
    (folder / "in_temp_input").mkdir()  # reading it fails with EISDIR
    with pytest.raises(BusFault):
        read(tmp_path, "x", "temp")
    with pytest.raises(NoAnswer, match="before start"):
        Iio(sensor="x", measures=("temp",), root=str(tmp_path)).read()


@pytest.mark.parametrize("measures", [(), ("temp", "temp"), ("colour",), ("voltage0x",)])
def test_what_cannot_be_measured(measures: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="measures"):
        Iio(sensor="x", measures=measures)
