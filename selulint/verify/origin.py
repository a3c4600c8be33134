"""Where a model's own code is written: the classes that make a layer, and the files. Looks at the user's objects."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import torch

from selulint.verify.measure import is_library

# A file, its first line and its last.
Lines = tuple[str, int, int]


_MADE = "_selulint_made"


@contextlib.contextmanager
def recorded() -> Iterator[None]:
    """While this is entered, every layer that is made remembers by which lines of the model's own code."""
    kinds = [torch.nn.Module]
    layer = getattr(getattr(sys.modules.get("keras"), "layers", None), "Layer", None)
    if layer is not None:
        kinds.append(layer)
    before = [(kind, kind.__init__) for kind in kinds]
    for kind, original in before:
        kind.__init__ = _recording(original)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for kind, original in before:
            kind.__init__ = original  # type: ignore[method-assign]


def _recording(original: Any) -> Any:
    @functools.wraps(original)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if _MADE not in self.__dict__:
            self.__dict__[_MADE] = _makers()

    return made


def _makers() -> list[Lines]:
    """The lines that are running now, the innermost first, and behind them the functions that they stand in."""
    lines: list[Lines] = []
    functions: list[Lines] = []
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") not in _RUNNERS:
        code = frame.f_code
        if not is_library(code.co_filename):
            path = os.path.abspath(code.co_filename)
            lines.append((path, frame.f_lineno, frame.f_lineno))
            if code.co_name != "<module>":
                last = max((line for _, _, line in code.co_lines() if line), default=frame.f_lineno)
                functions.append((path, code.co_firstlineno, last))
        frame = frame.f_back
    return lines + functions


# What stands behind these built the model.
_RUNNERS = ("selulint.verify.child", "selulint.verify.inprocess", "selulint.verify.target")


def owners_of(model: Any, target: Any, layers: Iterable[str]) -> dict[str, list[Lines]]:
    """Who makes each layer, the innermost first; "" is the whole model. Only the model's own code, no framework's."""
    outermost = [each for each in (*_classes(model), _lines(target)) if each is not None]
    if not outermost:  # a model that was put together of library layers, where its file was loaded
        outermost = _made(model)
    parts: Iterable[Any] = (
        model.modules() if isinstance(model, torch.nn.Module) else getattr(model, "_flatten_layers", list)()
    )
    kinds = {type(each): each for each in parts}
    everything = [*outermost, *(each for part in kinds.values() for each in _classes(part))]
    found: dict[str, list[Lines]] = {"": list(dict.fromkeys(everything))}
    for layer in layers:
        if layer not in found:
            path = _path(model, layer)
            made = _made(path[-1]) if path else []
            inner = [each for part in reversed(path) for each in _classes(part)]
            found[layer] = list(dict.fromkeys([*made, *inner, *outermost]))
    return found


def files_of(target: Any, module: Any) -> list[str]:
    """The files of the target's project that were loaded: what stands in its package, or beside and below its file.

    The first is the one that defines the target, else the one of the module in which it was found.
    """
    home = getattr(sys.modules.get(getattr(_code(target), "__module__", "")), "__file__", None)
    if not home or is_library(home):
        home = getattr(module, "__file__", None)
    if not home:
        return []
    home = os.path.abspath(home)
    folder = os.path.dirname(home)
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    installed = (sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"])
    found = {home}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
        if isinstance(path, str) and path.endswith(".py") and folder not in installed:
            path = os.path.abspath(path)
            if path.startswith(folder + os.sep) and not path.startswith(installed) and not is_library(path):
                found.add(path)
    return sorted(found, key=lambda path: (path != home, path))


def _code(target: Any) -> Any:
    while isinstance(target, functools.partial):
        target = target.func
    if isinstance(target, (type, FunctionType)) or inspect.ismethod(target):
        return inspect.unwrap(target)
    return type(target)


def _made(value: Any) -> list[Lines]:
    found: list[Lines] = getattr(value, "__dict__", {}).get(_MADE, [])
    return found


def _classes(value: Any) -> list[Lines]:
    """The classes of an object that are the model's own, the most derived first."""
    lines = (_lines(each) for each in type(value).__mro__)
    return [each for each in lines if each is not None]


def _lines(value: Any) -> Lines | None:
    value = _code(value)
    try:
        path = inspect.getsourcefile(value)
        if path is None or is_library(path):
            return None
        lines, first = inspect.getsourcelines(value)
    except (OSError, TypeError):
        return None
    return os.path.abspath(path), first, first + len(lines) - 1


def _path(model: Any, layer: str) -> list[Any]:
    """The modules on the way from a model to one of its layers."""
    found: list[Any] = []
    here = model
    if isinstance(model, torch.nn.Module):
        for part in layer.split("."):
            here = getattr(here, part, None)
            if not isinstance(here, torch.nn.Module):
                break
            found.append(here)
        if found:
            return found
    name = layer.rpartition("/")[2]
    return [each for each in getattr(model, "_flatten_layers", list)() if getattr(each, "name", None) == name][:1]
