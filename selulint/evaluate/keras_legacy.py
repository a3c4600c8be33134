"""Calls in the words of Keras 1, which Keras 2 still took: old arguments under their new names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from selulint.evaluate.values import Const, TupleValue, Value

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments
    from selulint.frameworks import Spec

_RENAMED = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "output_dim": "units",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "pool_length": "pool_size",
    "stride": "strides",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "p": "rate",
    "sigma": "stddev",
}
_WINDOW = ("kernel_dim1", "kernel_dim2", "kernel_dim3"), ("nb_row", "nb_col")


def modern(name: str, spec: Spec, args: Arguments) -> Arguments:
    """The same call as Keras 2 spells it; one that was in old words says so in an argument `legacy`."""
    sides = next((names for names in _WINDOW if names[0] in args.keywords), ())
    # A third positional number was the second side of the window.
    is_rows = name.endswith(".Convolution2D") and _are_numbers(args.positional[1:3])
    old = {
        name
        for name in args.keywords
        if name in _RENAMED and not _is_parameter(spec, name) and _is_parameter(spec, _RENAMED[name])
    }
    if not old and not sides and not is_rows:
        return args
    keywords = {_RENAMED[name] if name in old else name: value for name, value in args.keywords.items()}
    window = [keywords.pop(name) for name in sides if name in keywords]
    if is_rows:
        window = list(args.positional[1:3])
    if window:
        keywords["kernel_size"] = TupleValue(tuple(window))
    if old or sides:
        keywords["legacy"] = Const(True)
    return replace(args, positional=args.positional[:1] if is_rows else args.positional, keywords=keywords)


def _are_numbers(values: tuple[Value, ...]) -> bool:
    return len(values) == 2 and all(isinstance(each, Const) and type(each.value) is int for each in values)


def _is_parameter(spec: Spec, name: str) -> bool:
    return any(part.strip().partition("=")[0] == name for part in spec.signature.split(","))
