"""Functions of libraries that model-building code computes with: mathematics, partials, wrappers of modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import libcst as cst

from selulint.evaluate import arithmetic, attributes, builtins, records, sequences, tensors
from selulint.evaluate.building import constants, tensors_in
from selulint.evaluate.initialise import UNKNOWN_INIT
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import Const, Layer, ListValue, Partial, Unknown, Value
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments


def _pure_symbol(function: Callable[..., Any]) -> Callable[[Machine, Arguments, Place], Value]:
    def compute(vm: Machine, args: Arguments, place: Place) -> Value:
        known = [arithmetic.plain(value) for value in args.positional]
        if args.keywords or not known or any(value is arithmetic.UNKNOWN for value in known):
            if any(tensors_in(value) for value in args.all):
                return tensors.opaque(vm, "a function of tensors", args.all, place)
            return Unknown("arithmetic on something unknown")
        return arithmetic.compute(function, *known)

    return compute


def _partial(vm: Machine, args: Arguments, place: Place) -> Value:
    if not args.positional:
        return Unknown("partial")
    return Partial(args.positional[0], args.positional[1:], dict(args.keywords))


def _first(vm: Machine, args: Arguments, place: Place) -> Value:
    return args.all[0] if args.all else Unknown("no argument")


def _spectral(vm: Machine, args: Arguments, place: Place) -> Value:
    layer = _first(vm, args, place)
    if isinstance(layer, Layer):
        vm.write(layer, "weight", UNKNOWN_INIT)
    return layer


def _calculate_gain(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.moments.initial import calculate_gain

    known = constants(dict(zip(("nonlinearity", "param"), args.positional, strict=False)) | args.keywords)
    name = known.get("nonlinearity")
    value = calculate_gain(name, known.get("param")) if isinstance(name, str) else None
    return Unknown("a gain that is not known") if value is None else Const(value, place, origin=str(name))


def _chain(vm: Machine, args: Arguments, place: Place) -> Value:
    found = [sequences.items_of(vm, value) for value in args.positional]
    return ListValue.of([item for items, _ in found for item in items], open=any(more for _, more in found))


def _operator(operation: type) -> Callable[[Machine, Arguments, Place], Value]:
    def compute(vm: Machine, args: Arguments, place: Place) -> Value:
        from selulint.evaluate.expressions import combine

        if len(args.positional) != 2:
            return Unknown("an operator")
        return combine(vm, operation, args.positional[0], args.positional[1], place)

    return compute


def _checkpoint(vm: Machine, args: Arguments, place: Place) -> Value:
    """`checkpoint(function, *inputs)` computes what the function computes."""
    from selulint.evaluate.calls import Arguments, call

    if not args.positional:
        return Unknown("no function")
    keywords = {name: value for name, value in args.keywords.items() if name not in _CHECKPOINT_OPTIONS}
    return call(vm, args.positional[0], Arguments(args.positional[1:], keywords, args.open, args.outside), place)


_CHECKPOINT_OPTIONS = frozenset({"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug"})


def _checkpoint_sequential(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS
    from selulint.evaluate.layers import thread

    functions, inputs = args.get("functions", 0), args.get("input", 2)
    items = sequences.raw_items(functions) if functions is not None else None
    if items is None or inputs is None:
        return tensors.opaque(vm, "a sequence of unknown layers", args.all, place)
    return thread(vm, items, NO_ARGUMENTS.prepend(inputs), place)


def _shape(vm: Machine, args: Arguments, place: Place) -> Value:
    return attributes.shape_of(vm, args.all[0]) if args.all else Unknown("no argument")


def _fresh(vm: Machine, args: Arguments, place: Place) -> Value:
    """A tensor made from nothing: masks, noise, positions. What it is added to stays what it was."""
    return Unknown("a tensor that is made here")


def _converted(vm: Machine, args: Arguments, place: Place) -> Value:
    """A tensor made of another is that one."""
    first = _first(vm, args, place)
    return first if tensors_in(first) else Unknown("a tensor that is made here")


_SHAPES = (
    "tensorflow.shape keras.backend.int_shape keras.backend.shape keras.ops.shape tensorflow.get_static_shape".split()
)
_FRESH = (
    *(f"torch.{name}" for name in "zeros ones full empty rand randn randint arange linspace eye".split()),
    *(f"torch.{name}_like" for name in "zeros ones full empty rand randn".split()),
    *(f"tensorflow.{name}" for name in "zeros ones zeros_like ones_like range constant fill eye".split()),
    *(f"keras.ops.{name}" for name in "zeros ones zeros_like ones_like arange full eye".split()),
)
_CONVERSIONS = (
    "torch.tensor torch.as_tensor torch.asarray tensorflow.convert_to_tensor keras.ops.convert_to_tensor".split()
)
_RECORDS = (
    "types.SimpleNamespace argparse.Namespace easydict.EasyDict addict.Dict munch.Munch box.Box "
    "ml_collections.ConfigDict ml_collections.config_dict.ConfigDict omegaconf.OmegaConf.create"
).split()
_MATH = "sqrt log log2 log10 exp floor ceil pow".split()


SYMBOLS: dict[str, Callable[[Machine, Arguments, Place], Value]] = {
    **{f"math.{name}": _pure_symbol(getattr(math, name)) for name in _MATH},
    **{f"numpy.{name}": _pure_symbol(getattr(math, name)) for name in _MATH if name != "pow"},
    "math.prod": _pure_symbol(math.prod),
    "numpy.prod": _pure_symbol(math.prod),
    "functools.partial": _partial,
    "functools.partialmethod": _partial,
    "dataclasses.field": records.field,
    "attr.ib": records.field,
    "attrs.field": records.field,
    "pydantic.Field": records.field,
    "collections.namedtuple": records.named_tuple,
    "typing.NamedTuple": records.named_tuple,
    "typing.cast": lambda vm, args, place: args.positional[1] if len(args.positional) == 2 else Unknown("a cast"),
    "operator.mul": _operator(cst.Multiply),
    "operator.add": _operator(cst.Add),
    "collections.OrderedDict": builtins.make_dict,
    **dict.fromkeys(_RECORDS, builtins.make_dict),
    **dict.fromkeys(_SHAPES, _shape),
    **dict.fromkeys(_FRESH, _fresh),
    **dict.fromkeys(_CONVERSIONS, _converted),
    "torch.utils.checkpoint.checkpoint": _checkpoint,
    "torch.utils.checkpoint.checkpoint_sequential": _checkpoint_sequential,
    "itertools.chain": _chain,
    "copy.deepcopy": _first,
    "copy.copy": _first,
    "torch.nn.init.calculate_gain": _calculate_gain,
    "torch.nn.utils.weight_norm": _first,
    "torch.nn.utils.parametrizations.weight_norm": _first,
    "torch.nn.utils.spectral_norm": _spectral,
    "torch.nn.utils.parametrizations.spectral_norm": _spectral,
    "torch.nn.DataParallel": _first,
    "torch.nn.parallel.DistributedDataParallel": _first,
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm": _first,
    "torch.compile": _first,
    "torch.jit.script": _first,
}
