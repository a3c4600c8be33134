"""Classes of the file that inherit from a framework's layer: the layer inside them, built by `super().__init__`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selulint.evaluate import layers
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import ClassValue, Instance, Layer, Symbol
from selulint.frameworks import SPECS
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

# The cell of an object that holds the framework layer which it is.
BASE = "base"
_LAYERS = frozenset({"parametric", "activation", "norm", "dropout", "pool", "reshape", "scale"})


def layer_base(cls: ClassValue) -> Symbol | None:
    """The framework layer (`nn.Conv2d`, `keras.layers.Dense`) that a class inherits from, if any."""
    for base in cls.mro():
        if isinstance(base, Symbol) and base.name in SPECS:
            spec = SPECS[base.name]
            return base if spec.kind in _LAYERS and not spec.functional else None
    return None


def base_of(instance: Instance) -> Layer | None:
    """The framework layer that an object is, once its constructor has run."""
    found = instance.cells.get(BASE)
    return found if isinstance(found, Layer) else None


def build(vm: Machine, instance: Instance, args: Arguments, place: Place) -> None:
    """What the constructor of the framework's class does: from now on the object is a layer."""
    symbol = layer_base(instance.cls)
    if symbol is None:
        return
    made = layers.construct(vm, Symbol(symbol.name), SPECS[symbol.name], args, place)
    if isinstance(made, Layer):
        # What spells the class here is no name of the framework, so that no fix may respell it.
        made.symbol, made.place = None, place
        vm.write(instance, BASE, made)
