"""Keras 3 in place of `tf.keras` where TensorFlow is not installed: most code that says `tf.keras` needs nothing else."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from selulint.verify.measure import is_library

_PACKAGE = "tensorflow"
NOTE = "TensorFlow is not installed: Keras on torch stands in for `tf.keras`"


class _TensorFlow(ModuleType):
    """What is imported as `tensorflow`: it has `keras`, and says so when it is asked for something else."""

    def __getattr__(self, name: str) -> Any:
        if name == "keras":
            return importlib.import_module("keras")
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"{NOTE}, but there is nothing for `tf.{name}`")


class _StandIn(Loader, MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if (fullname == _PACKAGE or fullname.startswith(f"{_PACKAGE}.keras")) and _asked_by_the_model():
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.name != _PACKAGE:
            return None
        # Keras looks once whether TensorFlow is there, to use it: it must not find us, now or later.
        with contextlib.suppress(ImportError, AttributeError):
            _ = importlib.import_module("keras.src.utils.module_utils").tensorflow.available
        return _TensorFlow(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ != _PACKAGE:
            sys.modules[module.__name__] = importlib.import_module(module.__name__.removeprefix(f"{_PACKAGE}."))


def _asked_by_the_model() -> bool:
    """Whether the code that imports is the model's own; libraries that can use TensorFlow are to go on without."""
    frame: Any = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return (
        frame is not None
        and "site-packages" not in frame.f_code.co_filename
        and not is_library(frame.f_code.co_filename)
    )


def install() -> None:
    """Let `import tensorflow` find Keras, if TensorFlow is not there and Keras is."""
    if importlib.util.find_spec(_PACKAGE) is None and importlib.util.find_spec("keras") is not None:
        sys.meta_path.append(_StandIn())


def is_used() -> bool:
    return isinstance(sys.modules.get(_PACKAGE), _TensorFlow)
