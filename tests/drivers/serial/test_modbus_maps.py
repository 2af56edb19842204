"""The maps against what public sources of other people say of the same devices."""

from __future__ import annotations

import pytest

from drivers.serial.modbus_map import device_map

WORDS = {"uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4}

CONFIRMED = {
    # map: {channel: (address, kind, factor to our unit)}, from a source that is not ours
    "iem3155": {  # DOCA0005EN-16, and two drivers that read the meter
        "voltage_l1": (0x0BD3, "float32", 1.0),
        "voltage_l3": (0x0BD7, "float32", 1.0),
        "voltage_l1_l2": (0x0BCB, "float32", 1.0),
        "current_l1": (0x0BB7, "float32", 1.0),
        "power": (0x0BF3, "float32", 1000.0),
        "power_l3": (0x0BF1, "float32", 1000.0),
        "reactive_power": (0x0BFB, "float32", 1000.0),
        "apparent_power": (0x0C03, "float32", 1000.0),
        "frequency": (0x0C25, "float32", 1.0),
        "energy_import": (0x0C83, "int64", 0.001),
    },
    "em24": {  # a driver of Venus OS for the EM24 on RS-485
        "voltage_l2": (0x0002, "int32", 0.1),
        "current_l3": (0x0010, "int32", 0.001),
        "power_l1": (0x0012, "int32", 0.1),
        "power": (0x0028, "int32", 0.1),
        "frequency": (0x0037, "int16", 0.1),
        "energy_import": (0x003E, "int32", 0.1),
        "energy_import_l2": (0x0048, "int32", 0.1),
        "energy_export": (0x005C, "int32", 0.1),
    },
    "huawei_sun2000": {  # huawei-solar 2.5
        "current_l1": (32072, "int32", 0.001),
        "power": (32080, "int32", 1.0),
        "reactive_power": (32082, "int32", 1.0),
        "power_factor": (32084, "int16", 0.001),
        "frequency": (32085, "uint16", 0.01),
        "temperature": (32087, "int16", 0.1),
        "energy_export": (32106, "uint32", 0.01),
        "energy_today": (32114, "uint32", 0.01),
    },
    "sdm630": {  # sdm_modbus 0.7
        "power": (0x0034, "float32", 1.0),
        "reactive_energy_import": (0x004C, "float32", 1.0),
        "voltage_l2_l3": (0x00CA, "float32", 1.0),
        "current_n": (0x00E0, "float32", 1.0),
        "energy_import_l1": (0x015A, "float32", 1.0),
        "energy_export_l3": (0x0164, "float32", 1.0),
    },
    "sdm72": {  # sdm_modbus 0.7
        "power_import": (0x0500, "float32", 1.0),
        "power_export": (0x0502, "float32", 1.0),
        "energy_absolute": (0x0156, "float32", 1.0),
    },
}


@pytest.mark.parametrize("name", CONFIRMED)
def test_registers_are_where_others_read_them(name: str) -> None:
    registers = device_map(name, None).registers
    for channel, (address, kind, scale) in CONFIRMED[name].items():
        one = registers[channel]
        assert (one.address, one.kind, one.scale) == (address, kind, scale), channel
        assert one.words == WORDS[kind]
