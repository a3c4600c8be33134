"""Functions of libraries that model-building code computes with: mathematics, partials, wrappers of modules."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from selulint.evaluate import (
    arithmetic,
    arrays,
    attributes,
    builtins,
    contrib,
    imports,
    iterables,
    keras_weights,
    layers,
    methods,
    numbers,
    order,
    parametrise,
    records,
    sequences,
    tensors,
    variables,
)
from selulint.evaluate.building import constants, tensors_in
from selulint.evaluate.fans import of_shape, shape
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    Array,
    Const,
    Layer,
    ModuleAttribute,
    Partial,
    Size,
    TupleValue,
    Unknown,
    Value,
    next_serial,
)
from selulint.frameworks import SPECS
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments


def _pure_symbol(function: Callable[..., Any]) -> Callable[[Machine, Arguments, Place], Value]:
    def compute(vm: Machine, args: Arguments, place: Place) -> Value:
        known = [arithmetic.plain(value) for value in args.positional]
        if args.keywords or not known or any(value is arithmetic.UNKNOWN for value in known):
            if any(tensors_in(value) for value in args.all):
                return tensors.opaque(vm, "a function of tensors", args.all, place)
            operands = arithmetic.operands(args.positional) if not args.keywords else None
            if operands is not None:
                return numbers.formula(_spread(function), *operands)
            return Unknown("arithmetic on something unknown")
        return arithmetic.compute(function, *known)

    return compute


def _spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a sequence as one of its items."""
    return (lambda *items: math.prod(items)) if function is math.prod else function


def _partial(vm: Machine, args: Arguments, place: Place) -> Value:
    if not args.positional:
        return Unknown("partial")
    return Partial(args.positional[0], args.positional[1:], dict(args.keywords))


def _first(vm: Machine, args: Arguments, place: Place) -> Value:
    return args.all[0] if args.all else Unknown("no argument")


