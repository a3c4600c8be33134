"""Keras layers: every class of `keras.layers`, with the defaults of Keras 3.15; what only Keras 2 has is here too."""

from __future__ import annotations

from selulint.frameworks import Table

_REGULARISED = (
    "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
    "bias_constraint=None"
)
_KERNEL = "activation=None, use_bias=True, kernel_initializer='glorot_uniform', bias_initializer='zeros'"
_DEPTHWISE_TAIL = (
    "depth_multiplier=1, data_format=None, {dilation}, activation=None, use_bias=True, "
    "depthwise_initializer='glorot_uniform', "
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
    "epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', "
    "beta_regularizer=None, "
    "gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, **kwargs"
)
_BATCH_NORM = (
    "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', "
    "gamma_initializer='ones', "
    "moving_mean_initializer='zeros', moving_variance_initializer='ones', beta_regularizer=None, "
    "gamma_regularizer=None, "
    "beta_constraint=None, gamma_constraint=None"
)
_POOL = "strides=None, padding='valid', data_format=None, name=None, **kwargs"
_GLOROT = "glorot_uniform"
# `keras.Input` and `keras.layers.Input`.
INPUT = (
    "shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None, "
    "optional=False"
)


def _conv(strides: str, dilation: str) -> str:
    return (
        f"filters, kernel_size, strides={strides}, padding='valid', data_format=None, dilation_rate={dilation}, "
        f"groups=1, "
        f"{_KERNEL}, {_REGULARISED}, **kwargs"
    )


def _conv_transpose(ones: str, head: str = "output_padding=None, data_format=None") -> str:
    return (
        f"filters, kernel_size, strides={ones}, padding='valid', {head}, dilation_rate={ones}, {_KERNEL}, "
        f"{_REGULARISED}, **kwargs"
    )


LAYERS: Table = {
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
            (
                f"filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), "
                f"{_SEPARABLE_TAIL}"
            ),
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
                "input_dim, output_dim, tie_weights=True, embeddings_initializer='uniform', "
                "embeddings_regularizer=None, "
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
                f"unit_forget_bias=True, {_RECURRENT_REGULARISED}, seed=None, {_SEQUENCES}, unroll=False, "
                f"use_cudnn='auto', **kwargs"
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
                f"{_RECURRENT_REGULARISED}, seed=None, {_SEQUENCES}, unroll=False, reset_after=True, "
                f"use_cudnn='auto', **kwargs"
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
                "num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, "
                "attention_axes=None, "
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
                "GlobalAveragePooling3D=global_avg_pool GlobalAvgPool1D=global_avg_pool "
                "GlobalAvgPool2D=global_avg_pool "
                "GlobalAvgPool3D=global_avg_pool"
            ),
            "data_format=None, keepdims=False, **kwargs",
            "",
        ),
        (
            (
                "GlobalMaxPooling1D=global_max_pool GlobalMaxPooling2D=global_max_pool "
                "GlobalMaxPooling3D=global_max_pool "
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
            (
                "AdaptiveMaxPooling1D=global_max_pool AdaptiveMaxPooling2D=global_max_pool "
                "AdaptiveMaxPooling3D=global_max_pool"
            ),
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
            (
                "factor, fill_mode='reflect', interpolation='bilinear', seed=None, fill_value=0.0, data_format=None, "
                "**kwargs"
            ),
            "",
        ),
        (
            "RandomTranslation=augment",
            (
                "height_factor, width_factor, fill_mode='reflect', interpolation='bilinear', seed=None, "
                "fill_value=0.0, "
                "data_format=None, **kwargs"
            ),
            "",
        ),
        (
            "RandomZoom=augment",
            (
                "height_factor, width_factor=None, fill_mode='reflect', interpolation='bilinear', seed=None, "
                "fill_value=0.0, "
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
                "RandomPosterization=augment RandomSaturation=augment RandomSharpness=augment "
                "RandomColorJitter=augment "
                "RandomColorDegeneration=augment RandAugment=augment AugMix=augment AutoContrast=augment "
                "CutMix=augment "
                "MixUp=augment Equalization=augment Solarization=augment "
                "ContrastLimitedAdaptiveHistogramEqualization=augment"
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
                "shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, "
                "input_tensor=None, "
                "optional=False, name=None, **kwargs"
            ),
            "",
        ),
        ("Input=input", INPUT, ""),
    ),
    "opaque": (
        ("Lambda=lambda", "function, output_shape=None, mask=None, arguments=None, **kwargs", ""),
        (
            (
                "CategoryEncoding=preprocess Discretization=preprocess HashedCrossing=preprocess Hashing=preprocess "
                "IntegerLookup=preprocess StringLookup=preprocess TextVectorization=preprocess "
                "MelSpectrogram=preprocess "
                "STFTSpectrogram=preprocess MaxNumBoundingBoxes=preprocess"
            ),
            "**kwargs",
            "",
        ),
        ("JaxLayer=foreign FlaxLayer=foreign TorchModuleWrapper=foreign TFSMLayer=foreign", "**kwargs", ""),
    ),
    "other": (("Layer=layer InputSpec=input_spec AbstractRNNCell=layer", "*args, **kwargs", ""),),
}

MERGE_FUNCTIONS: Table = {
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
