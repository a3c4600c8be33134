"""Keras 2 and 3 under `keras.`: models, layers, initialisers and functions, and the strings that stand for them."""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand
from selulint.frameworks.keras_functions import ACTIVATIONS, BACKEND, NN_OPS, OPS
from selulint.frameworks.keras_layers import INPUT, LAYERS, MERGE_FUNCTIONS

_SEED = "seed=None, input_axes=None, output_axes=None"
_SCALED = "scale=1.0, mode='fan_in', distribution='truncated_normal', seed=None, input_axes=None, output_axes=None"
_STFT = "side='real', window='hann', scaling='density', periodic=False"
# Snake case builds the same classes; the strings of `kernel_initializer=` are these names and a few more.
_INITIALISERS: Table = {
    "initialiser": (
        ("GlorotNormal=glorot_normal glorot_normal=glorot_normal", _SEED, "glorot_normal"),
        ("GlorotUniform=glorot_uniform glorot_uniform=glorot_uniform", _SEED, "glorot_uniform"),
        ("HeNormal=he_normal he_normal=he_normal", _SEED, "he_normal"),
        ("HeUniform=he_uniform he_uniform=he_uniform", _SEED, "he_uniform"),
        ("LecunNormal=lecun_normal lecun_normal=lecun_normal", _SEED, "lecun_normal"),
        ("LecunUniform=lecun_uniform lecun_uniform=lecun_uniform", _SEED, "lecun_uniform"),
        ("VarianceScaling=variance_scaling variance_scaling=variance_scaling", _SCALED, "variance_scaling"),
        ("RandomNormal=random_normal random_normal=random_normal", "mean=0.0, stddev=0.05, seed=None", "random_normal"),
        (
            "TruncatedNormal=truncated_normal truncated_normal=truncated_normal",
            "mean=0.0, stddev=0.05, seed=None",
            "truncated_normal",
        ),
        (
            "RandomUniform=random_uniform random_uniform=random_uniform",
            "minval=-0.05, maxval=0.05, seed=None",
            "random_uniform",
        ),
        (
            "Orthogonal=orthogonal OrthogonalInitializer=orthogonal orthogonal=orthogonal",
            "gain=1.0, seed=None",
            "orthogonal",
        ),
        ("Identity=identity IdentityInitializer=identity identity=identity", "gain=1.0", "identity"),
        ("Constant=constant constant=constant", "value=0.0", "constant"),
        ("Zeros=zeros zeros=zeros", "", "zeros"),
        ("Ones=ones ones=ones", "", "ones"),
        ("STFT=stft STFTInitializer=stft stft=stft", _STFT, "stft"),
    ),
    "other": (("Initializer=initialiser", "", ""),),
}

# By these names and, in snake case, by strings.
_CONSTRAINTS: Table = {
    "other": (
        ("MaxNorm=max_norm max_norm=max_norm maxnorm=max_norm", "max_value=2, axis=0", ""),
        (
            "MinMaxNorm=min_max_norm min_max_norm=min_max_norm",
            "min_value=0.0, max_value=1.0, rate=1.0, axis=0",
            "",
        ),
        ("UnitNorm=unit_norm unit_norm=unit_norm unitnorm=unit_norm", "axis=0", ""),
        ("NonNeg=non_neg non_neg=non_neg nonneg=non_neg", "", ""),
    ),
}
_REGULARISERS: Table = {
    "other": (
        ("L1=l1 l1=l1", "l1=0.01", ""),
        ("L2=l2 l2=l2", "l2=0.01", ""),
        ("L1L2=l1_l2 l1_l2=l1_l2", "l1=0.0, l2=0.0", ""),
        (
            "OrthogonalRegularizer=orthogonal_regularizer orthogonal_regularizer=orthogonal_regularizer",
            "factor=0.01, mode='rows'",
            "",
        ),
    ),
}

_MODELS: Table = {
    "container": (
        ("Sequential=sequential models.Sequential=sequential", "layers=None, trainable=True, name=None", ""),
    ),
    "input": (("Input=input", INPUT, ""),),
    "other": (("Model=model models.Model=model", "*args, **kwargs", ""),),
}

SPECS: dict[str, Spec] = {
    **expand("keras.", _MODELS),
    **expand("keras.layers.", LAYERS),
    **expand("keras.layers.", MERGE_FUNCTIONS, functional=True),
    **expand("keras.initializers.", _INITIALISERS),
    **expand("keras.constraints.", _CONSTRAINTS),
    **expand("keras.regularizers.", _REGULARISERS),
    **expand("keras.activations.", ACTIVATIONS, functional=True),
    **expand("keras.ops.", OPS, functional=True),
    **expand("keras.ops.nn.", NN_OPS, functional=True),
    **expand("keras.backend.", BACKEND, functional=True),
}
# What `activation=` accepts as a string: case matters ("SELU" is refused by every Keras).
ACTIVATION_STRINGS: dict[str, str] = {
    name.rpartition(".")[2]: name for name in SPECS if name.startswith("keras.activations.")
}
# What `kernel_initializer=` accepts as a string: the names of `keras.initializers` and these older ones.
INITIALISER_STRINGS: dict[str, str] = {
    name.rpartition(".")[2]: name
    for name, spec in SPECS.items()
    if name.startswith("keras.initializers.") and spec.kind == "initialiser"
} | {
    "normal": "keras.initializers.random_normal",
    "uniform": "keras.initializers.random_uniform",
    "one": "keras.initializers.ones",
    "zero": "keras.initializers.zeros",
}
