"""JAX: `jax.nn`, `jax.numpy`, and the layers of Flax (linen and nnx), Haiku, Equinox and stax."""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand

_PLAIN = (
    "relu=relu relu6=relu6 selu=selu silu=silu swish=silu mish=mish sigmoid=sigmoid tanh=tanh softplus=softplus "
    "soft_sign=softsign log_sigmoid=logsigmoid hard_sigmoid=hardsigmoid hard_silu=hardswish hard_swish=hardswish "
    "hard_tanh=hardtanh sparse_plus=sparse_plus"
)
_ACTIVATIONS: Table = {
    "activation": (
        (_PLAIN, "x", ""),
        ("elu=elu celu=celu", "x, alpha=1.0", ""),
        ("gelu=gelu", "x, approximate=True", ""),
        ("leaky_relu=leaky_relu", "x, negative_slope=0.01", ""),
        ("glu=glu", "x, axis=-1", ""),
        ("squareplus=squareplus", "x, b=4", ""),
        ("softmax=softmax log_softmax=log_softmax", "x, axis=-1, where=None, initial=None", ""),
    ),
    "norm": (("standardize=layer_norm", "x, axis=-1, mean=None, variance=None, epsilon=1e-05, where=None", ""),),
    "opaque": (("one_hot=one_hot", "x, num_classes, *, dtype=None, axis=-1", ""),),
}

_AXES = "in_axis=-2, out_axis=-1, batch_axis=(), dtype=None"
_INITIALISERS: Table = {
    "initialiser": (
        *(
            (f"{name}_{tail}={name}_{tail}", _AXES, f"{law}_{tail}")
            for name, law in (
                ("lecun", "lecun"),
                ("he", "he"),
                ("kaiming", "he"),
                ("glorot", "glorot"),
                ("xavier", "glorot"),
            )
            for tail in ("normal", "uniform")
        ),
        ("variance_scaling=variance_scaling", f"scale, mode, distribution, {_AXES}", "variance_scaling"),
        ("normal=random_normal", "stddev=0.01, dtype=None", "random_normal"),
        # From 0 to scale: not centred.
        ("uniform=random_uniform", "scale=0.01, dtype=None", "uniform_from_zero"),
        (
            "truncated_normal=truncated_normal",
            "stddev=0.01, dtype=None, lower=-2.0, upper=2.0",
            "truncated_normal",
        ),
        ("orthogonal=orthogonal", "scale=1.0, column_axis=-1, dtype=None", "orthogonal_scaled"),
        ("constant=constant", "value, dtype=None", "constant"),
        ("zeros_init=zeros", "", "zeros"),
        ("ones_init=ones", "", "ones"),
    ),
    # These two are no factories: the name alone is the initialiser.
    "other": (("zeros=zeros ones=ones", "key, shape, dtype=None", ""),),
}

_AXIS = "a, axis=None, dtype=None, out=None, keepdims=False"
_NUMPY: Table = {
    "activation": (("tanh=tanh", "x", ""),),
    "merge": (
        ("concatenate=concat stack=stack", "arrays, axis=0", ""),
        ("dot=matmul matmul=matmul", "a, b", ""),
        ("einsum=einsum", "subscripts, *operands, **kwargs", ""),
        ("tensordot=einsum", "a, b, axes=2", ""),
        ("add=add subtract=subtract multiply=multiply divide=divide maximum=maximum minimum=minimum", "x, y", ""),
    ),
    "pool": (("mean=mean sum=sum", _AXIS, ""),),
    "reshape": (
        ("reshape=reshape", "a, shape, order='C'", ""),
        ("ravel=flatten", "a, order='C'", ""),
        ("transpose=permute swapaxes=permute moveaxis=permute", "a, axes=None, other=None", ""),
        ("squeeze=squeeze", "a, axis=None", ""),
        ("expand_dims=unsqueeze", "a, axis", ""),
        ("broadcast_to=reshape", "array, shape", ""),
        ("tile=repeat repeat=repeat", "a, repeats, axis=None", ""),
        ("pad=pad", "array, pad_width, mode='constant', **kwargs", ""),
        ("split=split", "ary, indices_or_sections, axis=0", ""),
        ("asarray=identity array=identity", "a, dtype=None", ""),
    ),
    "opaque": (
        ("abs=abs exp=exp expm1=expm1 log=log sqrt=sqrt square=square sin=sin cos=cos", "x", ""),
        ("max=max min=min var=var std=std", _AXIS, ""),
        ("clip=clamp", "a, a_min=None, a_max=None", ""),
        ("power=power", "x1, x2", ""),
        ("where=where", "condition, x=None, y=None", ""),
    ),
}

