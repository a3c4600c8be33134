"""The state of one evaluation: scopes, the journal that lets branches join, the step budget, the graph being built."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from selulint.evaluate import imports
from selulint.evaluate.building import Builder
from selulint.evaluate.flow import FALLS_THROUGH, Flow
from selulint.evaluate.joining import join, join_items
from selulint.evaluate.limits import (
    STEPS_ABROAD,
    STEPS_ABROAD_PER_FILE,
    STEPS_PER_FILE,
    STEPS_PER_ROOT,
    BudgetExhausted,
)
from selulint.evaluate.order import Order
from selulint.evaluate.replay import Template
from selulint.evaluate.values import (
    Builtin,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Imported,
    Instance,
    Layer,
    ListValue,
    Module,
    Mutable,
    Round,
    Scope,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
    next_serial,
)
from selulint.graph import Init, Place
from selulint.syntax.lazy import File
from selulint.syntax.names import CONVENTIONAL

_MISSING: Any = object()
# By target and key of a cell: the target, and what was in the cell before.
Changes = dict[tuple[int, Any], tuple[Mutable, Any]]
_BUILTINS = frozenset(
    "range len list tuple dict set frozenset zip enumerate reversed sorted isinstance issubclass getattr setattr hasattr "
    "int float str bool max min sum abs round print super type any all map filter iter next callable object vars id "
    "repr staticmethod divmod eval".split()
)


class Machine:
    """Evaluates one file. All writes to mutable values go through `write`, so that branches can be undone and joined."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.module = Module(path=os.path.abspath(file.source.path), file=file)
        self.modules = {self.module.path: self.module}
        self.builder = Builder()
        self.budget = self._granted = STEPS_PER_ROOT
        self.spent = 0
        self.chooser: Place | None = None
        self.created: list[Layer | Instance] = []
        self.order = Order()
        # Layers and objects of which a run has one or the other.
        self.alternatives: set[int] = set()
        self.used: set[int] = set()
        self.closures: list[FunctionValue] = []  # functions that functions define, in order
        # The arms of conditions that defaults decide which calls within the file leave alone.
        self.left_out: set[ast.AST] = set()
        # The strings with which defaults are compared, by the place of the default, and what such options choose among.
        self.asked: dict[Place, set[str]] = {}
        self.options: dict[Place, frozenset[str]] = {}
        # Keras's registry of names for the user's own activations, initialisers and layers.
        self.custom = DictValue()
        self.calls: list[FunctionValue] = []
        self.frames: list[Scope] = []  # of the functions that run, innermost last
        self.scopes: list[Any] = []  # of default arguments, innermost last (see `contrib`)
        self.deep_calls = 0
        self.hops = 0
        # Modules and names that star imports are being searched for, or do not bring there.
        self.starless: dict[tuple[str, str], None] = {}
        self.is_abroad = False
        self.door: Place | None = None  # the call by which this file got there
        self.allowance = 0
        self.allowance_left = STEPS_ABROAD_PER_FILE
        self.templates: dict[Any, Template | None] = {}
        # Writing to a tied object begins a new generation: what was copied before is no longer taken to be alike.
        self.generation = 0
        self.oldest_written = 0
        self._parts: dict[tuple[Unknown, Any], Unknown] = {}
        self.wholes: dict[Unknown, tuple[Unknown, Any]] = {}
        # Conventional names (`nn`, `F`, `tf`) that nothing in the file binds, as far as the file uses them.
        self.assumed: dict[str, str] = {}
        self._usual = 0
        self._journal: list[tuple[int, Changes]] = []
        self._watches: list[tuple[int, Changes]] = []

    def step(self) -> None:
        """Spend one step; raises BudgetExhausted when none is left."""
        self.budget -= 1
        if self.budget < 0:
            raise BudgetExhausted

    @property
    def branches(self) -> int:
        """How many conditions that nobody knows what is evaluated now depends on."""
        return len(self._journal)

    @property
    def is_usual(self) -> bool:
        """Whether what is evaluated now runs unless callers override the defaults of parameters."""
        return self._usual == len(self._journal)

    @contextmanager
    def usually(self, is_usual: bool) -> Iterator[None]:
        """While this holds, the innermost branch is (or is not) the one that the default of a parameter leads into."""
        self._usual += is_usual
        try:
            yield
        finally:
            self._usual -= is_usual

    def refill(self, most: int = STEPS_PER_ROOT) -> None:
        """Give the next root its steps, as far as the file has any left."""
        self.spent += self._granted - max(self.budget, 0)
        self.budget = self._granted = max(0, min(most, STEPS_PER_FILE - self.spent))
        self.allowance = min(STEPS_ABROAD, self.allowance_left)

    @contextmanager
    def abroad(self, door: Place | None) -> Iterator[None]:
        """While this holds, code of another file runs, which `door` calls.

        It runs on the allowance for such code, which is smaller than the budget. Raises BudgetExhausted at once where
        nothing is left of it.
        """
        granted, home = min(self.allowance, self.budget), self.budget
        if granted <= 0:
            raise BudgetExhausted
        self.budget, self.is_abroad, self.door = granted, True, door
        try:
            yield
        finally:
            spent = granted - max(self.budget, 0)
            self.budget, self.is_abroad, self.door = home - spent, False, None
            self.allowance -= spent
            self.allowance_left -= spent

    def write(self, target: Mutable, key: Any, value: Any) -> None:
        """Set a cell of a mutable value, remembering the old content for every branch that is being evaluated."""
        if target.serial < self.oldest_written:
            self.oldest_written = target.serial
        if target.tied and key != "weight" and key != "bias":
            self.generation += 1
        for started, frame in self._journal:
            if target.serial < started and (id(target), key) not in frame:
                frame[id(target), key] = (target, target.cells.get(key, _MISSING))
        for started, frame in self._watches:
            if target.serial < started and (id(target), key) not in frame:
                frame[id(target), key] = (target, target.cells.get(key, _MISSING))
        target.cells[key] = value

    @contextmanager
    def watched(self) -> Iterator[Changes]:
        """While this holds, what is written to older values is noted, with what was there before."""
        changes: Changes = {}
        self._watches.append((next_serial(), changes))
        try:
            yield changes
        finally:
            self._watches.pop()

    def touch(self, target: Mutable) -> None:
        """Tell that something about a mutable value changes which is no cell, so that it is not taken to be repeatable."""
        self.oldest_written = min(self.oldest_written, target.serial)
        self.generation += target.tied

    def remove(self, target: Mutable, key: Any) -> Any:
        """Take a cell out of a mutable value, as journalled as a write; None where there is none."""
        if key not in target.cells:
            return None
        old = target.cells[key]
        self.write(target, key, old)
        del target.cells[key]
        return old

    def branch(self, arms: Sequence[Callable[[], Flow]], usual: int | None = None) -> Flow:
        """Evaluate alternatives from the same state and continue with the join of those that fall through.

        Where a weight is initialised by the `usual` one, which runs unless callers say otherwise, its law is that one's.
        """
        began = next_serial()
        outcomes: list[tuple[Flow, Changes]] = []
        emitted: list[range] = []
        for arm in arms:
            first = len(self.builder.ops)
            frame: Changes = {}
            self._journal.append((next_serial(), frame))
            try:
                flow = arm()
            finally:
                self._journal.pop()
                finals = {key: (target, target.cells.get(key[1], _MISSING)) for key, (target, _) in frame.items()}
                for (_, key), (target, old) in frame.items():
                    _restore(target, key, old)
            outcomes.append((flow, finals))
            emitted.append(range(first, len(self.builder.ops)))
        self.builder.set_rivals(emitted)
        live = [finals for flow, finals in outcomes if flow in FALLS_THROUGH]
        usually = outcomes[usual][1] if usual is not None and outcomes[usual][0] in FALLS_THROUGH else None
        touched = {key: target for finals in live for key, (target, _) in finals.items()}
        for key, target in touched.items():
            current = target.cells.get(key[1], _MISSING)
            ends = [finals[key][1] if key in finals else current for finals in live]
            present = [end for end in ends if end is not _MISSING]
            if present:
                are_items = key[1] == "items" and all(type(end) is tuple for end in present)
                if are_items:
                    self.budget -= len(present[0]) // 64
                picked = None if usually is None else usually[key][1] if key in usually else current
                if not isinstance(picked, Init) or picked.place is None:
                    picked = join_items(present) if are_items else join(present)
                self.set_apart(picked, began)
                self.write(target, key[1], picked)
        if live:
            return Flow.NORMAL
        return outcomes[0][0] if outcomes else Flow.NORMAL

    def set_apart(self, value: Any, began: int) -> None:
        """Remember the alternatives that the arms of a branch have made since it began."""
        if type(value) is Either:
            made = [each.serial for each in value.options if isinstance(each, Layer | Instance)]
            self.alternatives.update(serial for serial in made if serial > began)

    def in_branch_since(self, target: Mutable) -> bool:
        """Whether a branch is being evaluated that not every run takes and that began after `target` was made."""
        return any(target.serial < started for started, _ in self._journal)

    def rehearse(self, arm: Callable[[], Any]) -> Any:
        """What evaluating something would give, without any trace of it."""
        frame: Changes = {}
        builder, self.builder = self.builder, Builder()
        self._journal.append((next_serial(), frame))
        try:
            return arm()
        finally:
            self._journal.pop()
            self.builder = builder
            for (_, key), (target, old) in frame.items():
                _restore(target, key, old)

    def part(self, whole: Unknown, key: Any) -> Unknown:
        """An attribute or item of something unknown: just as unknown, and the same each time."""
        found = self._parts.get((whole, key))
        if found is None:
            reason = (
                f"attribute `{key}` of something unknown" if isinstance(key, str) else "an item of something unknown"
            )
            found = self._parts[whole, key] = Unknown(reason, whole.parameter)
            self.wholes[found] = whole, key
        return found

    @contextmanager
    def chosen_by(self, chooser: Place | None) -> Iterator[None]:
        """While this holds, symbols that are evaluated were selected by the string default at `chooser`."""
        before = self.chooser
        self.chooser = chooser or before
        try:
            yield
        finally:
            self.chooser = before

    def ask(self, value: Value, *others: Value) -> None:
        """Note with what an assumed string is compared, or by what keys it chooses."""
        if isinstance(value, Const) and value.assumed and isinstance(value.value, str) and value.place is not None:
            strings = {each.value for each in others if isinstance(each, Const) and isinstance(each.value, str)}
            self.asked.setdefault(value.place, set()).update(strings)

    @contextmanager
    def decided_by(self, test: Value, *others: ast.AST) -> Iterator[None]:
        """While this holds, the arm runs that a condition leads into; `others` is what it leaves out."""
        before = self.chooser
        if isinstance(test, Const):
            self.chooser = test.chooser or before
            if test.omitted:
                self.left_out.update(others)
        try:
            yield
        finally:
            self.chooser = before

    def lookup(self, scope: Scope, name: str) -> Value:
        """The value of a name, along the scopes, then the module (loaded on demand), then the builtins."""
        where: Scope = scope
        while True:
            found: Value | None = where.cells.get(name)
            if found is not None and (name not in where.globals or where.parent is None):
                return found if type(found) is not Imported else self._settle(where, name, found)
            if where.parent is None:
                break
            where = where.parent
        assert isinstance(where, Module)
        loaded = self.load(where, name)
        if loaded is not None:
            return loaded
        if name in _BUILTINS:
            return Builtin(name)
        if name in CONVENTIONAL and name not in self.file.bindings:
            self.assumed[name] = CONVENTIONAL[name]
            return Symbol(CONVENTIONAL[name])
        return Unknown(f"the name `{name}` is not defined in this file")

    def _settle(self, where: Scope, name: str, imported: Imported) -> Value:
        """Replace a name that was imported from another file by what it means there."""
        value = imports.resolve(self, imported)
        where.cells[name] = value
        return value

    def load(self, module: Module, name: str) -> Value | None:
        """What a module binds a name to, evaluating the statement that does; None where it binds no such name."""
        if module.file is None:
            return None
        bindings = module.file.bindings.get(name, ())
        before = [index for index in bindings if index <= module.position]
        for index in reversed(before or bindings):
            if index not in module.loading:
                watches, self._watches = self._watches, []  # it would have run before whatever is watched
                try:
                    self.run_statement(module, index)
                finally:
                    self._watches = watches
                break
        found: Value | None = module.cells.get(name)
        if found is not None:
            return found if type(found) is not Imported else self._settle(module, name, found)
        return imports.from_stars(self, module, name)

    def run_statement(self, module: Module, index: int) -> None:
        """Evaluate one top-level statement in its module's scope."""
        from selulint.evaluate.statements import run_block

        outer_unit, outer_position = module.unit, module.position
        module.loading.add(index)
        module.unit = module.file.unit(index)
        module.position = max(module.position, index)
        journal, self._journal = self._journal, []
        oldest_written = self.oldest_written
        try:
            run_block(self, module.unit.body, module)
        finally:
            self._journal, self.oldest_written = journal, oldest_written
            module.loading.discard(index)
            module.unit, module.position = outer_unit, outer_position

    def truth(self, value: Any) -> bool | None:
        """Whether a value is true; None where it cannot be told or where callers may well decide otherwise."""
        match value:
            case Const(assumed=True, value=bool() | int() | float()):
                return None
            case Const():
                return bool(value.value)
            case TupleValue():
                return bool(value.items)
            case ListValue():
                return None if value.open or not _plain(value.items) else bool(value.items)
            case Either():
                truths = {self.truth(option) for option in value.options}
                return truths.pop() if len(truths) == 1 else None
            case Round():
                return bool(value.index) if value.is_first or value.index > 0 else None
            case Tensor() | Unknown():
                return None
            case Layer() | Instance() | FunctionValue() | Symbol():
                return True
        return None


def _plain(items: Sequence[Value]) -> bool:
    return not any(isinstance(item, Splice) for item in items)


def _restore(target: Mutable, key: Any, old: Any) -> None:
    if old is _MISSING:
        target.cells.pop(key, None)
    else:
        target.cells[key] = old
