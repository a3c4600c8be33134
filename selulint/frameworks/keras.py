"""Keras 2 and 3: layers, activations, initialisers, `keras.ops` and the old backend functions.

Names are those under `keras.`; what only Keras 2 (`tf_keras`) has is here too.
"""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand

_REGULARISED = "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None"
_KERNEL = "activation=None, use_bias=True, kernel_initializer='glorot_uniform', bias_initializer='zeros'"
_DEPTHWISE_TAIL = (
    "depth_multiplier=1, data_format=None, {dilation}, activation=None, use_bias=True, depthwise_initializer='glorot_uniform', "
    "bias_initializer='zeros', depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, "
    "depthwise_constraint=None, bias_constraint=None, **kwargs"
)
_SEPARABLE_TAIL = (
    "depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer='glorot_uniform', "
    "pointwise_initializer='glorot_uniform', bias_initializer='zeros', depthwise_regularizer=None, "
    "pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None, depthwise_constraint=None, "
    "pointwise_constraint=None, bias_constraint=None, **kwargs"
)
_RECURRENT_INITS = "kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros'"
_RECURRENT_REGULARISED = (
    "kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None, "
    "kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0"
)
_CELL_REGULARISED = _RECURRENT_REGULARISED.replace("activity_regularizer=None, ", "")
_SEQUENCES = "return_sequences=False, return_state=False, go_backwards=False, stateful=False"
_CONV_LSTM_TAIL = (
    "activation='tanh', recurrent_activation='sigmoid', use_bias=True, "
    f"{_RECURRENT_INITS}, unit_forget_bias=True, {_RECURRENT_REGULARISED}, seed=None, {_SEQUENCES}, **kwargs"
)
_ATTENTION = (
    "kernel_initializer='glorot_uniform', bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, "
    "activity_regularizer=None, kernel_constraint=None, bias_constraint=None, use_gate=False, seed=None, **kwargs"
)
_NORM = (
    "epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', beta_regularizer=None, "
    "gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, **kwargs"
)
_BATCH_NORM = (
    "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', "
    "moving_mean_initializer='zeros', moving_variance_initializer='ones', beta_regularizer=None, gamma_regularizer=None, "
    "beta_constraint=None, gamma_constraint=None"
)
_POOL = "strides=None, padding='valid', data_format=None, name=None, **kwargs"
_GLOROT = "glorot_uniform"


def _conv(strides: str, dilation: str) -> str:
    return (
        f"filters, kernel_size, strides={strides}, padding='valid', data_format=None, dilation_rate={dilation}, groups=1, "
        f"{_KERNEL}, {_REGULARISED}, **kwargs"
    )


def _conv_transpose(ones: str, head: str = "output_padding=None, data_format=None") -> str:
    return f"filters, kernel_size, strides={ones}, padding='valid', {head}, dilation_rate={ones}, {_KERNEL}, {_REGULARISED}, **kwargs"


