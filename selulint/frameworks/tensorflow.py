"""TensorFlow outside Keras: `tf.nn`, `tf.math`, the top level, TF1's initialisers and `tf.layers`."""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand

_NN: Table = {
    "activation": (
        ("relu=relu relu6=relu6 elu=elu selu=selu softplus=softplus softsign=softsign", "features, name=None", ""),
        ("crelu=crelu", "features, axis=-1, name=None", ""),
        ("gelu=gelu", "features, approximate=False, name=None", ""),
        ("leaky_relu=leaky_relu", "features, alpha=0.2, name=None", ""),
        ("silu=silu swish=silu", "features, beta=1.0", ""),
        ("sigmoid=sigmoid tanh=tanh", "x, name=None", ""),
        ("softmax=softmax log_softmax=log_softmax", "logits, axis=None, name=None", ""),
    ),
    # The second argument is `rate` in TF 2 and `keep_prob` in TF 1.
    "dropout": (("dropout=dropout", "x, rate=None, noise_shape=None, seed=None, name=None, keep_prob=None", ""),),
    "parametric": (
        ("conv1d=conv1d", "input, filters, stride, padding, data_format='NWC', dilations=None, name=None", ""),
        ("conv2d=conv2d", "input, filters, strides, padding, data_format='NHWC', dilations=None, name=None", ""),
        ("conv3d=conv3d", "input, filters, strides, padding, data_format='NDHWC', dilations=None, name=None", ""),
        (
            "depthwise_conv2d=depthwise_conv2d",
            "input, filter, strides, padding, data_format=None, dilations=None, name=None",
            "",
        ),
        (
            "conv2d_transpose=conv_transpose2d",
            "input, filters, output_shape, strides, padding='SAME', data_format='NHWC', dilations=None, name=None",
            "",
        ),
        ("convolution=conv2d", "input, filters, strides=None, padding='VALID', name=None", ""),
        ("atrous_conv2d=conv2d", "value, filters, rate, padding, name=None", ""),
        (
            "separable_conv2d=separable_conv2d",
            "input, depthwise_filter, pointwise_filter, strides, padding, data_format=None, dilations=None, name=None",
            "",
        ),
        ("xw_plus_b=linear", "x, weights, biases, name=None", ""),
        ("relu_layer=linear", "x, weights, biases, name=None, *, activation=tensorflow.nn.relu", ""),
        ("embedding_lookup=embedding", "params, ids, max_norm=None, name=None", ""),
    ),
    "norm": (
        ("batch_normalization=batch_norm", "x, mean, variance, offset, scale, variance_epsilon, name=None", ""),
        (
            "local_response_normalization=local_response_norm lrn=local_response_norm",
            "input, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None",
            "",
        ),
    ),
    "pool": (
        (
            "max_pool=max_pool2d max_pool2d=max_pool2d",
            "input, ksize, strides, padding, data_format=None, name=None",
            "",
        ),
        (
            "avg_pool=avg_pool2d avg_pool2d=avg_pool2d",
            "input, ksize, strides, padding, data_format=None, name=None",
            "",
        ),
    ),
    "opaque": (("l2_normalize=l2_normalize", "x, axis=None, epsilon=1e-12, name=None", ""),),
    # A bias belongs to the layer before it.
    "reshape": (("bias_add=identity", "value, bias, data_format=None, name=None", ""),),
}

_MATH: Table = {
    "activation": (
        ("sigmoid=sigmoid tanh=tanh", "x, name=None", ""),
        ("softplus=softplus", "features, name=None", ""),
        ("softmax=softmax", "logits, axis=None, name=None", ""),
    ),
    "merge": (
        (
            "add=add subtract=subtract multiply=multiply maximum=maximum minimum=minimum divide=divide",
            "x, y, name=None",
            "",
        ),
        ("add_n=add", "inputs, name=None", ""),
    ),
    "pool": (("reduce_mean=mean reduce_sum=sum", "input_tensor, axis=None, keepdims=False, name=None", ""),),
    "opaque": (
        ("reduce_max=max reduce_min=min", "input_tensor, axis=None, keepdims=False, name=None", ""),
        ("abs=abs exp=exp expm1=expm1 log=log sqrt=sqrt square=square sin=sin cos=cos", "x, name=None", ""),
        ("pow=power", "x, y, name=None", ""),
    ),
}

