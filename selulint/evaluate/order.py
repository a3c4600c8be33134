"""The order of initialisation: what another initialiser overwrites before it served, what runs before the layers exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from selulint.evaluate.values import Array, Instance, Layer, ModuleAttribute, Value, next_serial
from selulint.graph import Init, Lost, Model, Place

if TYPE_CHECKING:
    from selulint.evaluate.machine import Machine

LOST = "lost"
# What a rehearsal may show of one sweep: a deep model repeats its layers.
MAX_LATE = 16
# Parts of the names of functions that train what they are given.
_TRAINS = ("train", "fit", "learn", "optimi", "epoch")
# Stands among the layers that an initialiser writes for one that nothing overwrites.
_SOMETHING_ELSE = 0


@dataclass(frozen=True, slots=True)
class Sweep:
    """A visit to all modules inside `receiver` as they were at `serial`; `visit` makes it again, to one layer only."""

    receiver: Instance
    serial: int
    visit: Callable[[Layer], object]
    place: Place


@dataclass(slots=True)
class Order:
    """What is known about the order so far.

    `building` are the objects whose constructors run, innermost last; `written` tells for each initialiser which layers'
    weights it wrote, `authors` for each layer in whose constructor that last happened; `copied` are layers that stand for
    several; `served` are modules whose weights something has used.
    """

    building: list[Instance] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)
    written: dict[Place, set[int]] = field(default_factory=dict)
    authors: dict[int, Instance] = field(default_factory=dict)
    copied: set[int] = field(default_factory=set)
    served: set[int] = field(default_factory=set)


def serve_if_trained(vm: Machine, name: str, values: Iterable[Value]) -> None:
    """A function that nobody knows got modules: where it trains them, it uses the weights that they start with."""
    last = name.rpartition(".")[2].lower()
    if any(part in last for part in _TRAINS) and "pretrain" not in last:
        vm.order.served.update(value.serial for value in values if isinstance(value, Layer | Instance))


def comes_first(vm: Machine, module: Layer | Instance) -> bool:
    """Whether every run loads the weights that are loaded now, and before what the module started with could serve."""
    is_built = not any(module is each for each in vm.order.building)
    return not vm.in_branch_since(module) and not (is_built and module.serial in vm.order.served)


def lose(vm: Machine, layer: Layer, lost: Lost) -> None:
    """Remember an initialisation that has no effect on a layer."""
    before = layer.cells.get(LOST)
    vm.write(layer, LOST, (*(before if isinstance(before, tuple) else ()), lost))


def note(vm: Machine, owner: ModuleAttribute | Array, init: Init) -> None:
    """An initialiser is about to write a parameter, all of it: what was there is lost where both belong to one constructor."""
    if init.place is None:
        return
    written = vm.order.written.setdefault(init.place, set())
    # One that callers choose among several does not always come here.
    author = _author(vm, owner) if init.chooser is None else None
    if author is None or not isinstance(owner, ModuleAttribute):
        written.add(_SOMETHING_ELSE)
        return
    layer = owner.owner
    before = layer.init("weight")
    written.add(layer.serial)
    is_own = vm.order.authors.get(layer.serial) is author
    vm.order.authors[layer.serial] = author
    if is_own and isinstance(before, Init) and before.place not in (None, init.place) and before.name.endswith("_"):
        assert before.place is not None
        lose(vm, layer, Lost(before, before.place, "overwritten", init.place))


def _author(vm: Machine, owner: ModuleAttribute | Array) -> Instance | None:
    """The object whose constructor certainly, and as its own business, writes a weight; None for everything else."""
    if not isinstance(owner, ModuleAttribute) or owner.name != "weight" or not vm.order.building:
        return None
    layer = owner.owner
    is_certain = not vm.in_branch_since(layer) and layer.serial not in vm.order.copied
    # What a layer does when it resets itself is a default for whoever uses it.
    if not is_certain or layer.spec.kind != "parametric" or any(each.name == "reset_parameters" for each in vm.calls):
        return None
    return vm.order.building[-1]


def sweep(vm: Machine, receiver: Value, visit: Callable[[Layer], Any], place: Place) -> None:
    """Something visits all modules of an object: of interest where its constructor still runs."""
    if not any(receiver is each for each in vm.order.building) or not isinstance(receiver, Instance):
        return
    constructor = next((each for each in reversed(vm.calls) if each.name == "__init__"), None)
    # What a base class initialises, it means for the layers of its own.
    if constructor is receiver.cls.find("__init__") and not vm.in_branch_since(receiver):
        vm.order.sweeps.append(Sweep(receiver, next_serial(), visit, place))


def built(vm: Machine, instance: Instance) -> None:
    """A constructor has ended: mark the layers that keep their default since what would initialise them came too early."""
    own = [each for each in vm.order.sweeps if each.receiver is instance]
    if not own:
        return
    from selulint.evaluate.modules import layers_in

    vm.order.sweeps = [each for each in vm.order.sweeps if each.receiver is not instance]
    late = [layer for layer in layers_in(instance) if layer.serial > own[0].serial and _is_untouched(layer)]
    for layer in late[:MAX_LATE]:
        for each in own:
            missed = vm.rehearse(partial(_visited, layer, each.visit)) if layer.serial > each.serial else None
            if isinstance(missed, Init) and not missed.default and missed.place is not None:
                lose(vm, layer, Lost(missed, each.place, "early", missed.place))
                break


def _is_untouched(layer: Layer) -> bool:
    init = layer.init("weight")
    return layer.spec.kind == "parametric" and isinstance(init, Init) and init.default and LOST not in layer.cells


def _visited(layer: Layer, visit: Callable[[Layer], object]) -> Init | None:
    """The initialisation that a visit gives to a layer like this one."""
    from selulint.evaluate.initialise import set_defaults

    twin = Layer(name=layer.name, spec=layer.spec, args=layer.args, label=layer.label)
    set_defaults(twin)
    visit(twin)
    return twin.init("weight")


def copied(vm: Machine, value: Value) -> Value:
    """`copy.deepcopy(module)`: the evaluator goes on with one object that stands for two."""
    from selulint.evaluate.modules import layers_in

    if isinstance(value, Layer | Instance):
        vm.order.copied.update(layer.serial for layer in layers_in(value))
    return value


def settle(vm: Machine, models: list[Model]) -> None:
    """Keep of the overwritten initialisers those that no layer of the file has in the end."""
    ops = [op for model in models for op in model.ops if op.lost]
    if not ops:
        return
    dead: dict[Place, set[int]] = {}
    for op in ops:
        for lost in op.lost:
            dead.setdefault(lost.place, set()).add(op.layer)
    for model in models:
        model.ops = tuple(
            replace(op, lost=tuple(each for each in op.lost if _is_dead(vm, each, dead))) if op.lost else op
            for op in model.ops
        )


def _is_dead(vm: Machine, lost: Lost, dead: dict[Place, set[int]]) -> bool:
    """An overwritten one is dead where the two write exactly the same weights: a general one behind it is no mistake."""
    if lost.cause != "overwritten":
        return True
    written = vm.order.written[lost.place]
    return lost.by is not None and written <= dead[lost.place] and written == vm.order.written[lost.by]