# Flax initialises with LeCun normal: nothing has to be done for SELU.
_LECUN = "lecun_normal"
_FLAX_PRECISION = "dtype=None, param_dtype=None, precision=None"
_FLAX_INITS = "kernel_init=None, bias_init=None"
_FLAX_NORM = (
    "epsilon=1e-06, dtype=None, param_dtype=None, use_bias=True, use_scale=True, bias_init=None, scale_init=None"
)
_FLAX_CONV = (
    "features, kernel_size, strides=1, padding='SAME', input_dilation=1, kernel_dilation=1, feature_group_count=1, "
    f"use_bias=True, mask=None, {_FLAX_PRECISION}, {_FLAX_INITS}, name=None, **kwargs"
)
_FLAX_ATTENTION = (
    "num_heads, dtype=None, param_dtype=None, qkv_features=None, out_features=None, broadcast_dropout=True, "
    f"dropout_rate=0.0, deterministic=None, precision=None, {_FLAX_INITS}, name=None, **kwargs"
)
_LINEN: Table = {
    "parametric": (
        ("Dense=linear", f"features, use_bias=True, {_FLAX_PRECISION}, {_FLAX_INITS}, name=None, **kwargs", _LECUN),
        (
            "DenseGeneral=linear",
            f"features, axis=-1, batch_dims=(), use_bias=True, dtype=None, param_dtype=None, {_FLAX_INITS}, "
            "precision=None, name=None, **kwargs",
            _LECUN,
        ),
        ("Einsum=einsum", f"shape, einsum_str=None, use_bias=True, {_FLAX_PRECISION}, {_FLAX_INITS}, name=None", ""),
        ("Conv=conv2d", _FLAX_CONV, _LECUN),
        ("ConvLocal=locally_connected2d", _FLAX_CONV, ""),
        (
            "ConvTranspose=conv_transpose2d",
            "features, kernel_size, strides=None, padding='SAME', kernel_dilation=None, use_bias=True, mask=None, "
            f"{_FLAX_PRECISION}, {_FLAX_INITS}, transpose_kernel=False, name=None, **kwargs",
            "",
        ),
        (
            "Embed=embedding",
            "num_embeddings, features, dtype=None, param_dtype=None, embedding_init=None, name=None",
            "",
        ),
        (
            "MultiHeadDotProductAttention=attention MultiHeadAttention=attention SelfAttention=attention",
            _FLAX_ATTENTION,
            "",
        ),
    ),
    "activation": (("PReLU=prelu", "param_dtype=None, negative_slope_init=0.01, name=None", ""),),
    "norm": (
        (
            "BatchNorm=batch_norm",
            f"use_running_average=None, axis=-1, momentum=0.99, {_FLAX_NORM}, axis_name=None, name=None, **kwargs",
            "",
        ),
        ("LayerNorm=layer_norm InstanceNorm=instance_norm", f"{_FLAX_NORM}, name=None, **kwargs", ""),
        ("RMSNorm=rms_norm", "epsilon=1e-06, dtype=None, param_dtype=None, use_scale=True, name=None, **kwargs", ""),
        ("GroupNorm=group_norm", f"num_groups=32, group_size=None, {_FLAX_NORM}, name=None, **kwargs", ""),
    ),
    "dropout": (
        ("Dropout=dropout", "rate, broadcast_dims=(), deterministic=None, rng_collection='dropout', name=None", ""),
    ),
    "container": (("Sequential=sequential", "layers, name=None", ""),),
    "other": (("Module=module", "", ""),),
}
_LINEN_FUNCTIONS: Table = {
    "pool": (
        (
            "max_pool=max_pool2d avg_pool=avg_pool2d",
            "inputs, window_shape, strides=None, padding='VALID', count_include_pad=True",
            "",
        ),
    ),
}