_TOP: Table = {
    "merge": (
        ("concat=concat", "values, axis, name=None", ""),
        ("stack=stack", "values, axis=0, name=None", ""),
        ("matmul=matmul", "a, b, transpose_a=False, transpose_b=False, name=None", ""),
        ("einsum=einsum", "equation, *inputs, **kwargs", ""),
        ("tensordot=einsum", "a, b, axes, name=None", ""),
    ),
    "reshape": (
        ("reshape=reshape", "tensor, shape, name=None", ""),
        ("transpose=permute", "a, perm=None, conjugate=False, name=None", ""),
        ("squeeze=squeeze", "input, axis=None, name=None", ""),
        ("expand_dims=unsqueeze", "input, axis, name=None", ""),
        ("identity=identity stop_gradient=identity", "input, name=None", ""),
        ("cast=identity", "x, dtype, name=None", ""),
        ("to_float=identity to_double=identity to_bfloat16=identity", "x, name=None", ""),
        ("pad=pad", "tensor, paddings, mode='CONSTANT', constant_values=0, name=None", ""),
        ("split=split", "value, num_or_size_splits, axis=0, num=None, name=None", ""),
        ("tile=repeat", "input, multiples, name=None", ""),
        ("gather=index", "params, indices, validate_indices=None, axis=None, batch_dims=0, name=None", ""),
        ("slice=index", "input_, begin, size, name=None", ""),
    ),
    "opaque": (
        ("clip_by_value=clamp", "t, clip_value_min, clip_value_max, name=None", ""),
        ("where=where", "condition, x=None, y=None, name=None", ""),
    ),
}

# Where TF 1 and TF 2 differ in a default (1.0 against 0.05) there is none here: the law is then unknown.
_LAWS: tuple[tuple[str, str, str], ...] = (
    ("glorot_normal glorot_uniform", "seed=None, dtype=None", ""),
    ("variance_scaling", "scale=1.0, mode='fan_in', distribution='truncated_normal', seed=None, dtype=None", ""),
    ("orthogonal", "gain=1.0, seed=None, dtype=None", ""),
    ("zeros ones", "dtype=None", ""),
    ("constant", "value=0, dtype=None, verify_shape=False", ""),
    ("random_normal", "mean=0.0, stddev=None, seed=None, dtype=None", ""),
    ("random_uniform", "minval=None, maxval=None, seed=None, dtype=None", ""),
    ("uniform_unit_scaling", "factor=1.0, seed=None, dtype=None", ""),
)
_CAMEL = (
    "GlorotNormal=glorot_normal GlorotUniform=glorot_uniform HeNormal=he_normal HeUniform=he_uniform "
    "LecunNormal=lecun_normal LecunUniform=lecun_uniform"
)
_INITIALISERS: Table = {
    "initialiser": (
        *((f"{law}_initializer={law}", signature, law) for laws, signature, _ in _LAWS for law in laws.split()),
        *((f"initializers.{law}={law}", signature, law) for laws, signature, _ in _LAWS for law in laws.split()),
        *(
            (f"initializers.{camel}={law} initializers.{law}={law}", "seed=None", law)
            for camel, _, law in (pair.partition("=") for pair in _CAMEL.split())
        ),
        (
            "truncated_normal_initializer=truncated_normal",
            "mean=0.0, stddev=1.0, seed=None, dtype=None",
            "truncated_normal",
        ),
        (
            "initializers.truncated_normal=truncated_normal",
            "mean=0.0, stddev=None, seed=None, dtype=None",
            "truncated_normal",
        ),
        ("initializers.TruncatedNormal=truncated_normal", "mean=0.0, stddev=0.05, seed=None", "truncated_normal"),
        ("initializers.RandomNormal=random_normal", "mean=0.0, stddev=0.05, seed=None", "random_normal"),
        ("initializers.RandomUniform=random_uniform", "minval=-0.05, maxval=0.05, seed=None", "random_uniform"),
        (
            "initializers.VarianceScaling=variance_scaling",
            "scale=1.0, mode='fan_in', distribution='truncated_normal', seed=None",
            "variance_scaling",
        ),
        ("initializers.Orthogonal=orthogonal", "gain=1.0, seed=None", "orthogonal"),
        ("initializers.Identity=identity initializers.identity=identity", "gain=1.0", "identity"),
        ("initializers.Zeros=zeros", "", "zeros"),
        ("initializers.Ones=ones", "", "ones"),
        ("initializers.Constant=constant", "value=0", "constant"),
    ),
}