def _calculate_gain(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.moments.initial import calculate_gain

    known = constants(dict(zip(("nonlinearity", "param"), args.positional, strict=False)) | args.keywords)
    name = known.get("nonlinearity")
    value = calculate_gain(name, known.get("param")) if isinstance(name, str) else None
    return Unknown("a gain that is not known") if value is None else Const(value, place, origin=str(name))


def _fans(vm: Machine, args: Arguments, place: Place) -> Value:
    """`torch.nn.init._calculate_fan_in_and_fan_out`, which everybody imports."""
    weight = _first(vm, args, place)
    sizes = shape(weight) if isinstance(weight, Array | ModuleAttribute) else None
    if not isinstance(sizes, TupleValue) or len(sizes.items) < 2:
        return TupleValue((Unknown("a fan_in"), Unknown("a fan_out")))
    return TupleValue(of_shape(sizes.items))


def _correct_fan(vm: Machine, args: Arguments, place: Place) -> Value:
    both, mode = _fans(vm, args, place), args.get("mode", 1)
    name = mode.value if isinstance(mode, Const) else None
    if not isinstance(both, TupleValue) or name not in ("fan_in", "fan_out"):
        return Unknown("a fan")
    fan_in, fan_out = both.items
    return fan_in if name == "fan_in" else fan_out


def _parameter(vm: Machine, args: Arguments, place: Place) -> Value:
    """`nn.Parameter(...)`: the same numbers, trained; of data that nobody knows, some object."""
    data = args.get("data", 0)
    if isinstance(data, Array):
        return Array(dict(data.cells), shape=data.shape, trained=True)
    if isinstance(data, ModuleAttribute):
        return data
    spec = SPECS["torch.nn.Parameter"]
    return Layer(name="torch.nn.Parameter", spec=spec, args=layers.bind(spec, args), place=place)


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


def _data_parallel(vm: Machine, args: Arguments, place: Place) -> Value:
    """`data_parallel(module, inputs, devices)` computes what the module computes of one input, or of a tuple of them."""
    from selulint.evaluate.calls import Arguments, call

    module, inputs = args.get("module", 0), args.get("inputs", 1)
    if module is None or inputs is None:
        return Unknown("no module")
    return call(vm, module, Arguments(inputs.items if isinstance(inputs, TupleValue) else (inputs,)), place)


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
_ERRORS = ("math", "scipy.special")
_MATH = "sqrt log log2 log10 exp floor ceil pow".split()


_RANDOM: dict[str, tuple[float | None, float | None]] = {
    "randn": (0.0, 1.0),
    "rand": (0.5, math.sqrt(1 / 12)),
    "zeros": (0.0, 0.0),
    "ones": (1.0, 0.0),
    "empty": (None, None),
}
# These make the tensor of a shape, or a tensor of data.
_TYPES = ("Tensor", "FloatTensor", "DoubleTensor", "cuda.FloatTensor", "HalfTensor")
_WRAPPERS = ("from_numpy", "as_tensor", "tensor")


_KERAS_RANDOM = {"normal": ("mean", "stddev"), "truncated_normal": ("mean", "stddev"), "uniform": ("minval", "maxval")}


def _keras_random() -> Iterator[tuple[str, Callable[[Machine, Arguments, Place], Value]]]:
    """`tf.random.normal(shape, mean, stddev)` and its kin under all their names."""
    for law, names in _KERAS_RANDOM.items():
        kind = {"truncated_normal": "truncated", "uniform": "uniform"}.get(law, "normal")
        made = arrays.drawn(law, names, (0.0, 1.0), 0, kind)
        spelled = [law] if law.startswith("truncated") else [f"random_{law}"]
        for name in (f"tensorflow.random.{law}", f"keras.random.{law}", *(f"tensorflow.{each}" for each in spelled)):
            yield name, made


def _typed(vm: Machine, args: Arguments, place: Place) -> Value:
    is_data = len(args.positional) == 1 and not isinstance(args.positional[0], Const | Size)
    if is_data:
        return arrays.wrapped(vm, args, place)
    return arrays.creator("empty", None, None)(vm, args, place)


# What JAX makes of a function computes what the function does.
_TRANSPARENT = (
    "jax.vmap jax.jit jax.checkpoint jax.remat jax.pmap jax.named_call jax.lax.stop_gradient equinox.filter_jit "
    "equinox.filter_vmap equinox.filter_checkpoint equinox.nn.Lambda flax.linen.remat flax.linen.jit "
    "flax.linen.checkpoint flax.nnx.jit flax.nnx.remat haiku.remat haiku.to_module"
).split()


def _imported(vm: Machine, args: Arguments, place: Place) -> Value:
    """A module by its name, where that is known and absolute."""
    name = args.positional[0] if args.positional else None
    if not isinstance(name, Const) or not isinstance(name.value, str) or not name.value or name.value.startswith("."):
        return Unknown("a module whose name is not known")
    return imports.by_name(vm, place.unit.file.source.path, name.value)


def _environment(vm: Machine, args: Arguments, place: Place) -> Value:
    return methods.looked_up(args.get("default", 1)) or Unknown("a variable of the environment")


SYMBOLS: dict[str, Callable[[Machine, Arguments, Place], Value]] = {
    **dict.fromkeys(_RECORDS, builtins.make_dict),
    **dict.fromkeys(_SHAPES, _shape),
    **dict.fromkeys(_FRESH, _fresh),
    **dict.fromkeys(_CONVERSIONS, _converted),
    **{f"math.{name}": _pure_symbol(getattr(math, name)) for name in _MATH},
    **{f"numpy.{name}": _pure_symbol(getattr(math, name)) for name in _MATH if name != "pow"},
    **{f"torch.{name}": arrays.creator(name, *moments) for name, moments in _RANDOM.items()},
    **{f"torch.{name}_like": arrays.creator_like(f"{name}_like", *moments) for name, moments in _RANDOM.items()},
    **{f"torch.{name}": _typed for name in _TYPES},
    **{f"torch.{name}": arrays.wrapped for name in _WRAPPERS},
    **dict(_keras_random()),
    "tensorflow.Variable": keras_weights.variable,
    "keras.initializers.get": _first,
    "keras.initializers.deserialize": _first,
    "torch.full": arrays.full,
    "torch.normal": arrays.drawn("normal", ("mean", "std"), (0.0, 1.0), 2),
    "numpy.random.randn": arrays.creator("randn", 0.0, 1.0),
    "numpy.random.rand": arrays.creator("rand", *_RANDOM["rand"]),
    "numpy.random.standard_normal": arrays.creator("standard_normal", 0.0, 1.0),
    "numpy.random.normal": arrays.drawn("normal", ("loc", "scale"), (0.0, 1.0), 2),
    "numpy.random.uniform": arrays.drawn("uniform", ("low", "high"), (0.0, 1.0), 2, "uniform"),
    "torch.nn.Parameter": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.nn.init._calculate_fan_in_and_fan_out": _fans,
    "torch.nn.init._calculate_correct_fan": _correct_fan,
    "importlib.import_module": _imported,
    "math.prod": _pure_symbol(math.prod),
    **{f"{room}.{name}": _pure_symbol(getattr(math, name)) for room in _ERRORS for name in ("erf", "erfc")},
    "math.isqrt": _pure_symbol(math.isqrt),
    "numpy.power": _pure_symbol(math.pow),
    "numpy.float32": _pure_symbol(float),
    "numpy.prod": _pure_symbol(math.prod),
    "functools.partial": _partial,
    **dict.fromkeys(_TRANSPARENT, _first),
    **{f"tensorflow.contrib.layers.{name}": getattr(contrib, name) for name in ("arg_scope", "repeat", "stack")},
    **{f"tensorflow.{name}": getattr(variables, name) for name in ("get_variable", "placeholder", "constant")},
    "tensorflow.contrib.layers.model_variable": variables.get_variable,
    "tensorflow.contrib.layers.variable": variables.get_variable,
    "tensorflow.zeros": variables.filled("zeros", 0.0),
    "tensorflow.ones": variables.filled("ones", 1.0),
    "tensorflow.sqrt": _pure_symbol(math.sqrt),
    "functools.partialmethod": _partial,
    "dataclasses.field": records.field,
    "attr.ib": records.field,
    "attrs.field": records.field,
    "pydantic.Field": records.field,
    "collections.namedtuple": records.named_tuple,
    "typing.NamedTuple": records.named_tuple,
    "typing.cast": lambda vm, args, place: args.positional[1] if len(args.positional) == 2 else Unknown("a cast"),
    "os.environ.get": _environment,
    "os.getenv": _environment,
    "operator.mul": _operator(ast.Mult),
    "operator.add": _operator(ast.Add),
    "collections.OrderedDict": builtins.make_dict,
    "torch.utils.checkpoint.checkpoint": _checkpoint,
    "torch.utils.checkpoint.checkpoint_sequential": _checkpoint_sequential,
    "itertools.chain": iterables.chained,
    "itertools.chain.from_iterable": iterables.chained_from,
    "itertools.pairwise": iterables.paired,
    "functools.reduce": iterables.reduced,
    "enum.auto": lambda vm, args, place: Const(next_serial()),
    "copy.deepcopy": lambda vm, args, place: order.copied(vm, _first(vm, args, place)),
    "copy.copy": lambda vm, args, place: order.copied(vm, _first(vm, args, place)),
    "torch.nn.init.calculate_gain": _calculate_gain,
    **{
        f"torch.nn.utils.{room}{name}": parametrise.wrapper(name)
        for room in ("", "parametrizations.")
        for name in ("weight_norm", "spectral_norm", "orthogonal")
    },
    "equinox.nn.SpectralNorm": parametrise.wrapper("spectral_norm"),
    "equinox.nn.WeightNorm": parametrise.wrapper("weight_norm"),
    **{
        f"{package}.{suffixed}": parametrise.around(name)
        for name, stem in (("weight_norm", "Weight"), ("spectral_norm", "Spectral"))
        for package, suffixed in (
            ("flax.linen", f"{stem}Norm"),
            ("flax.nnx", f"{stem}Norm"),
            ("tensorflow_addons.layers", f"{stem}Normalization"),
        )
    },
    **{f"torch.nn.utils.remove_{name}": parametrise.release for name in ("weight_norm", "spectral_norm")},
    "torch.nn.utils.parametrize.remove_parametrizations": parametrise.release,
    "torch.nn.parallel.data_parallel": _data_parallel,
    "torch.nn.DataParallel": _first,
    "torch.nn.parallel.DataParallel": _first,
    "torch.nn.parallel.DistributedDataParallel": _first,
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm": _first,
    "torch.compile": _first,
    "torch.jit.script": _first,
}
