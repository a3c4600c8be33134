"""From `path/file.py:Name` or `package.module:name` to a function that builds the model. Runs the user's code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import io
import linecache
import os
import sys
import tokenize
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from typing import Any, ClassVar

import torch

from selulint.verify.running import is_keras


class TargetError(Exception):
    """The target cannot be loaded, built or fed; the message is one line that says why."""


def load(target: str) -> tuple[Any, Any]:
    """The object that a target names, and the module in which it was found. Raises TargetError."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(f"`{target}` is not of the form path/file.py:Name or package.module:name")
    module = _load_file(place) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise TargetError(
                f"`{place}` has no `{name}`: it has {', '.join(_candidates(module)) or 'nothing to build'}"
            )
        found = getattr(found, part)
    return found, module


def _load_file(path: str) -> Any:
    if not os.path.isfile(path):
        raise TargetError(f"{path}: no such file")
    directory = os.path.dirname(os.path.abspath(path))
    parts = [os.path.basename(path).removesuffix(".py")]
    while os.path.isfile(os.path.join(directory, "__init__.py")):
        parts.insert(0, os.path.basename(directory))
        directory = os.path.dirname(directory)
    sys.path[:0] = [directory, os.getcwd()]
    if len(parts) > 1:
        return _load_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    # A file that is called like a module that is loaded must not take its place.
    name = parts[0] if parts[0] not in sys.modules else f"selulint_target_{parts[0]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, os.path.abspath(path)))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class _Loader(SourceFileLoader):
    """Loads Python files, with other texts in place of some of them, and never from or to a cache."""

    texts: ClassVar[dict[str, str]] = {}

    def get_data(self, path: str) -> bytes:
        text = self.texts.get(os.path.realpath(path))
        if text is None:
            return super().get_data(path)
        encoding = tokenize.detect_encoding(io.BytesIO(text.encode()).readline)[0]
        return text.encode(encoding)

    def path_stats(self, path: str) -> Mapping[str, Any]:
        if os.path.realpath(path) in self.texts:
            raise OSError("the bytecode on disk is another text's")
        return super().path_stats(path)


def replace_sources(texts: Mapping[str, str]) -> None:
    """From now on, import these texts in place of the files with these paths. The files are not touched."""
    if not texts:
        return
    _Loader.texts = {os.path.realpath(path): text for path, text in texts.items()}
    for path, text in _Loader.texts.items():
        # Code that looks at its own source sees what runs; no time stamp means that the file is not asked again.
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    kinds = (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Loader, SOURCE_SUFFIXES), (SourcelessFileLoader, [".pyc"])
    sys.path_hooks.insert(0, FileFinder.path_hook(*kinds))
    sys.path_importer_cache.clear()


def _load_module(name: str) -> Any:
    sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def _candidates(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (is_model(value) or (callable(value) and value.__module__ == module.__name__))
    ]


def is_model(value: Any) -> bool:
    return isinstance(value, torch.nn.Module) or is_keras(value)


def builder(found: Any, args: Any) -> tuple[Callable[[], Any], bool]:
    """A function that builds the model anew, and whether it can: a finished model is always the same one.

    `args` is None, a list of positional or a dict of keyword arguments, or {"args": [...], "kwargs": {...}}.
    """
    if is_model(found):
        return (lambda: found), False
    if not callable(found):
        raise TargetError(f"the target is a {type(found).__name__}, not a model, a class or a function that builds one")
    positional, keywords = _split(args)
    try:
        inspect.signature(found).bind(*positional, **keywords)
    except TypeError as error:
        raise TargetError(f"{error}: give the arguments by --args, as JSON") from error
    except ValueError:
        pass

    def build() -> Any:
        model = found(*positional, **keywords)
        if not is_model(model):
            raise TargetError(f"the target gave a {type(model).__name__}, not a PyTorch or Keras model")
        return model

    return build, True


def _split(args: Any) -> tuple[Sequence[Any], dict[str, Any]]:
    if args is None:
        return (), {}
    if isinstance(args, list):
        return args, {}
    if isinstance(args, dict) and set(args) <= {"args", "kwargs"} and args:
        return args.get("args", ()), args.get("kwargs", {})
    if isinstance(args, dict):
        return (), args
    raise TargetError("--args must be a JSON list or object")
