"""Device maps: those that are packaged, those that are wrong, values, and what is asked at once."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import OptionError, Quality
from drivers.serial import modbus_map
from drivers.serial.modbus_map import ORDERS, WORDS, Register
from drivers.serial.modbus_plan import plan
from drivers.serial.modbus_value import channel, digits, encoded, ordered, reading, value_of
from drivers.serial.stream import line_settings

HARDWARE = Path(__file__).parents[3] / "hardware"


@pytest.mark.parametrize("name", modbus_map.names())
def test_a_packaged_map(name: str) -> None:
    found = modbus_map.device_map(name, None)
    assert found.title and len(found.source) > 20
    line_settings(found.line)
    blocks = plan(found.registers, found.longest, found.gap)
    assert sum(len(block.members) for block in blocks) == len(found.registers)
    assert f"`{name}`" in (HARDWARE / "modbus.md").read_text(encoding="utf-8")
    for channel_name, register in found.registers.items():
        assert register.kind and register.table and register.order
        assert channel(channel_name, register).digits <= 6


def test_no_register_of_a_packaged_map_is_told_twice() -> None:
    for name in modbus_map.names():
        found = modbus_map.device_map(name, None).registers.values()
        taken: set[tuple[str, int]] = set()
        for register in found:
            places = {(register.table, register.address + n) for n in range(register.words)}
            assert not taken & places, name
            taken |= places


MINIMAL: dict[str, Any] = {"registers": {"level": {"address": 3, "quantity": "level"}}}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, r"registers: at least one table"),
        ({"registers": {"a": 1}}, r"registers.a: must be a table"),
        ({"registers": {"a": {"address": 1}}}, r"registers.a: quantity is missing"),
        ({"registers": {"a": {"quantity": "level"}}}, r"registers.a: address is missing"),
        ({**MINIMAL, "tabel": "input"}, r"tabel: unknown key; known: gap, kind"),
        ({**MINIMAL, "longest": 200}, r"longest: 200 is not from 1 to 125"),
        ({**MINIMAL, "order": "AB"}, r"order: 'AB' is none of ABCD, CDAB"),
        ({**MINIMAL, "pause": "1s"}, r"pause: must be float, not '1s'"),
    ],
)
def test_a_wrong_map_says_where(table: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        modbus_map.parsed(table)


@pytest.mark.parametrize(
    ("register", "message"),
    [
        ({"scale": "0.1"}, "registers.level.scale: must be float"),
        ({"quantity": "heat"}, "registers.level.quantity: 'heat' is none of"),
        ({"kind": "string"}, "registers.level: a string needs its length"),
        ({"address": 65535, "kind": "uint32"}, "registers.level: reaches beyond"),
        ({"mask": 3, "kind": "int16"}, "registers.level: mask needs an unsigned kind"),
        ({"absent": 5}, "registers.level.absent: must be a list of whole numbers"),
        ({"names": {"1": 2}}, "registers.level.names: must be a table of texts"),
        ({"adress": 1}, "registers.level.adress: unknown key"),
    ],
)
def test_a_wrong_register_says_where(register: dict[str, Any], message: str) -> None:
    row = {**MINIMAL["registers"]["level"], **register}
    with pytest.raises(OptionError, match=message):
        modbus_map.parsed({"registers": {"level": row}})


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "tank.toml"
    path.write_text(
        'table = "input"\n[registers.level]\naddress = 3\nquantity = "level"\nscale = 0.5\n'
    )
    found = modbus_map.device_map(f"{path}", None).registers["level"]
    assert (found.table, found.kind, found.scale) == ("input", "uint16", 0.5)
    more = {"full": Register(address=1, quantity="state", table="discrete")}
    assert set(modbus_map.device_map(f"{path}", more).registers) == {"level", "full"}
    path.write_text("registers = 1 2")
    with pytest.raises(OptionError, match=r"map .*tank.toml: "):
        modbus_map.device_map(f"{path}", None)
    with pytest.raises(OptionError, match="No such file"):
        modbus_map.device_map(f"{tmp_path}/none.toml", None)
    with pytest.raises(OptionError, match="map 'sdm12': there is abb_b21"):
        modbus_map.device_map("sdm12", None)
    with pytest.raises(OptionError, match='map "own" needs at least one'):
        modbus_map.device_map("own", None)


def register(kind: str, **more: Any) -> Register:
    return Register(address=0, **{"quantity": "level", "order": "ABCD", "kind": kind, **more})


@pytest.mark.parametrize(
    ("one", "raw", "value"),
    [
        (register("uint16", scale=0.1), "08fd", 230.1),
        (register("int16", scale=0.01), "ffff", -0.01),
        (register("int32", order="CDAB", scale=0.1), "fffe ffff", -0.2),
        (register("uint32", order="CDAB"), "0001 0002", 0x20001),
        (register("uint64", scale=0.01), "0000 0000 0001 e240", 1234.56),
        (register("int64", order="DCBA"), "feff ffff ffff ffff", -2),
        (register("float32"), "4366 8000", 230.5),
        (register("float32", order="CDAB"), "8000 4366", 230.5),
        (register("float32", order="BADC"), "6643 0080", 230.5),
        (register("float64"), "4000 0000 0000 0000", 2.0),
        (register("float32"), "7fc0 0000", None),
        (register("uint16", absent=(0xFFFF,)), "ffff", None),
        (register("int16", absent=(0x8000,)), "8000", None),
        (register("int16", absent=(-32768,)), "8000", None),
        (register("uint16", mask=0x0F00), "0a55", 10),
        (register("uint16", mask=0x0100, quantity="state"), "0100", True),
        (register("uint16", mask=0x0100, quantity="state"), "feff", False),
        (register("uint16", names={"1": "normal"}), "0001", "normal"),
        (register("uint16", names={"1": "normal"}), "0007", "7"),
        (register("string", length=3), "4142 4300 5858", "ABC"),
        (register("string", length=2, order="BADC"), "4241 2043", "ABC"),
        (register("uint16", scale=0.25, offset=-10.0), "0064", 15.0),
        (register("uint16", scale=1000.0), "0003", 3000.0),
    ],
)
def test_values(one: Register, raw: str, value: object) -> None:
    assert value_of(one, bytes.fromhex(raw)) == value
    quality = Quality.BAD if value is None else Quality.GOOD
    assert reading("x", one, bytes.fromhex(raw)).quality is quality


NUMBERS = [kind for kind in WORDS if kind not in ("bool", "string")]


@given(st.sampled_from(NUMBERS), st.sampled_from(ORDERS), st.data())
def test_what_is_written_reads_back(kind: str, order: str, data: st.DataObject) -> None:
    one = register(kind, order=order)
    bits = 16 * WORDS[kind]
    if kind.startswith("float"):
        number: float = data.draw(st.floats(width=64 if bits == 64 else 32, allow_nan=False))
        if number in (float("inf"), float("-inf")):
            return
    else:
        low, high = (-(1 << bits - 1), 1 << bits - 1) if kind[0] == "i" else (0, 1 << bits)
        number = data.draw(st.integers(max(low, -(1 << 53)), min(high - 1, 1 << 53)))
    assert value_of(one, encoded(one, number)) == number


def test_what_does_not_fit_is_not_written() -> None:
    for kind, number in (("uint16", -1.0), ("int16", 40000.0), ("float32", 1e39)):
        with pytest.raises(ValueError, match=f"does not fit into {kind}"):
            encoded(register(kind), number)


def test_orders_are_their_own_inverse() -> None:
    for order in ORDERS:
        assert ordered(ordered(struct.pack(">Q", 0x0102030405060708), order), order) == bytes(
            range(1, 9)
        )


def test_digits() -> None:
    assert [digits(register("uint16", scale=s)) for s in (1.0, 0.1, 0.01, 0.25, 10.0)] == [
        0,
        1,
        2,
        2,
        0,
    ]
    assert digits(register("float32")) == 3
    assert digits(register("float32", digits=1)) == 1


registers = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.builds(
        lambda address, kind, table, optional: Register(
            address=address,
            quantity="level",
            kind="bool" if table == "coil" else kind,
            table=table,
            optional=optional,
        ),
        st.integers(0, 300),
        st.sampled_from(NUMBERS),
        st.sampled_from(["coil", "holding", "input"]),
        st.booleans(),
    ),
    min_size=1,
)


@given(registers, st.integers(4, 125), st.integers(0, 20))
def test_a_plan_reads_each_register_once(some: dict[str, Register], longest: int, gap: int) -> None:
    blocks = plan(some, longest, gap)
    assert sorted(name for block in blocks for name, _ in block.members) == sorted(some)
    for block in blocks:
        assert block.count <= longest
        assert not block.optional or len(block.members) == 1
        for _, one in block.members:
            assert one.table == block.table
            assert block.address <= one.address
            assert one.address + one.words <= block.address + block.count
        spans = [(one.address, one.address + one.words) for _, one in block.members]
        covered = {n for begin, end in spans for n in range(begin, end)}
        holes = sorted(set(range(block.address, block.address + block.count)) - covered)
        assert longest_run(holes) <= gap


def longest_run(numbers: list[int]) -> int:
    longest = run = 0
    for before, number in zip([-2, *numbers], numbers, strict=False):
        run = run + 1 if number == before + 1 else 1
        longest = max(longest, run)
    return longest
