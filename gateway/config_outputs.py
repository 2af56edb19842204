"""What the outputs of a configuration promise together: interlock groups, load budgets, states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.config_check import check_unique
from gateway.config_devices import Configured
from gateway.config_report import Place, nearest
from gateway.limits import is_on
from gateway.settings import LoadBudgetSettings, OutputSettings


def check_outputs(
    devices: Sequence[Configured], budgets: Sequence[tuple[LoadBudgetSettings, Place]]
) -> None:
    outputs = list(_outputs(devices))
    for output, device in outputs:
        _check_output(output, device.place)
    _check_interlocks(outputs)
    check_unique((budget.name, place.at("name")) for budget, place in budgets)
    _check_budgets(outputs, budgets)


def _outputs(devices: Sequence[Configured]) -> Iterator[tuple[OutputSettings, Configured]]:
    for device in devices:
        if device.settings.output is not None:
            yield device.settings.output, device


def _check_output(output: OutputSettings, place: Place) -> None:
    if 0 < output.max_on < output.min_on:
        place.at("max_on").error(f"must not be shorter than min_on, which is {output.min_on:g} s")
    if output.dead_time and not output.interlock:
        place.at("dead_time").error("needs the name of a group in interlock")
    if output.interlock and is_on(output.start):
        place.at("start").error(
            "an output of an interlock group cannot start on",
            "a rule or a command can switch it on when the others are known to be off",
        )
    if output.load and not output.load_budget:
        place.at("load").error("needs the name of a [[load_budget]] in load_budget")


def _check_interlocks(outputs: Sequence[tuple[OutputSettings, Configured]]) -> None:
    groups: dict[str, list[Configured]] = {}
    for output, device in outputs:
        if output.interlock:
            groups.setdefault(output.interlock, []).append(device)
    for name, members in groups.items():
        if len(members) == 1:
            hint = nearest(name, set(groups) - {name}) or "a group of one locks nothing"
            members[0].place.at("interlock").warn(f'group "{name}" has no other output', hint)


def _check_budgets(
    outputs: Sequence[tuple[OutputSettings, Configured]],
    budgets: Sequence[tuple[LoadBudgetSettings, Place]],
) -> None:
    limits = {budget.name: budget.limit for budget, _ in budgets}
    starting = dict.fromkeys(limits, 0.0)
    for output, device in outputs:
        name, place = output.load_budget, device.place
        if not name:
            continue
        if name not in limits:
            hint = nearest(name, limits) or "add a [[load_budget]] with this name and its limit"
            place.at("load_budget").error(f'there is no [[load_budget]] "{name}"', hint)
            continue
        if output.load == 0:
            place.at("load").error("is missing: what it takes of the budget, in W")
        elif output.load > limits[name]:
            place.at("load").error(f"is more than the whole budget, {limits[name]:g} W")
        starting[name] += output.load if is_on(output.start) else 0.0
        if starting[name] > limits[name]:
            place.at("start").error(f'the outputs that start on take more than "{name}" allows')
