"""One of several evaluations, none of which certainly happens: the value is the join of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selulint.evaluate.flow import Flow
from selulint.evaluate.joining import join
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import BoundMethod, Instance, Layer, ModuleAttribute, Unknown, Value, next_serial

# Methods that compute; others of a framework change what they are called on.
_COMPUTING = frozenset({"forward", "call", "__call__", "__init__"})


def evaluated(vm: Machine, runs: Sequence[Callable[[], Value]]) -> Value:
    """The value of each of `runs` from the same state, joined; modules that they make are alternatives to each other."""
    began = next_serial()
    results: list[Value] = []

    def arm(run: Callable[[], Value]) -> Callable[[], Flow]:
        def run_arm() -> Flow:
            results.append(run())
            return Flow.NORMAL

        return run_arm

    vm.branch([arm(run) for run in runs])
    joined: Value = join(results) if results else Unknown("a call of None")
    vm.set_apart(joined, began)
    return joined


def is_apart(vm: Machine, value: Value) -> bool:
    """Whether this is a module that a run has in place of others, or a parameter of such a one."""
    owner = value.owner if isinstance(value, ModuleAttribute) else value
    return isinstance(owner, Layer | Instance) and owner.serial in vm.alternatives


def writes_apart(vm: Machine, method: Value) -> bool:
    """Whether this is a framework's method, such as `normal_`, of what a run has in place of others."""
    is_own = not isinstance(method, BoundMethod) or not isinstance(method.method, str) or method.method in _COMPUTING
    return not is_own and isinstance(method, BoundMethod) and is_apart(vm, method.receiver)
