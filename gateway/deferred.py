"""Modules that our libraries import at their head and the daemon hardly ever uses, put off.

paho imports urllib.request for the environment's proxies, gpiozero importlib.metadata for pin
factories of third parties. Both bring the e-mail parser, an HTTP client and zip files with them:
2 MB for years. gpiozero's classes of devices and boards, with colours, tones and statistics, are
2 MB more; we use its pins alone. Whoever uses an attribute gets the real module then, so nothing
else changes.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

UNUSED: dict[str, tuple[str, ...] | None] = {
    "urllib.request": (),
    "importlib.metadata": ("entry_points",),
    "statistics": ("median",),
    "gpiozero.boards": None,
    "gpiozero.input_devices": None,
    "gpiozero.internal_devices": None,
    "gpiozero.output_devices": None,
    "gpiozero.spi_devices": None,
}
"""By name; with the functions that a library takes by `from ... import` and may call later.

None: whatever it takes from there are functions, or classes of which objects may be made later.
"""


def defer() -> None:
    """Call it before paho and gpiozero are imported. What is loaded already stays as it is."""
    for name, functions in UNUSED.items():
        if name not in sys.modules:
            parent, _, child = name.rpartition(".")
            sys.modules[name] = _Deferred(name, functions)
            if parent and functions is not None:  # else the parent would be imported for it
                setattr(importlib.import_module(parent), child, sys.modules[name])


class _Deferred(ModuleType):
    def __init__(self, name: str, functions: tuple[str, ...] | None) -> None:
        super().__init__(name)
        self._any = functions is None
        for function in functions or ():
            setattr(self, function, _Later(self, function))

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            # The import system asks for __path__ and __spec__: that is no use of the module.
            raise AttributeError(attribute)
        if self._any:
            return _Later(self, attribute)
        return getattr(self.real(), attribute)

    def real(self) -> ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


class _Later:
    """A function of a module that is not loaded before the function is called."""

    def __init__(self, module: _Deferred, function: str) -> None:
        self._module, self._function = module, function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return getattr(self._module.real(), self._function)(*arguments, **named)