_LAYERS: Table = {
    "parametric": (
        (
            "Dense=linear",
            f"units, {_KERNEL}, {_REGULARISED}, lora_rank=None, lora_alpha=None, quantization_config=None, **kwargs",
            _GLOROT,
        ),
        (
            "EinsumDense=einsum",
            (
                "equation, output_shape, activation=None, bias_axes=None, kernel_initializer='glorot_uniform', "
                "bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, kernel_constraint=None, "
                "bias_constraint=None, lora_rank=None, lora_alpha=None, gptq_unpacked_column_size=None, "
                "quantization_config=None, **kwargs"
            ),
            _GLOROT,
        ),
        ("Conv1D=conv1d Convolution1D=conv1d", _conv("1", "1"), _GLOROT),
        ("Conv2D=conv2d Convolution2D=conv2d", _conv("(1, 1)", "(1, 1)"), _GLOROT),
        ("Conv3D=conv3d Convolution3D=conv3d", _conv("(1, 1, 1)", "(1, 1, 1)"), _GLOROT),
        ("Conv1DTranspose=conv_transpose1d Convolution1DTranspose=conv_transpose1d", _conv_transpose("1"), _GLOROT),
        (
            "Conv2DTranspose=conv_transpose2d Convolution2DTranspose=conv_transpose2d Deconvolution2D=conv_transpose2d",
            _conv_transpose("(1, 1)"),
            _GLOROT,
        ),
        (
            "Conv3DTranspose=conv_transpose3d Convolution3DTranspose=conv_transpose3d Deconvolution3D=conv_transpose3d",
            _conv_transpose("(1, 1, 1)", "data_format=None, output_padding=None"),
            _GLOROT,
        ),
        (
            "DepthwiseConv1D=depthwise_conv1d",
            f"kernel_size, strides=1, padding='valid', {_DEPTHWISE_TAIL.format(dilation='dilation_rate=1')}",
            _GLOROT,
        ),
        (
            "DepthwiseConv2D=depthwise_conv2d",
            f"kernel_size, strides=(1, 1), padding='valid', {_DEPTHWISE_TAIL.format(dilation='dilation_rate=(1, 1)')}",
            _GLOROT,
        ),
        (
            "SeparableConv1D=separable_conv1d SeparableConvolution1D=separable_conv1d",
            f"filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, {_SEPARABLE_TAIL}",
            _GLOROT,
        ),
        (
            "SeparableConv2D=separable_conv2d SeparableConvolution2D=separable_conv2d",
            f"filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), {_SEPARABLE_TAIL}",
            _GLOROT,
        ),
        # Gone in Keras 3. Keras computes the fans of these kernels wrongly: no law is claimed.
        (
            "LocallyConnected1D=locally_connected1d LocallyConnected2D=locally_connected2d",
            (
                f"filters, kernel_size, strides=1, padding='valid', data_format=None, {_KERNEL}, {_REGULARISED}, "
                "implementation=1, **kwargs"
            ),
            "",
        ),
        (
            "Embedding=embedding",
            (
                "input_dim, output_dim, embeddings_initializer='uniform', embeddings_regularizer=None, "
                "embeddings_constraint=None, mask_zero=False, weights=None, lora_rank=None, lora_alpha=None, "
                "quantization_config=None, **kwargs"
            ),
            "random_uniform",
        ),
        (
            "ReversibleEmbedding=embedding",
            (
                "input_dim, output_dim, tie_weights=True, embeddings_initializer='uniform', embeddings_regularizer=None, "
                "embeddings_constraint=None, mask_zero=False, reverse_dtype=None, logit_soft_cap=None, **kwargs"
            ),
            "random_uniform",
        ),
        (
            "SimpleRNN=rnn",
            (
                f"units, activation='tanh', use_bias=True, {_RECURRENT_INITS}, {_RECURRENT_REGULARISED}, {_SEQUENCES}, "
                "unroll=False, seed=None, **kwargs"
            ),
            _GLOROT,
        ),
        (
            "SimpleRNNCell=rnn",
            f"units, activation='tanh', use_bias=True, {_RECURRENT_INITS}, {_CELL_REGULARISED}, seed=None, **kwargs",
            _GLOROT,
        ),
        (
            "LSTM=lstm",
            (
                f"units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, {_RECURRENT_INITS}, "
                f"unit_forget_bias=True, {_RECURRENT_REGULARISED}, seed=None, {_SEQUENCES}, unroll=False, use_cudnn='auto', **kwargs"
            ),
            _GLOROT,
        ),
        (
            "LSTMCell=lstm",
            (
                f"units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, {_RECURRENT_INITS}, "
                f"unit_forget_bias=True, {_CELL_REGULARISED}, seed=None, **kwargs"
            ),
            _GLOROT,
        ),
        (
            "GRU=gru",
            (
                f"units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, {_RECURRENT_INITS}, "
                f"{_RECURRENT_REGULARISED}, seed=None, {_SEQUENCES}, unroll=False, reset_after=True, use_cudnn='auto', **kwargs"
            ),
            _GLOROT,
        ),
        (
            "GRUCell=gru",
            (
                f"units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, {_RECURRENT_INITS}, "
                f"{_CELL_REGULARISED}, reset_after=True, seed=None, **kwargs"
            ),
            _GLOROT,
        ),
        ("CuDNNLSTM=lstm CuDNNGRU=gru", f"units, {_RECURRENT_INITS}, **kwargs", _GLOROT),
        (
            "ConvLSTM1D=lstm",
            f"filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, {_CONV_LSTM_TAIL}",
            _GLOROT,
        ),
        (
            "ConvLSTM2D=lstm ConvLSTM3D=lstm",
            f"filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, {_CONV_LSTM_TAIL}",
            _GLOROT,
        ),
        (
            "RNN=rnn",
            f"cell, {_SEQUENCES}, unroll=False, zero_output_for_mask=False, **kwargs",
            "",
        ),
        (
            "MultiHeadAttention=attention",
            (
                "num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, attention_axes=None, "
                f"sliding_window=None, flash_attention=None, {_ATTENTION}"
            ),
            "",
        ),
        (
            "GroupQueryAttention=attention",
            (
                "head_dim, num_query_heads, num_key_value_heads, dropout=0.0, use_bias=True, sliding_window=None, "
                f"flash_attention=None, {_ATTENTION}"
            ),
            "",
        ),
    ),
    "activation": (
        ("Activation=activation", "activation, **kwargs", ""),
        ("ReLU=relu", "max_value=None, negative_slope=0.0, threshold=0.0, **kwargs", ""),
        ("LeakyReLU=leaky_relu", "negative_slope=0.3, **kwargs", ""),
        (
            "PReLU=prelu",
            "alpha_initializer='Zeros', alpha_regularizer=None, alpha_constraint=None, shared_axes=None, **kwargs",
            "",
        ),
        ("ELU=elu", "alpha=1.0, **kwargs", ""),
        ("Softmax=softmax", "axis=-1, **kwargs", ""),
        ("ThresholdedReLU=threshold", "theta=1.0, **kwargs", ""),
    ),
    "norm": (
        (
            "BatchNormalization=batch_norm",
            f"{_BATCH_NORM}, renorm=False, renorm_clipping=None, renorm_momentum=0.99, synchronized=False, **kwargs",
            "",
        ),
        ("experimental.SyncBatchNormalization=batch_norm", f"{_BATCH_NORM}, **kwargs", ""),
        ("LayerNormalization=layer_norm", f"axis=-1, {_NORM}", ""),
        ("GroupNormalization=group_norm", f"groups=32, axis=-1, {_NORM}", ""),
        ("RMSNormalization=rms_norm", "axis=-1, epsilon=1e-06, **kwargs", ""),
        ("UnitNormalization=unit_norm", "axis=-1, **kwargs", ""),
    ),
    "dropout": (
        ("Dropout=dropout AlphaDropout=alpha_dropout", "rate, noise_shape=None, seed=None, **kwargs", ""),
        ("GaussianDropout=gaussian_dropout", "rate, seed=None, **kwargs", ""),
        ("GaussianNoise=gaussian_noise", "stddev, seed=None, **kwargs", ""),
        ("SpatialDropout1D=spatial_dropout1d", "rate, seed=None, name=None, dtype=None", ""),
        (
            "SpatialDropout2D=spatial_dropout2d SpatialDropout3D=spatial_dropout3d",
            "rate, data_format=None, seed=None, name=None, dtype=None",
            "",
        ),
    ),
    "pool": (
        ("MaxPooling1D=max_pool1d MaxPool1D=max_pool1d", f"pool_size=2, {_POOL}", ""),
        ("MaxPooling2D=max_pool2d MaxPool2D=max_pool2d", f"pool_size=(2, 2), {_POOL}", ""),
        ("MaxPooling3D=max_pool3d MaxPool3D=max_pool3d", f"pool_size=(2, 2, 2), {_POOL}", ""),
        ("AveragePooling1D=avg_pool1d AvgPool1D=avg_pool1d", f"pool_size, {_POOL}", ""),
        ("AveragePooling2D=avg_pool2d AvgPool2D=avg_pool2d", f"pool_size, {_POOL}", ""),
        ("AveragePooling3D=avg_pool3d AvgPool3D=avg_pool3d", f"pool_size, {_POOL}", ""),
        (
            (
                "GlobalAveragePooling1D=global_avg_pool GlobalAveragePooling2D=global_avg_pool "
                "GlobalAveragePooling3D=global_avg_pool GlobalAvgPool1D=global_avg_pool GlobalAvgPool2D=global_avg_pool "
                "GlobalAvgPool3D=global_avg_pool"
            ),
            "data_format=None, keepdims=False, **kwargs",
            "",
        ),
        (
            (
                "GlobalMaxPooling1D=global_max_pool GlobalMaxPooling2D=global_max_pool GlobalMaxPooling3D=global_max_pool "
                "GlobalMaxPool1D=global_max_pool GlobalMaxPool2D=global_max_pool GlobalMaxPool3D=global_max_pool"
            ),
            "data_format=None, keepdims=False, **kwargs",
            "",
        ),
        (
            (
                "AdaptiveAveragePooling1D=global_avg_pool AdaptiveAveragePooling2D=global_avg_pool "
                "AdaptiveAveragePooling3D=global_avg_pool"
            ),
            "output_size, data_format=None, **kwargs",
            "",
        ),
        (
            "AdaptiveMaxPooling1D=global_max_pool AdaptiveMaxPooling2D=global_max_pool AdaptiveMaxPooling3D=global_max_pool",
            "output_size, data_format=None, **kwargs",
            "",
        ),
    ),
    "merge": (
        ("Add=add Subtract=subtract Multiply=multiply Average=average Maximum=maximum Minimum=minimum", "**kwargs", ""),
        ("Concatenate=concat", "axis=-1, **kwargs", ""),
        ("Dot=matmul", "axes, normalize=False, **kwargs", ""),
        ("Attention=attention", "use_scale=False, score_mode='dot', dropout=0.0, seed=None, **kwargs", ""),
        ("AdditiveAttention=attention", "use_scale=True, dropout=0.0, **kwargs", ""),
    ),
    "reshape": (
        ("Identity=identity", "**kwargs", ""),
        ("Flatten=flatten", "data_format=None, **kwargs", ""),
        ("Reshape=reshape", "target_shape, **kwargs", ""),
        ("Permute=permute", "dims, **kwargs", ""),
        ("RepeatVector=repeat_vector", "n, **kwargs", ""),
        ("Cropping1D=crop", "cropping=(1, 1), **kwargs", ""),
        ("Cropping2D=crop", "cropping=((0, 0), (0, 0)), data_format=None, **kwargs", ""),
        ("Cropping3D=crop", "cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs", ""),
        ("UpSampling1D=upsample", "size=2, **kwargs", ""),
        ("UpSampling2D=upsample", "size=(2, 2), data_format=None, interpolation='nearest', **kwargs", ""),
        ("UpSampling3D=upsample", "size=(2, 2, 2), data_format=None, **kwargs", ""),
        ("ZeroPadding1D=pad", "padding=1, data_format=None, **kwargs", ""),
        ("ZeroPadding2D=pad", "padding=(1, 1), data_format=None, **kwargs", ""),
        ("ZeroPadding3D=pad", "padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs", ""),
        ("ActivityRegularization=identity", "l1=0.0, l2=0.0, **kwargs", ""),
        ("Masking=identity", "mask_value=0.0, **kwargs", ""),
        (
            "Resizing=resize",
            (
                "height, width, interpolation='bilinear', crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, "
                "fill_mode='constant', fill_value=0.0, antialias=False, data_format=None, **kwargs"
            ),
            "",
        ),
        ("CenterCrop=crop", "height, width, data_format=None, **kwargs", ""),
        # Augmentation moves pixels about in training and does nothing else that matters here.
        ("RandomCrop=augment", "height, width, seed=None, data_format=None, name=None, **kwargs", ""),
        ("RandomFlip=augment", "mode='horizontal_and_vertical', seed=None, data_format=None, **kwargs", ""),
        (
            "RandomRotation=augment",
            "factor, fill_mode='reflect', interpolation='bilinear', seed=None, fill_value=0.0, data_format=None, **kwargs",
            "",
        ),
        (
            "RandomTranslation=augment",
            (
                "height_factor, width_factor, fill_mode='reflect', interpolation='bilinear', seed=None, fill_value=0.0, "
                "data_format=None, **kwargs"
            ),
            "",
        ),
        (
            "RandomZoom=augment",
            (
                "height_factor, width_factor=None, fill_mode='reflect', interpolation='bilinear', seed=None, fill_value=0.0, "
                "data_format=None, **kwargs"
            ),
            "",
        ),
        ("RandomContrast=augment", "factor, seed=None, **kwargs", ""),
        ("RandomBrightness=augment", "factor, value_range=(0, 255), seed=None, **kwargs", ""),
        ("RandomHeight=augment RandomWidth=augment", "factor, interpolation='bilinear', seed=None, **kwargs", ""),
        (
            (
                "RandomShear=augment RandomPerspective=augment RandomErasing=augment RandomElasticTransform=augment "
                "RandomGaussianBlur=augment RandomGrayscale=augment RandomHue=augment RandomInvert=augment "
                "RandomPosterization=augment RandomSaturation=augment RandomSharpness=augment RandomColorJitter=augment "
                "RandomColorDegeneration=augment RandAugment=augment AugMix=augment AutoContrast=augment CutMix=augment "
                "MixUp=augment Equalization=augment Solarization=augment ContrastLimitedAdaptiveHistogramEqualization=augment"
            ),
            "**kwargs",
            "",
        ),
    ),
    "scale": (
        ("Rescaling=rescaling", "scale, offset=0.0, **kwargs", ""),
        ("Normalization=standardise", "axis=-1, mean=None, variance=None, invert=False, **kwargs", ""),
    ),
    "container": (
        ("TimeDistributed=time_distributed Wrapper=wrapper", "layer, **kwargs", ""),
        ("Bidirectional=bidirectional", "layer, merge_mode='concat', weights=None, backward_layer=None, **kwargs", ""),
        ("SpectralNormalization=spectral_norm", "layer, power_iterations=1, **kwargs", ""),
        ("StackedRNNCells=stacked_cells", "cells, **kwargs", ""),
        ("Pipeline=pipeline", "layers, name=None", ""),
    ),
    "input": (
        (
            "InputLayer=input",
            (
                "shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, input_tensor=None, "
                "optional=False, name=None, **kwargs"
            ),
            "",
        ),
        (
            "Input=input",
            (
                "shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None, "
                "optional=False"
            ),
            "",
        ),
    ),
    "opaque": (
        ("Lambda=lambda", "function, output_shape=None, mask=None, arguments=None, **kwargs", ""),
        (
            (
                "CategoryEncoding=preprocess Discretization=preprocess HashedCrossing=preprocess Hashing=preprocess "
                "IntegerLookup=preprocess StringLookup=preprocess TextVectorization=preprocess MelSpectrogram=preprocess "
                "STFTSpectrogram=preprocess MaxNumBoundingBoxes=preprocess"
            ),
            "**kwargs",
            "",
        ),
        ("JaxLayer=foreign FlaxLayer=foreign TorchModuleWrapper=foreign TFSMLayer=foreign", "**kwargs", ""),
    ),
    "other": (("Layer=layer InputSpec=input_spec AbstractRNNCell=layer", "*args, **kwargs", ""),),
}

