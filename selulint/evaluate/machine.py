"""The state of one evaluation: scopes, the journal that lets branches join, the step budget, the graph being built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from itertools import count
from typing import Any

import libcst as cst

from selulint.evaluate.building import Builder
from selulint.evaluate.values import (
    Builtin,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Mutable,
    Scope,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
    join,
    join_items,
    next_serial,
)
from selulint.frameworks import SPECS
from selulint.graph import Place
from selulint.syntax.lazy import File
from selulint.syntax.names import CONVENTIONAL, imported

STEPS_PER_FILE = 400_000
STEPS_PER_ROOT = 50_000
MAX_CALL_DEPTH = 40
# A recursion that unknown conditions lead into would go on for ever; one that constants decide comes to its end.
MAX_RECURSION = 3
MAX_DECIDED_RECURSION = 4

_MISSING: Any = object()
_BUILTINS = frozenset(
    "range len list tuple dict set frozenset zip enumerate reversed sorted isinstance issubclass getattr setattr hasattr "
    "int float str bool max min sum abs round print super type any all map filter iter next callable object vars id "
    "repr staticmethod divmod".split()
)


class Flow(Enum):
    """How a block ended."""

    NORMAL = 0
    RETURN = 1
    BREAK = 2
    CONTINUE = 3


class BudgetExhausted(Exception):
    """The code asks for more evaluation than a linter may spend on it."""


class Machine:
    """Evaluates one file. All writes to mutable values go through `write`, so that branches can be undone and joined."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.module = Scope()
        self.builder = Builder()
        self.budget = self._granted = STEPS_PER_ROOT
        self.spent = 0
        self.chooser: Place | None = None
        self.created: list[Layer | Instance] = []
        self.used: set[int] = set()
        # Keras's registry of names for the user's own activations, initialisers and layers.
        self.custom = DictValue()
        self.calls: list[FunctionValue] = []
        self.scopes: list[Scope] = []
        # Conventional names (`nn`, `F`, `tf`) that nothing in the file binds, as far as the file uses them.
        self.assumed: dict[str, str] = {}
        self._journal: list[tuple[int, dict[tuple[int, Any], tuple[Mutable, Any]]]] = []
        self._loading: set[int] = set()
        self._position = -1

    def step(self) -> None:
        """Spend one step; raises BudgetExhausted when none is left."""
        self.budget -= 1
        if self.budget < 0:
            raise BudgetExhausted

    @property
    def is_branching(self) -> bool:
        """Whether what is evaluated now depends on a condition that nobody knows."""
        return bool(self._journal)

    def refill(self) -> None:
        """Give the next root its steps, as far as the file has any left."""
        self.spent += self._granted - max(self.budget, 0)
        self.budget = self._granted = max(0, min(STEPS_PER_ROOT, STEPS_PER_FILE - self.spent))

    def write(self, target: Mutable, key: Any, value: Any) -> None:
        """Set a cell of a mutable value, remembering the old content for every branch that is being evaluated."""
        for started, frame in self._journal:
            if target.serial < started and (id(target), key) not in frame:
                frame[id(target), key] = (target, target.cells.get(key, _MISSING))
        target.cells[key] = value

    def remove(self, target: Mutable, key: Any) -> Any:
        """Take a cell out of a mutable value, as journalled as a write; None where there is none."""
        if key not in target.cells:
            return None
        old = target.cells[key]
        self.write(target, key, old)
        del target.cells[key]
        return old

    def branch(self, arms: Sequence[Callable[[], Flow]]) -> Flow:
        """Evaluate alternatives from the same state and continue with the join of those that fall through."""
        outcomes: list[tuple[Flow, dict[tuple[int, Any], tuple[Mutable, Any]]]] = []
        emitted: list[range] = []
        for arm in arms:
            first = len(self.builder.ops)
            frame: dict[tuple[int, Any], tuple[Mutable, Any]] = {}
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
        live = [finals for flow, finals in outcomes if flow in (Flow.NORMAL, Flow.CONTINUE)]
        touched = {key: target for finals in live for key, (target, _) in finals.items()}
        for key, target in touched.items():
            current = target.cells.get(key[1], _MISSING)
            ends = [finals[key][1] if key in finals else current for finals in live]
            present = [end for end in ends if end is not _MISSING]
            if present:
                joined = join_items(present) if key[1] == "items" else join(present)
                self.write(target, key[1], joined)
        if live:
            return Flow.NORMAL
        return outcomes[0][0] if outcomes else Flow.NORMAL

    @contextmanager
    def chosen_by(self, chooser: Place | None) -> Iterator[None]:
        """While this holds, symbols that are evaluated were selected by the string default at `chooser`."""
        before = self.chooser
        self.chooser = chooser or before
        try:
            yield
        finally:
            self.chooser = before

    def lookup(self, scope: Scope, name: str) -> Value:
        """The value of a name, along the scopes, then the module (loaded on demand), then the builtins."""
        where: Scope | None = scope
        while where is not None:
            found: Value | None = where.cells.get(name)
            if found is not None and (name not in where.globals or where is self.module):
                return found
            where = where.parent
        loaded = self._load(name)
        if loaded is not None:
            return loaded
        if name in _BUILTINS:
            return Builtin(name)
        if name in CONVENTIONAL and name not in self.file.bindings:
            self.assumed[name] = CONVENTIONAL[name]
            return Symbol(CONVENTIONAL[name])
        return Unknown(f"the name `{name}` is not defined in this file")

    def _load(self, name: str) -> Value | None:
        bindings = self.file.bindings.get(name, ())
        before = [index for index in bindings if index <= self._position]
        for index in reversed(before or bindings):
            if index not in self._loading:
                self.run_statement(index)
                break
        if name in self.module.cells:
            found: Value = self.module.cells[name]
            return found
        for package in self._star_imports():
            if f"{package}.{name}" in SPECS:
                return Symbol(f"{package}.{name}")
        return None

    def _star_imports(self) -> list[str]:
        if "*" not in self.module.cells:
            names = []
            for index in self.file.bindings.get("*", ()):
                for node in _imports(self.file.unit(index).body):
                    star = imported(node).get("*")
                    names.append(star or "")
            self.module.cells["*"] = names
        stars: list[str] = self.module.cells["*"]
        return stars

    def run_statement(self, index: int) -> None:
        """Evaluate one top-level statement in the module's scope."""
        from selulint.evaluate.statements import run_block

        outer_unit, outer_position = self.module.unit, self._position
        self._loading.add(index)
        self.module.unit = self.file.unit(index)
        self._position = max(self._position, index)
        journal, self._journal = self._journal, []
        try:
            run_block(self, self.module.unit.body, self.module)
        finally:
            self._journal = journal
            self._loading.discard(index)
            self.module.unit, self._position = outer_unit, outer_position

    def at_end_of_module(self) -> None:
        """From now on names mean what they mean when the module has been imported."""
        self._position = len(self.file.statements)

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


def _imports(body: Sequence[Any]) -> Iterator[cst.Import | cst.ImportFrom]:
    for statement in body:
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.Import | cst.ImportFrom):
                yield small


IDENTITIES = count(1)