_NNX_TAIL = f"use_bias=True, dtype=None, param_dtype=None, precision=None, {_FLAX_INITS}, rngs=None, **kwargs"
_NNX_CONV = f"in_features, out_features, kernel_size, strides=1, *, padding='SAME', feature_group_count=1, {_NNX_TAIL}"
_NNX: Table = {
    "parametric": (
        ("Linear=linear LinearGeneral=linear", f"in_features, out_features, *, {_NNX_TAIL}", _LECUN),
        ("Conv=conv2d", _NNX_CONV, _LECUN),
        ("ConvTranspose=conv_transpose2d", _NNX_CONV, ""),
        ("Einsum=einsum", f"einsum_str, kernel_shape, bias_shape=None, *, {_NNX_TAIL}", ""),
        ("Embed=embedding", "num_embeddings, features, *, embedding_init=None, rngs=None, **kwargs", ""),
        (
            "MultiHeadAttention=attention",
            f"num_heads, in_features, qkv_features=None, out_features=None, *, dropout_rate=0.0, {_NNX_TAIL}",
            "",
        ),
    ),
    "activation": (("PReLU=prelu", "negative_slope_init=0.01, param_dtype=None", ""),),
    "norm": (
        (
            "BatchNorm=batch_norm LayerNorm=layer_norm RMSNorm=rms_norm InstanceNorm=instance_norm",
            "num_features, *, rngs=None, **kwargs",
            "",
        ),
        ("GroupNorm=group_norm", "num_features, num_groups=32, group_size=None, *, rngs=None, **kwargs", ""),
    ),
    "dropout": (
        ("Dropout=dropout", "rate, *, broadcast_dims=(), deterministic=False, rng_collection='dropout', rngs=None", ""),
    ),
    "container": (("Sequential=sequential", "*fns", ""),),
    "other": (("Module=module", "", ""),),
}

# Truncated at two deviations and not corrected for it: 0.77 of LeCun's variance.
_TRUNCATED = "fan_in_truncated"
_HK_TAIL = "w_init=None, b_init=None"
_HK_NORM = "create_scale, create_offset"


def _haiku_conv(data_format: str, head: str = "") -> str:
    return (
        f"{head}output_channels, kernel_shape, stride=1, rate=1, padding='SAME', with_bias=True, {_HK_TAIL}, "
        f"data_format='{data_format}', mask=None, feature_group_count=1, name=None"
    )


def _haiku_transpose(data_format: str) -> str:
    return (
        f"output_channels, kernel_shape, stride=1, output_shape=None, padding='SAME', with_bias=True, {_HK_TAIL}, "
        f"data_format='{data_format}', mask=None, name=None"
    )