_MERGE_FUNCTIONS: Table = {
    "merge": (
        (
            "add=add subtract=subtract multiply=multiply average=average maximum=maximum minimum=minimum",
            "inputs, **kwargs",
            "",
        ),
        ("concatenate=concat", "inputs, axis=-1, **kwargs", ""),
        ("dot=matmul", "inputs, axes=-1, **kwargs", ""),
    ),
}
# Snake case builds the same classes; the strings of `kernel_initializer=` are these names and a few more.
_INITIALISERS: Table = {
    "initialiser": tuple(
        (f"{camel}={snake} {snake}={snake}", signature, snake)
        for pairs, signature in (
            (
                (
                    "GlorotNormal=glorot_normal GlorotUniform=glorot_uniform HeNormal=he_normal HeUniform=he_uniform "
                    "LecunNormal=lecun_normal LecunUniform=lecun_uniform"
                ),
                "seed=None, input_axes=None, output_axes=None",
            ),
            (
                "VarianceScaling=variance_scaling",
                "scale=1.0, mode='fan_in', distribution='truncated_normal', seed=None, input_axes=None, output_axes=None",
            ),
            ("RandomNormal=random_normal TruncatedNormal=truncated_normal", "mean=0.0, stddev=0.05, seed=None"),
            ("RandomUniform=random_uniform", "minval=-0.05, maxval=0.05, seed=None"),
            ("Orthogonal=orthogonal", "gain=1.0, seed=None"),
            ("Identity=identity", "gain=1.0"),
            ("Constant=constant", "value=0.0"),
            ("Zeros=zeros Ones=ones", ""),
            ("STFT=stft", "side='real', window='hann', scaling='density', periodic=False"),
        )
        for camel, _, snake in (pair.partition("=") for pair in pairs.split())
    )
    + (
        ("OrthogonalInitializer=orthogonal", "gain=1.0, seed=None", "orthogonal"),
        ("IdentityInitializer=identity", "gain=1.0", "identity"),
        ("STFTInitializer=stft", "side='real', window='hann', scaling='density', periodic=False", "stft"),
    ),
    "other": (("Initializer=initialiser", "", ""),),
}

