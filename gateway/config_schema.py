"""What a table may hold: one description for reading, for help texts and for the JSON Schema.

It comes from where the values are used: the fields of a settings dataclass, or the keyword
arguments of a driver's constructor, each with a type, a default and an `Option` note.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from drivers.base import Option


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One key: its type without the note, its note, and its default unless it is required.

    name: of the field or argument. One that is a word of Python has a _ behind it, its key none.
    """

    name: str
    type: Any
    note: Option
    required: bool = False
    default: Any = None

    @property
    def key(self) -> str:
        return self.name.rstrip("_")


def fields_of(cls: type) -> dict[str, Setting]:
    """The keys of a settings dataclass. A field without an `Option` is not read from the file."""
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for field in dataclasses.fields(cls):
        kind, note = split(hints[field.name])
        if note is None:
            continue
        if field.default_factory is not dataclasses.MISSING:
            default: Any = field.default_factory()
        else:
            default = field.default
        required = default is dataclasses.MISSING
        setting = Setting(field.name, kind, note, required, None if required else default)
        found[setting.key] = setting
    return found


def arguments_of(cls: Callable[..., Any]) -> tuple[Any | None, dict[str, Setting]]:
    """The type of a constructor's positional argument (a driver's bus; None), and its keywords."""
    signature = inspect.signature(cls)
    described: Any = cls.__init__ if isinstance(cls, type) else cls  # type: ignore[misc]
    hints = get_type_hints(described, include_extras=True)
    bus = None
    options: dict[str, Setting] = {}
    for parameter in signature.parameters.values():
        hint = hints.get(parameter.name, Any)
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            bus = hint if bus is None else bus
            continue
        kind, note = split(hint)
        required = parameter.default is inspect.Parameter.empty
        default = None if required else parameter.default
        options[parameter.name] = Setting(
            parameter.name, kind, note or Option(""), required, default
        )
    return bus, options


def split(hint: Any) -> tuple[Any, Option | None]:
    """`Annotated[float, Option(...)]` into float and the note."""
    if get_origin(hint) is not Annotated:
        return hint, None
    kind, *notes = get_args(hint)
    return kind, next((note for note in notes if isinstance(note, Option)), None)