_HAIKU: Table = {
    "parametric": (
        ("Linear=linear", f"output_size, with_bias=True, {_HK_TAIL}, name=None", _TRUNCATED),
        ("Conv1D=conv1d", _haiku_conv("NWC"), _TRUNCATED),
        ("Conv2D=conv2d", _haiku_conv("NHWC"), _TRUNCATED),
        ("Conv3D=conv3d", _haiku_conv("NDHWC"), _TRUNCATED),
        ("ConvND=convnd", _haiku_conv("channels_last", "num_spatial_dims, "), ""),
        ("Conv1DTranspose=conv_transpose1d", _haiku_transpose("NWC"), ""),
        ("Conv2DTranspose=conv_transpose2d", _haiku_transpose("NHWC"), ""),
        ("Conv3DTranspose=conv_transpose3d", _haiku_transpose("NDHWC"), ""),
        (
            "DepthwiseConv1D=depthwise_conv1d DepthwiseConv2D=depthwise_conv2d DepthwiseConv3D=depthwise_conv3d",
            "channel_multiplier, kernel_shape, stride=1, rate=1, padding='SAME', with_bias=True, "
            f"{_HK_TAIL}, data_format=None, name=None",
            "",
        ),
        ("Embed=embedding", "vocab_size=None, embed_dim=None, embedding_matrix=None, w_init=None, name=None", ""),
        (
            "MultiHeadAttention=attention",
            "num_heads, key_size, w_init_scale=None, *, w_init=None, with_bias=True, b_init=None, value_size=None, "
            "model_size=None, name=None",
            "",
        ),
        ("LSTM=lstm GRU=gru", "hidden_size, name=None", ""),
        ("VanillaRNN=rnn", "hidden_size, double_bias=True, name=None", ""),
    ),
    "norm": (
        ("BatchNorm=batch_norm", f"{_HK_NORM}, decay_rate, eps=1e-05, name=None, **kwargs", ""),
        ("LayerNorm=layer_norm", f"axis, {_HK_NORM}, eps=1e-05, name=None, **kwargs", ""),
        ("InstanceNorm=instance_norm", f"{_HK_NORM}, eps=1e-05, name=None, **kwargs", ""),
        ("GroupNorm=group_norm", "groups, axis=None, create_scale=True, create_offset=True, name=None, **kwargs", ""),
        ("RMSNorm=rms_norm", "axis, eps=1e-05, scale_init=None, name=None, **kwargs", ""),
    ),
    "pool": (
        (
            "MaxPool=max_pool2d AvgPool=avg_pool2d",
            "window_shape, strides, padding, channel_axis=-1, name=None",
            "",
        ),
    ),
    "reshape": (("Flatten=flatten", "preserve_dims=1, name=None", ""), ("Reshape=reshape", "output_shape", "")),
    "container": (("Sequential=sequential", "layers, name=None", ""),),
    "other": (("Module=module", "name=None", ""),),
}
_HAIKU_MLP = (
    "output_sizes, w_init=None, b_init=None, with_bias=True, activation=jax.nn.relu, activate_final=False, name=None"
)
_HAIKU_FUNCTIONS: Table = {
    "dropout": (("dropout=dropout", "rng, rate, x, broadcast_dims=()", ""),),
    "pool": (
        (
            "max_pool=max_pool2d avg_pool=avg_pool2d",
            "value, window_shape, strides, padding, channel_axis=-1",
            "",
        ),
    ),
}
_HAIKU_INITIALISERS: Table = {
    "initialiser": (
        ("Constant=constant", "constant", "constant"),
        ("RandomNormal=random_normal", "stddev=1.0, mean=0.0", "random_normal"),
        ("TruncatedNormal=truncated_normal", "stddev=1.0, mean=0.0, lower=-2.0, upper=2.0", "truncated_normal"),
        ("RandomUniform=random_uniform", "minval=0.0, maxval=1.0", "random_uniform"),
        (
            "VarianceScaling=variance_scaling",
            "scale=1.0, mode='fan_in', distribution='truncated_normal', fan_in_axes=None",
            "variance_scaling",
        ),
        ("UniformScaling=uniform_unit_scaling", "scale=1.0", "uniform_scaling"),
        ("Orthogonal=orthogonal", "scale=1.0, axis=-1", "orthogonal_scaled"),
        ("Identity=identity", "gain=1.0", "identity"),
    ),
}

# Equinox is a clone of PyTorch's layers, U(+-1/sqrt(n)) included.
_TORCH = "kaiming_uniform_sqrt5"


def _equinox_conv(one: str, zero: str) -> str:
    return (
        f"in_channels, out_channels, kernel_size, stride={one}, padding={zero}, dilation={one}, groups=1, "
        "use_bias=True, padding_mode='ZEROS', dtype=None, *, key=None"
    )


_EQUINOX_TRANSPOSE = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, dilation=1, groups=1, "
    "use_bias=True, padding_mode='ZEROS', dtype=None, *, key=None"
)
_EQUINOX: Table = {
    "parametric": (
        ("Linear=linear", "in_features, out_features, use_bias=True, dtype=None, *, key=None", _TORCH),
        ("Conv1d=conv1d", _equinox_conv("1", "0"), _TORCH),
        ("Conv2d=conv2d", _equinox_conv("(1, 1)", "(0, 0)"), _TORCH),
        ("Conv3d=conv3d", _equinox_conv("(1, 1, 1)", "(0, 0, 0)"), _TORCH),
        (
            "ConvTranspose1d=conv_transpose1d ConvTranspose2d=conv_transpose2d ConvTranspose3d=conv_transpose3d",
            _EQUINOX_TRANSPOSE,
            _TORCH,
        ),
        ("Embedding=embedding", "num_embeddings=None, embedding_size=None, weight=None, dtype=None, *, key=None", ""),
        (
            "MultiheadAttention=attention",
            "num_heads, query_size, key_size=None, value_size=None, output_size=None, **kwargs",
            "",
        ),
        ("LSTMCell=lstm GRUCell=gru", "input_size, hidden_size, use_bias=True, dtype=None, *, key=None", ""),
    ),
    "activation": (("PReLU=prelu", "init_alpha=0.25", ""),),
    "norm": (
        (
            "LayerNorm=layer_norm RMSNorm=rms_norm",
            "shape, eps=1e-05, use_weight=True, use_bias=True, dtype=None, *, elementwise_affine=None",
            "",
        ),
        ("GroupNorm=group_norm", "groups, channels=None, eps=1e-05, channelwise_affine=True, dtype=None", ""),
        ("BatchNorm=batch_norm", "input_size, axis_name, eps=1e-05, channelwise_affine=True, momentum=0.99", ""),
    ),
    "dropout": (("Dropout=dropout", "p=0.5, inference=False, *, deterministic=None", ""),),
    "pool": (
        *(
            (
                f"MaxPool{n}d=max_pool{n}d AvgPool{n}d=avg_pool{n}d",
                "kernel_size, stride=1, padding=0, use_ceil=False",
                "",
            )
            for n in (1, 2, 3)
        ),
        *((f"AdaptiveAvgPool{n}d=adaptive_avg_pool{n}d", "target_shape", "") for n in (1, 2, 3)),
        *((f"AdaptiveMaxPool{n}d=adaptive_max_pool{n}d", "target_shape", "") for n in (1, 2, 3)),
    ),
    "reshape": (("Identity=identity", "", ""),),
    "container": (("Sequential=sequential", "layers", ""),),
}
_EQUINOX_MLP = (
    "in_size, out_size, width_size, depth, activation=jax.nn.relu, final_activation=None, use_bias=True, "
    "use_final_bias=True, dtype=None, *, scan=False, key=None"
)

