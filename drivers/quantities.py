"""What can be measured, and in which unit: one name, one unit, everywhere."""

from __future__ import annotations

QUANTITIES: dict[str, str] = {
    # quantity: unit. One name, one unit, everywhere. "" is a pure number, a text or a state.
    "temperature": "°C",
    "humidity": "%",
    "pressure": "hPa",
    "dew_point": "°C",
    "illuminance": "lx",
    "co2": "ppm",
    "voc_index": "",
    "voc": "ppb",
    "air_quality_index": "",
    "gas_resistance": "Ω",
    "particulate_matter": "µg/m³",
    "voltage": "V",
    "current": "A",
    "power": "W",
    "apparent_power": "VA",
    "reactive_power": "var",
    "power_factor": "",
    "phase_angle": "°",
    "frequency": "Hz",
    "energy": "kWh",
    "apparent_energy": "kVAh",
    "reactive_energy": "kvarh",
    "charge": "Ah",
    "volume": "m³",
    "volume_flow": "m³/h",
    "mass": "kg",
    "distance": "m",
    "speed": "m/s",
    "rotation_speed": "1/min",
    "angle": "°",
    "latitude": "°",
    "longitude": "°",
    "altitude": "m",
    "acidity": "",
    "conductivity": "µS/cm",
    "soil_moisture": "%",
    "force": "N",
    "resistance": "Ω",
    "ratio": "%",
    "count": "",
    "rate": "1/s",
    "duration": "s",
    "timestamp": "",
    "data_size": "MB",
    "signal_strength": "dBm",
    "load": "",
    "state": "",
    "position": "%",
    "level": "%",
    "text": "",
    "identity": "",
}


def unit_of(quantity: str) -> str:
    """The unit of a quantity. KeyError for a quantity that the table lacks: add it there."""
    return QUANTITIES[quantity]