_REGULARISED = (
    "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
    "bias_constraint=None, trainable=True, name=None"
)
_KERNEL = f"activation=None, use_bias=True, kernel_initializer=None, bias_initializer=None, {_REGULARISED}"
_POOL = "pool_size, strides, padding='valid', data_format='channels_last', name=None"


def _conv(ones: str) -> str:
    return (
        f"filters, kernel_size, strides={ones}, padding='valid', data_format='channels_last', "
        f"dilation_rate={ones}, {_KERNEL}"
    )


_CONV_TRANSPOSE = f"filters, kernel_size, strides=(1, 1), padding='valid', data_format='channels_last', {_KERNEL}"
_BATCH_NORM = (
    "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer=None, gamma_initializer=None, "
    "moving_mean_initializer=None, moving_variance_initializer=None, beta_regularizer=None, gamma_regularizer=None, "
    "beta_constraint=None, gamma_constraint=None"
)
# TF 1 leaves the initialiser to the variable, whose default is Glorot uniform.
_V1_CLASSES: Table = {
    "parametric": (
        ("Dense=linear", f"units, {_KERNEL}", "glorot_uniform"),
        ("Conv1D=conv1d", _conv("1"), "glorot_uniform"),
        ("Conv2D=conv2d", _conv("(1, 1)"), "glorot_uniform"),
        ("Conv3D=conv3d", _conv("(1, 1, 1)"), "glorot_uniform"),
        ("Conv2DTranspose=conv_transpose2d", _CONV_TRANSPOSE, "glorot_uniform"),
    ),
    "dropout": (("Dropout=dropout", "rate=0.5, noise_shape=None, seed=None, name=None", ""),),
    "norm": (("BatchNormalization=batch_norm", f"{_BATCH_NORM}, **kwargs", ""),),
    "pool": (
        ("MaxPooling1D=max_pool1d MaxPooling2D=max_pool2d MaxPooling3D=max_pool3d", _POOL, ""),
        ("AveragePooling1D=avg_pool1d AveragePooling2D=avg_pool2d AveragePooling3D=avg_pool3d", _POOL, ""),
    ),
    "reshape": (("Flatten=flatten", "data_format='channels_last', name=None", ""),),
}
_V1_FUNCTIONS: Table = {
    "parametric": (
        ("dense=linear", f"inputs, units, {_KERNEL}, reuse=None", "glorot_uniform"),
        ("conv1d=conv1d", f"inputs, {_conv('1')}, reuse=None", "glorot_uniform"),
        ("conv2d=conv2d", f"inputs, {_conv('(1, 1)')}, reuse=None", "glorot_uniform"),
        ("conv3d=conv3d", f"inputs, {_conv('(1, 1, 1)')}, reuse=None", "glorot_uniform"),
        ("conv2d_transpose=conv_transpose2d", f"inputs, {_CONV_TRANSPOSE}, reuse=None", "glorot_uniform"),
    ),
    # Off unless `training` is given.
    "dropout": (("dropout=dropout", "inputs, rate=0.5, noise_shape=None, seed=None, training=False, name=None", ""),),
    "norm": (
        ("batch_normalization=batch_norm", f"inputs, {_BATCH_NORM}, training=False, trainable=True, name=None", ""),
    ),
    "pool": (
        ("max_pooling1d=max_pool1d max_pooling2d=max_pool2d max_pooling3d=max_pool3d", f"inputs, {_POOL}", ""),
        (
            "average_pooling1d=avg_pool1d average_pooling2d=avg_pool2d average_pooling3d=avg_pool3d",
            f"inputs, {_POOL}",
            "",
        ),
    ),
    "reshape": (("flatten=flatten", "inputs, name=None, data_format='channels_last'", ""),),
}

SPECS: dict[str, Spec] = {
    **expand("tensorflow.nn.", _NN, functional=True),
    **expand("tensorflow.math.", _MATH, functional=True),
    **expand("tensorflow.", _MATH, functional=True),
    **expand("tensorflow.", _TOP, functional=True),
    **expand(
        "tensorflow.linalg.",
        {"merge": (("matmul=matmul", "a, b, transpose_a=False, transpose_b=False", ""),)},
        functional=True,
    ),
    **expand(
        "tensorflow.contrib.nn.",
        {"dropout": (("alpha_dropout=alpha_dropout", "x, keep_prob, noise_shape=None, seed=None, name=None", ""),)},
        functional=True,
    ),
    **expand("tensorflow.", _INITIALISERS),
    **expand("tensorflow.layers.", _V1_CLASSES),
    **expand("tensorflow.layers.", _V1_FUNCTIONS, functional=True),
}
