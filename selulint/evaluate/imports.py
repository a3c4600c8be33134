"""What imports bind: framework names as symbols, names of the project's own files as what those files define."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selulint.evaluate.numbers import NAMED
from selulint.evaluate.values import Const, Imported, Module, Symbol, TupleValue, Unknown, Value
from selulint.frameworks import SPECS, companions
from selulint.frameworks.companions import BLOCKS
from selulint.source import Source
from selulint.syntax.lazy import File
from selulint.syntax.names import CONVENTIONAL, canonical, imported, is_framework
from selulint.syntax.project import find_import, open_file, submodule

if TYPE_CHECKING:
    from selulint.evaluate.machine import Machine

_BLOCKS = str(Path(companions.__file__).with_name("blocks.txt"))
# A chain of re-exports longer than this goes round in circles.
MAX_HOPS = 16


def binding(importer: str, dotted: str) -> Value:
    """What one imported name is bound to in a file."""
    if dotted in NAMED:
        return Const(NAMED[dotted])
    found = None if dotted in SPECS else find_import(importer, dotted)
    return Symbol(dotted) if found is None else Imported(dotted, *found)


def by_name(vm: Machine, importer: str, name: str) -> Value:
    """What `importlib.import_module(name)` gives."""
    bound = binding(importer, canonical(name))
    return resolve(vm, bound) if isinstance(bound, Imported) else bound


def guessed(vm: Machine, target: Any, call: ast.Call, is_own: bool) -> Value | None:
    """What a function that nobody knows imports: the framework's module that it is told (`lazy_import("torch")`), else,
    where it says that it imports, what everybody means by the names that it binds (`tf, _ = try_import_tf()`).
    """
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and isinstance(target, ast.Name):
        module = canonical(first.value)
        if module in _framework_modules():
            return _assumed(vm, target.id, module, is_own)
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if "import" not in called.lower():
        return None
    if isinstance(target, ast.Tuple | ast.List):
        return TupleValue(tuple(_conventional(vm, each, is_own) for each in target.elts))
    return _conventional(vm, target, is_own)


def _conventional(vm: Machine, target: Any, is_own: bool) -> Value:
    name = target.id if isinstance(target, ast.Name) else ""
    if name not in CONVENTIONAL:
        return Unknown("what an unknown function imports")
    return _assumed(vm, name, CONVENTIONAL[name], is_own)


def _assumed(vm: Machine, name: str, module: str, is_own: bool) -> Value:
    """A module that a name is taken to stand for; findings say so where the name belongs to the file that is checked."""
    if is_own:
        vm.assumed[name] = module
    return Symbol(module)


@cache
def _framework_modules() -> frozenset[str]:
    """All packages and modules that the tables know something of."""
    return frozenset(name[:at] for name in SPECS for at, letter in enumerate(name) if letter == ".")


def stood_in_for(body: Sequence[ast.stmt], other: Sequence[ast.stmt]) -> bool:
    """Whether one arm of a condition imports a framework and the other binds something in its place."""
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name for node in imports for name, dotted in imported(node).items() if is_framework(dotted)}
    return not names.isdisjoint(_placeholders(other))


def _placeholders(body: Sequence[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Call):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def resolve(vm: Machine, name: Imported) -> Value:
    """The value that another file of the project gives a name; a symbol of the name where that cannot be told."""
    if vm.hops >= MAX_HOPS:
        return Symbol(name.dotted)
    vm.hops += 1
    try:
        value: Value | None = module_at(vm, name.path)
        for each in name.names:
            value = attribute(vm, value, each) if isinstance(value, Module) else None
        return Symbol(name.dotted) if value is None else value
    finally:
        vm.hops -= 1


def module_at(vm: Machine, path: str) -> Module | None:
    """The module of a file, as an importer sees it; None where it cannot be read."""
    if path not in vm.modules:
        file = open_file(path) if path.endswith(".py") else None
        if file is None and path.endswith(".py"):
            return None
        position = len(file.statements) if file is not None else 0
        vm.modules[path] = Module(path=path, file=file, position=position)
    return vm.modules[path]


def attribute(vm: Machine, module: Module, name: str) -> Value | None:
    """A name of a module: what its file binds, else a module inside the package."""
    found: Value | None = module.cells.get(name)
    if found is None or type(found) is Imported:
        found = vm.load(module, name)
    if found is not None:
        return found
    path = submodule(module.path, name)
    return module_at(vm, path) if path is not None else None


def from_stars(vm: Machine, module: Module, name: str) -> Value | None:
    """What a name means that only a star import can have brought.

    Modules may star each other: one that is being searched, or was in vain, is not searched again.
    """
    if (module.path, name) in vm.starless or vm.hops >= MAX_HOPS:
        return None
    before, is_vain = len(vm.starless), False
    vm.starless[module.path, name] = None
    vm.hops += 1
    try:
        value = _search_stars(vm, module, name)
        is_vain = value is None
        return value
    finally:
        vm.hops -= 1
        while not is_vain and len(vm.starless) > before:
            vm.starless.popitem()


def _search_stars(vm: Machine, module: Module, name: str) -> Value | None:
    for dotted, path in _stars(module):
        vm.step()
        if f"{dotted}.{name}" in SPECS:
            return Symbol(f"{dotted}.{name}")
        source = module_at(vm, path) if path is not None and not name.startswith("_") else None
        value = vm.load(source, name) if source is not None and source is not module else None
        if value is not None:
            return value
    return None


def _stars(module: Module) -> list[tuple[str, str | None]]:
    """What a module imports with stars: dotted names, and the files of the project that they are."""
    if "*" not in module.cells:
        dotted = [
            imported(node)["*"]
            for index in module.file.bindings.get("*", ())
            for node in module.file.unit(index).body
            if isinstance(node, ast.ImportFrom) and "*" in imported(node)
        ]
        found = [(each, find_import(module.path, each)) for each in dotted]
        module.cells["*"] = [(each, at[0] if at is not None and not at[1] else None) for each, at in found]
    stars: list[tuple[str, str | None]] = module.cells["*"]
    return stars


def block(vm: Machine, dotted: str) -> Value | None:
    """What shows how a ready-made block of a companion package (`torchvision.ops.MLP`) is made: a class or a function."""
    name = BLOCKS.get(dotted)
    if name is None:
        return None
    if _BLOCKS not in vm.modules:
        file = _blocks()
        vm.modules[_BLOCKS] = Module(path=_BLOCKS, file=file, position=len(file.statements))
    return attribute(vm, vm.modules[_BLOCKS], name)


def is_block(unit: Any) -> bool:
    """Whether a statement is one of those that show what blocks are made of."""
    return bool(unit.file.source.path == _BLOCKS)


@cache
def _blocks() -> File:
    return File(Source(_BLOCKS, Path(_BLOCKS).read_text(encoding="utf-8")))


def unknown_attribute(module: Module, name: str) -> Unknown:
    return Unknown(f"`{name}` is not defined in `{module.path.rpartition('/')[2]}`")
