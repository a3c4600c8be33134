"""What code left behind when it had run: which of the objects that it built are models."""

from __future__ import annotations

import ast
from typing import Any

from selulint.evaluate import entries, layers, modules
from selulint.evaluate.calls import Arguments
from selulint.evaluate.machine import Machine
from selulint.evaluate.sequences import raw_items
from selulint.evaluate.values import Instance, Layer, ListValue, Value
from selulint.frameworks import SPECS
from selulint.graph import Kind, Model, Place

_SEQUENTIAL = "torch.nn.Sequential"


def outermost(vm: Machine, created: list[Layer | Instance]) -> list[Layer | Instance]:
    """Those that no other model holds; an object that is no model itself (an agent, a trainer) does not count as one."""
    models = [
        each for each in created if is_here(vm, each.place) and (isinstance(each, Layer) or entries.is_model(each))
    ]
    inner: set[int] = set()
    for each in models:
        # Whatever holds modules is itself among the created ones, so that direct children are enough.
        inner.update(id(module) for _, module in modules.named_children(each))
    return [each for each in models if id(each) not in inner]


def without_stock(created: list[Layer | Instance], result: Value) -> list[Layer | Instance]:
    """Without the sequences that a function makes only to take parts out of them: others hold these parts."""
    given = {id(each) for each in (result, *(raw_items(result) or ()))}
    held = {id(each): {id(module) for _, module in modules.walk(each)} for each in created} if len(created) > 1 else {}

    def is_stock(each: Layer | Instance) -> bool:
        if isinstance(each, Instance) or id(each) in given:
            return False
        # An activation may well serve several.
        children = (child for _, child in modules.named_children(each))
        parts = {id(child) for child in children if isinstance(child, Instance) or child.spec.kind != "activation"}
        return any(not parts.isdisjoint(inside) for other, inside in held.items() if other != id(each))

    return [each for each in created if not is_stock(each)]


def is_here(vm: Machine, place: Place | None) -> bool:
    """Whether something was built by code of the file that is looked at."""
    return place is None or place.unit.file is vm.file


def sequences(vm: Machine, node: Any, result: Value) -> list[Layer]:
    """A list of layers with activations among them, as a function returns it: callers make a sequence of it."""
    if not isinstance(result, ListValue) or not isinstance(node, ast.FunctionDef):
        return []
    inside = [item for item in result.items if isinstance(item, Layer) and item.place is not None]
    if not {"parametric", "activation"} <= {item.spec.kind for item in inside}:
        return []
    unit = next(item.place.unit for item in inside if item.place is not None)
    made = Layer(name=_SEQUENTIAL, spec=SPECS[_SEQUENTIAL], place=Place(node, unit), label=node.name)
    layers.fill(vm, made, Arguments((result,)))
    return [made]


def held(instance: Instance, models: list[Model]) -> dict[str, list[Layer]]:
    """By attribute, the sequences that a module holds, by themselves or in lists, and that its forward does not apply."""
    if any(model.unfinished for model in models):
        return {}
    applied = {op.place for model in models for op in model.of(Kind.PARAMETRIC)}
    found: dict[str, list[Layer]] = {}
    stack = list(modules.named_children(instance))
    while stack:
        name, child = stack.pop()
        if not isinstance(child, Layer) or not child.is_container:
            continue
        if child.spec.function != "sequential":
            stack.extend((name, inner) for _, inner in modules.named_children(child))
            continue
        weighted = {layer.place for layer in modules.layers_in(child) if layer.spec.kind == "parametric"}
        if weighted and applied.isdisjoint(weighted):
            found.setdefault(name, []).append(child)
    return found


def attributes_in(node: ast.AST) -> set[str]:
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load)}
