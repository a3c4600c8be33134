"""Keras functions on tensors: `keras.activations`, `keras.ops` and the backend functions of Keras 2."""

from __future__ import annotations

from selulint.frameworks import Table

_PLAIN = "selu=selu relu6=relu6 silu=silu sigmoid=sigmoid softplus=softplus softsign=softsign"
ACTIVATIONS: Table = {
    "activation": (
        ("relu=relu", "x, negative_slope=0.0, max_value=None, threshold=0.0", ""),
        ("leaky_relu=leaky_relu", "x, negative_slope=0.2", ""),
        (_PLAIN, "x", ""),
        (
            "swish=silu mish=mish exponential=exp hard_sigmoid=hardsigmoid hard_silu=hardswish hard_swish=hardswish",
            "x",
            "",
        ),
        ("tanh=tanh hard_tanh=hardtanh log_sigmoid=logsigmoid tanh_shrink=tanhshrink", "x", ""),
        ("sparse_plus=sparse_plus sparse_sigmoid=sparse_sigmoid", "x", ""),
        ("elu=elu celu=celu", "x, alpha=1.0", ""),
        ("gelu=gelu", "x, approximate=False", ""),
        ("glu=glu softmax=softmax log_softmax=log_softmax sparsemax=sparsemax", "x, axis=-1", ""),
        ("hard_shrink=hardshrink soft_shrink=softshrink", "x, threshold=0.5", ""),
        ("squareplus=squareplus", "x, b=4", ""),
        ("threshold=threshold", "x, threshold, default_value", ""),
    ),
    "reshape": (("linear=identity", "x", ""),),
}

NN_OPS: Table = {
    "activation": (
        ("relu=relu", "x", ""),
        ("leaky_relu=leaky_relu", "x, negative_slope=0.2", ""),
        (_PLAIN, "x", ""),
        ("swish=silu hard_sigmoid=hardsigmoid hard_silu=hardswish hard_swish=hardswish hard_tanh=hardtanh", "x", ""),
        (
            "log_sigmoid=logsigmoid tanh_shrink=tanhshrink sparse_plus=sparse_plus sparse_sigmoid=sparse_sigmoid",
            "x",
            "",
        ),
        ("elu=elu celu=celu", "x, alpha=1.0", ""),
        ("gelu=gelu", "x, approximate=True", ""),
        ("glu=glu softmax=softmax log_softmax=log_softmax sparsemax=sparsemax", "x, axis=-1", ""),
        ("hard_shrink=hardshrink soft_shrink=softshrink", "x, threshold=0.5", ""),
        ("squareplus=squareplus", "x, b=4", ""),
        ("threshold=threshold", "x, threshold, default_value", ""),
    ),
}
OPS: Table = {
    "activation": (*NN_OPS["activation"], ("tanh=tanh", "x", "")),
    "merge": (
        ("add=add subtract=subtract multiply=multiply matmul=matmul maximum=maximum minimum=minimum", "x1, x2", ""),
        ("divide=divide true_divide=divide", "x1, x2", ""),
        ("concatenate=concat", "xs, axis=0", ""),
        ("stack=stack", "x, axis=0", ""),
        ("einsum=einsum", "subscripts, *operands, **kwargs", ""),
    ),
    "pool": (
        ("mean=mean sum=sum", "x, axis=None, keepdims=False", ""),
        (
            "max_pool=max_pool2d average_pool=avg_pool2d",
            "inputs, pool_size, strides=None, padding='valid', data_format=None",
            "",
        ),
    ),
    "norm": (
        ("batch_normalization=batch_norm", "x, mean, variance, axis, offset=None, scale=None, epsilon=0.001", ""),
        ("layer_normalization=layer_norm", "x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs", ""),
        ("rms_normalization=rms_norm", "x, scale=None, axis=-1, epsilon=None", ""),
    ),
    "reshape": (
        ("reshape=reshape", "x, newshape", ""),
        ("transpose=permute", "x, axes=None", ""),
        ("squeeze=squeeze", "x, axis=None", ""),
        ("expand_dims=unsqueeze", "x, axis", ""),
        ("pad=pad", "x, pad_width, mode='constant', constant_values=None", ""),
        ("cast=identity", "x, dtype", ""),
        ("stop_gradient=identity", "variable", ""),
        ("split=split", "x, indices_or_sections, axis=0", ""),
        ("repeat=repeat", "x, repeats, axis=None", ""),
        ("tile=repeat", "x, repeats", ""),
        ("flip=permute", "x, axis=None", ""),
        ("broadcast_to=reshape", "x, shape", ""),
    ),
    "opaque": (
        ("abs=abs exp=exp log=log sqrt=sqrt square=square sin=sin cos=cos", "x", ""),
        ("max=max min=min", "x, axis=None, keepdims=False, initial=None", ""),
        ("var=var std=std", "x, axis=None, keepdims=False", ""),
        ("clip=clamp", "x, x_min, x_max", ""),
        ("power=power", "x1, x2", ""),
        ("normalize=l2_normalize", "x, axis=-1, order=2, epsilon=None", ""),
        ("where=where", "condition, x1=None, x2=None", ""),
    ),
}

# The functions of Keras 2's `keras.backend`. There is no `selu` among them.
BACKEND: Table = {
    "activation": (
        ("relu=relu", "x, alpha=0.0, max_value=None, threshold=0.0", ""),
        ("elu=elu", "x, alpha=1.0", ""),
        ("softmax=softmax", "x, axis=-1", ""),
        ("softplus=softplus softsign=softsign sigmoid=sigmoid tanh=tanh hard_sigmoid=hardsigmoid", "x", ""),
    ),
    "dropout": (("dropout=dropout", "x, level, noise_shape=None, seed=None", ""),),
    "merge": (
        ("concatenate=concat", "tensors, axis=-1", ""),
        ("stack=stack", "x, axis=0", ""),
        ("maximum=maximum minimum=minimum dot=matmul", "x, y", ""),
        ("batch_dot=matmul", "x, y, axes=None", ""),
    ),
    "pool": (("mean=mean sum=sum", "x, axis=None, keepdims=False", ""),),
    "norm": (
        ("batch_normalization=batch_norm", "x, mean, var, beta, gamma, axis=-1, epsilon=0.001", ""),
        ("l2_normalize=unit_norm", "x, axis=None", ""),
    ),
    "reshape": (
        ("reshape=reshape", "x, shape", ""),
        ("flatten=flatten batch_flatten=flatten stop_gradient=identity identity=identity", "x", ""),
        ("permute_dimensions=permute", "x, pattern", ""),
        ("squeeze=squeeze", "x, axis", ""),
        ("expand_dims=unsqueeze", "x, axis=-1", ""),
        ("cast=identity", "x, dtype", ""),
    ),
    "opaque": (
        ("abs=abs exp=exp log=log sqrt=sqrt square=square", "x", ""),
        ("max=max min=min std=std var=var", "x, axis=None, keepdims=False", ""),
        ("clip=clamp", "x, min_value, max_value", ""),
        ("pow=power", "x, a", ""),
    ),
}