_STAX_CONV = "out_chan, filter_shape, strides=None, padding='VALID', W_init=None, b_init=None"
_STAX: Table = {
    "parametric": (
        ("Dense=linear", "out_dim, W_init=None, b_init=None", "glorot_normal"),
        ("Conv=conv2d", _STAX_CONV, "glorot_normal"),
    ),
    "norm": (("BatchNorm=batch_norm", "axis=(0, 1, 2), **kwargs", ""),),
    "dropout": (("Dropout=dropout", "rate, mode='train'", ""),),
    "pool": (
        ("MaxPool=max_pool2d AvgPool=avg_pool2d SumPool=avg_pool2d", "window_shape, padding='VALID', strides=None", ""),
    ),
    "container": (("serial=sequential", "*layers", ""),),
}
# Objects, not classes: what is written is already the layer.
_STAX_OBJECTS: Table = {
    "activation": (
        ("Relu=relu Selu=selu Elu=elu Gelu=gelu LeakyRelu=leaky_relu Tanh=tanh Sigmoid=sigmoid", "x", ""),
        ("Softplus=softplus Softmax=softmax LogSoftmax=log_softmax Exp=exp", "x", ""),
    ),
    "reshape": (("Flatten=flatten Identity=identity", "x", ""),),
}

SPECS: dict[str, Spec] = {
    **expand("jax.nn.", _ACTIVATIONS, functional=True),
    **expand("jax.numpy.", _NUMPY, functional=True),
    **expand("jax.nn.initializers.", _INITIALISERS),
    **expand("jax.example_libraries.stax.", _STAX),
    **expand("jax.example_libraries.stax.", _STAX_OBJECTS, functional=True),
    **expand("flax.linen.", _ACTIVATIONS, functional=True),
    **expand("flax.linen.", _LINEN),
    **expand("flax.linen.", _LINEN_FUNCTIONS, functional=True),
    **expand("flax.linen.initializers.", _INITIALISERS),
    **expand("flax.nnx.", _ACTIVATIONS, functional=True),
    **expand("flax.nnx.", _NNX),
    **expand("flax.nnx.", _LINEN_FUNCTIONS, functional=True),
    **expand("flax.nnx.initializers.", _INITIALISERS),
    **expand("haiku.", _HAIKU),
    **expand("haiku.", _HAIKU_FUNCTIONS, functional=True),
    **expand("haiku.initializers.", _HAIKU_INITIALISERS),
    **expand("haiku.nets.", {"container": (("MLP=mlp", _HAIKU_MLP, _TRUNCATED),)}),
    **expand("equinox.nn.", _EQUINOX),
    **expand("equinox.nn.", {"container": (("MLP=mlp", _EQUINOX_MLP, _TORCH),)}),
}

# Methods of arrays that PyTorch's tensors lack.
ARRAY_METHODS: dict[str, Spec] = expand(
    "", {"reshape": (("astype=identity", "input, dtype, copy=None", ""),)}, functional=True
)