_PLAIN = "selu=selu relu6=relu6 silu=silu sigmoid=sigmoid tanh=tanh softplus=softplus softsign=softsign"
_ACTIVATIONS: Table = {
    "activation": (
        ("relu=relu", "x, negative_slope=0.0, max_value=None, threshold=0.0", ""),
        ("leaky_relu=leaky_relu", "x, negative_slope=0.2", ""),
        (_PLAIN, "x", ""),
        (
            "swish=silu mish=mish exponential=exp hard_sigmoid=hardsigmoid hard_silu=hardswish hard_swish=hardswish",
            "x",
            "",
        ),
        ("hard_tanh=hardtanh log_sigmoid=logsigmoid tanh_shrink=tanhshrink", "x", ""),
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

_OPS: Table = {
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
_BACKEND: Table = {
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

_MODELS: Table = {
    "container": (
        ("Sequential=sequential models.Sequential=sequential", "layers=None, trainable=True, name=None", ""),
    ),
    "input": (
        (
            "Input=input",
            (
                "shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None, "
                "optional=False"
            ),
            "",
        ),
    ),
    "other": (("Model=model models.Model=model", "*args, **kwargs", ""),),
}

SPECS: dict[str, Spec] = {
    **expand("keras.", _MODELS),
    **expand("keras.layers.", _LAYERS),
    **expand("keras.layers.", _MERGE_FUNCTIONS, functional=True),
    **expand("keras.initializers.", _INITIALISERS),
    **expand("keras.activations.", _ACTIVATIONS, functional=True),
    **expand("keras.ops.", _OPS, functional=True),
    **expand("keras.ops.nn.", {"activation": _OPS["activation"]}, functional=True),
    **expand("keras.backend.", _BACKEND, functional=True),
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
