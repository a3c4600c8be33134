"""TF-Slim, which is `tf.contrib.layers`: layers as functions that apply ReLU unless they are told otherwise."""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand

_VARIABLES = "reuse=None, variables_collections=None, outputs_collections=None, trainable=True"
# The default that everybody forgets: every layer with weights ends in a ReLU.
_LAYER = (
    "activation_fn=tensorflow.nn.relu, normalizer_fn=None, normalizer_params=None, weights_initializer=None, "
    f"weights_regularizer=None, biases_initializer=None, biases_regularizer=None, {_VARIABLES}, scope=None"
)
_LINEAR, _RELU6, _ELU = (
    _LAYER.replace("activation_fn=tensorflow.nn.relu", f"activation_fn={other}")
    for other in ("None", "tensorflow.nn.relu6", "tensorflow.nn.elu")
)
_CONV = f"inputs, num_outputs, kernel_size, stride=1, padding='SAME', data_format=None, rate=1, {_LAYER}"
_TRANSPOSE = f"inputs, num_outputs, kernel_size, stride=1, padding='SAME', data_format='NHWC', {_LAYER}"
_SEPARABLE = (
    "inputs, num_outputs, kernel_size, depth_multiplier=1, stride=1, padding='SAME', data_format='NHWC', rate=1, "
    + _LAYER.replace("weights_regularizer", "pointwise_initializer=None, weights_regularizer")
)
_POOL = "inputs, kernel_size, stride=2, padding='VALID', data_format='NHWC', outputs_collections=None, scope=None"
_BATCH_NORM = (
    "inputs, decay=0.999, center=True, scale=False, epsilon=0.001, activation_fn=None, param_initializers=None, "
    "param_regularizers=None, updates_collections=None, is_training=True, reuse=None, variables_collections=None, "
    "outputs_collections=None, trainable=True, batch_weights=None, fused=None, data_format='NHWC', "
    "zero_debias_moving_mean=False, scope=None, renorm=False, renorm_clipping=None, renorm_decay=0.99, adjustment=None"
)
_XAVIER = "glorot_uniform"
LAYERS: Table = {
    "parametric": (
        ("fully_connected=linear relu=linear", f"inputs, num_outputs, {_LAYER}", _XAVIER),
        ("linear=linear", f"inputs, num_outputs, {_LINEAR}", _XAVIER),
        ("relu6=linear", f"inputs, num_outputs, {_RELU6}", _XAVIER),
        ("elu=linear", f"inputs, num_outputs, {_ELU}", _XAVIER),
        ("conv1d=conv1d convolution1d=conv1d conv2d=conv2d convolution2d=conv2d", _CONV, _XAVIER),
        ("conv3d=conv3d convolution3d=conv3d", _CONV, _XAVIER),
        ("convolution=conv2d", f"{_CONV}, conv_dims=None", _XAVIER),
        ("conv2d_transpose=conv_transpose2d convolution2d_transpose=conv_transpose2d", _TRANSPOSE, _XAVIER),
        ("conv3d_transpose=conv_transpose3d convolution3d_transpose=conv_transpose3d", _TRANSPOSE, _XAVIER),
        ("separable_conv2d=separable_conv2d separable_convolution2d=separable_conv2d", _SEPARABLE, ""),
        (
            "conv2d_in_plane=depthwise_conv2d convolution2d_in_plane=depthwise_conv2d",
            f"inputs, kernel_size, stride=1, padding='SAME', {_LAYER}",
            "",
        ),
    ),
    "dropout": (
        (
            "dropout=dropout",
            (
                "inputs, keep_prob=0.5, noise_shape=None, is_training=True, outputs_collections=None, scope=None, "
                "seed=None"
            ),
            "",
        ),
    ),
    "norm": (
        ("batch_norm=batch_norm", _BATCH_NORM, ""),
        (
            "layer_norm=layer_norm",
            (
                f"inputs, center=True, scale=True, activation_fn=None, {_VARIABLES}, begin_norm_axis=1, "
                "begin_params_axis=-1, scope=None"
            ),
            "",
        ),
        (
            "instance_norm=instance_norm",
            (
                "inputs, center=True, scale=True, epsilon=1e-6, activation_fn=None, param_initializers=None, "
                f"{_VARIABLES}, data_format='NHWC', scope=None"
            ),
            "",
        ),
        (
            "group_norm=group_norm",
            (
                "inputs, groups=32, channels_axis=-1, reduction_axes=(-3, -2), center=True, scale=True, epsilon=1e-6, "
                f"activation_fn=None, param_initializers=None, {_VARIABLES}, scope=None"
            ),
            "",
        ),
    ),
    "pool": (
        ("max_pool2d=max_pool2d avg_pool2d=avg_pool2d", _POOL, ""),
        ("max_pool3d=max_pool3d avg_pool3d=avg_pool3d", _POOL.replace("NHWC", "NDHWC"), ""),
    ),
    "activation": (("softmax=softmax", "logits, scope=None", ""),),
    "reshape": (("flatten=flatten", "inputs, outputs_collections=None, scope=None", ""),),
}
_INITIALISERS: Table = {
    "initialiser": (
        ("xavier_initializer=glorot xavier_initializer_conv2d=glorot", "uniform=True, seed=None, dtype=None", _XAVIER),
        (
            "variance_scaling_initializer=variance_scaling",
            "factor=2.0, mode='FAN_IN', uniform=False, seed=None, dtype=None",
            "contrib_variance_scaling",
        ),
    ),
}
_REGULARISERS: Table = {
    "other": (
        ("l1_regularizer=l1 l2_regularizer=l2", "scale, scope=None", ""),
        ("l1_l2_regularizer=l1_l2", "scale_l1=1.0, scale_l2=1.0, scope=None", ""),
    ),
}
# Names that one scope of arguments covers: aliases are one function.
ALIASES = {
    name: name.replace("convolution", "conv")
    for rows in LAYERS.values()
    for names, *_ in rows
    for name in (pair.partition("=")[0] for pair in names.split())
    if name.startswith("convolution")
} | {"relu": "fully_connected", "relu6": "fully_connected", "linear": "fully_connected", "elu": "fully_connected"}
del ALIASES["convolution"]

PACKAGE = "tensorflow.contrib.layers."
SPECS: dict[str, Spec] = {
    **expand(PACKAGE, LAYERS, functional=True),
    **expand(PACKAGE, _INITIALISERS),
    **expand(PACKAGE, _REGULARISERS),
    **expand(
        "tensorflow.contrib.nn.",
        {"dropout": (("alpha_dropout=alpha_dropout", "x, keep_prob, noise_shape=None, seed=None, name=None", ""),)},
        functional=True,
    ),
}
