"""PyTorch: every public class of `torch.nn`, the functional forms, tensor methods and initialisers."""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand
from selulint.frameworks.torch_functions import FUNCTIONS, METHODS, NN_FUNCTIONS

_CONV = (
    "kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros', device=None, dtype=None"
)
_CONV_TRANSPOSE = (
    "kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, padding_mode='zeros', "
    "device=None, dtype=None"
)
# Lazy instance norms have the defaults of batch norms: affine, with running statistics.
_BATCH_NORM = "eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True"
_INSTANCE_NORM = (
    "eps=1e-05, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None, *, bias=True"
)
_RECURRENT = "bias=True, batch_first=False, dropout=0.0, bidirectional=False"
_TRANSFORMER_LAYER = (
    "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-05, batch_first=False, "
    "norm_first=False, bias=True, device=None, dtype=None"
)
_REDUCTION = "size_average=None, reduce=None, reduction='mean'"
_WEIGHTED = "weight=None, size_average=None, reduce=None, reduction='mean'"
# U(+-1/sqrt(fan_in)), fan_in as PyTorch computes it from the weight's shape: for transposed layers not the unit's own.
_DEFAULT = "kaiming_uniform_sqrt5"

_LAYERS: Table = {
    "parametric": (
        ("Linear=linear", "in_features, out_features, bias=True, device=None, dtype=None", _DEFAULT),
        ("LazyLinear=linear", "out_features, bias=True, device=None, dtype=None", _DEFAULT),
        ("Conv1d=conv1d Conv2d=conv2d Conv3d=conv3d", f"in_channels, out_channels, {_CONV}", _DEFAULT),
        ("LazyConv1d=conv1d LazyConv2d=conv2d LazyConv3d=conv3d", f"out_channels, {_CONV}", _DEFAULT),
        (
            "ConvTranspose1d=conv_transpose1d ConvTranspose2d=conv_transpose2d ConvTranspose3d=conv_transpose3d",
            f"in_channels, out_channels, {_CONV_TRANSPOSE}",
            _DEFAULT,
        ),
        (
            (
                "LazyConvTranspose1d=conv_transpose1d LazyConvTranspose2d=conv_transpose2d "
                "LazyConvTranspose3d=conv_transpose3d"
            ),
            f"out_channels, {_CONV_TRANSPOSE}",
            _DEFAULT,
        ),
        (
            "Bilinear=bilinear",
            "in1_features, in2_features, out_features, bias=True, device=None, dtype=None",
            "bilinear",
        ),
        (
            "Embedding=embedding",
            (
                "num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, "
                "scale_grad_by_freq=False, "
                "sparse=False, _weight=None, _freeze=False, device=None, dtype=None"
            ),
            "normal_1",
        ),
        (
            "EmbeddingBag=embedding",
            (
                "num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode='mean', "
                "sparse=False, _weight=None, include_last_offset=False, padding_idx=None, device=None, dtype=None"
            ),
            "normal_1",
        ),
        (
            "RNN=rnn",
            f"input_size, hidden_size, num_layers=1, nonlinearity='tanh', {_RECURRENT}, device=None, dtype=None",
            "rnn_uniform",
        ),
        (
            "LSTM=lstm",
            f"input_size, hidden_size, num_layers=1, {_RECURRENT}, proj_size=0, device=None, dtype=None",
            "rnn_uniform",
        ),
        ("GRU=gru", f"input_size, hidden_size, num_layers=1, {_RECURRENT}, device=None, dtype=None", "rnn_uniform"),
        (
            "RNNBase=rnn",
            f"mode, input_size, hidden_size, num_layers=1, {_RECURRENT}, proj_size=0, device=None, dtype=None",
            "rnn_uniform",
        ),
        (
            "RNNCell=rnn",
            "input_size, hidden_size, bias=True, nonlinearity='tanh', device=None, dtype=None",
            "rnn_uniform",
        ),
        ("LSTMCell=lstm GRUCell=gru", "input_size, hidden_size, bias=True, device=None, dtype=None", "rnn_uniform"),
        ("RNNCellBase=rnn", "input_size, hidden_size, bias, num_chunks, device=None, dtype=None", "rnn_uniform"),
        (
            "MultiheadAttention=attention",
            (
                "embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, "
                "kdim=None, vdim=None, "
                "batch_first=False, device=None, dtype=None"
            ),
            "multihead_attention",
        ),
        (
            "Transformer=transformer",
            (
                "d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1, "
                "activation='relu', custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-05, batch_first=False, "
                "norm_first=False, bias=True, device=None, dtype=None"
            ),
            "transformer",
        ),
        (
            "TransformerEncoderLayer=transformer TransformerDecoderLayer=transformer",
            _TRANSFORMER_LAYER,
            "transformer",
        ),
        (
            "TransformerEncoder=transformer",
            "encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True",
            "transformer",
        ),
        ("TransformerDecoder=transformer", "decoder_layer, num_layers, norm=None", "transformer"),
        (
            "AdaptiveLogSoftmaxWithLoss=adaptive_log_softmax",
            "in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None",
            _DEFAULT,
        ),
    ),
    "activation": (
        (
            "ReLU=relu ReLU6=relu6 SELU=selu SiLU=silu Mish=mish Hardswish=hardswish Hardsigmoid=hardsigmoid",
            "inplace=False",
            "",
        ),
        ("LeakyReLU=leaky_relu", "negative_slope=0.01, inplace=False", ""),
        ("PReLU=prelu", "num_parameters=1, init=0.25, device=None, dtype=None", ""),
        ("RReLU=rrelu", "lower=0.125, upper=0.3333333333333333, inplace=False", ""),
        ("ELU=elu CELU=celu", "alpha=1.0, inplace=False", ""),
        ("GELU=gelu", "approximate='none'", ""),
        ("GLU=glu", "dim=-1", ""),
        ("Hardtanh=hardtanh", "min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None", ""),
        ("Sigmoid=sigmoid Tanh=tanh Softsign=softsign Tanhshrink=tanhshrink LogSigmoid=logsigmoid", "", ""),
        ("Softmax2d=softmax", "", ""),
        ("Softplus=softplus", "beta=1.0, threshold=20.0", ""),
        ("Hardshrink=hardshrink Softshrink=softshrink", "lambd=0.5", ""),
        ("Threshold=threshold", "threshold, value, inplace=False", ""),
        ("Softmax=softmax LogSoftmax=log_softmax Softmin=softmin", "dim=None", ""),
    ),
    "norm": (
        ("BatchNorm1d=batch_norm BatchNorm2d=batch_norm BatchNorm3d=batch_norm", f"num_features, {_BATCH_NORM}", ""),
        ("LazyBatchNorm1d=batch_norm LazyBatchNorm2d=batch_norm LazyBatchNorm3d=batch_norm", _BATCH_NORM, ""),
        (
            "SyncBatchNorm=batch_norm",
            (
                "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, process_group=None, "
                "device=None, dtype=None, *, bias=True"
            ),
            "",
        ),
        (
            "InstanceNorm1d=instance_norm InstanceNorm2d=instance_norm InstanceNorm3d=instance_norm",
            f"num_features, {_INSTANCE_NORM}",
            "",
        ),
        (
            "LazyInstanceNorm1d=instance_norm LazyInstanceNorm2d=instance_norm LazyInstanceNorm3d=instance_norm",
            _BATCH_NORM,
            "",
        ),
        (
            "LayerNorm=layer_norm",
            "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None",
            "",
        ),
        (
            "GroupNorm=group_norm",
            "num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True",
            "",
        ),
        ("RMSNorm=rms_norm", "normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None", ""),
        (
            "LocalResponseNorm=local_response_norm CrossMapLRN2d=local_response_norm",
            "size, alpha=0.0001, beta=0.75, k=1.0",
            "",
        ),
    ),
    "dropout": (
        ("Dropout=dropout Dropout1d=dropout1d Dropout2d=dropout2d Dropout3d=dropout3d", "p=0.5, inplace=False", ""),
        ("AlphaDropout=alpha_dropout FeatureAlphaDropout=feature_alpha_dropout", "p=0.5, inplace=False", ""),
    ),
    "pool": (
        (
            "AdaptiveAvgPool1d=global_avg_pool AdaptiveAvgPool2d=global_avg_pool AdaptiveAvgPool3d=global_avg_pool",
            "output_size",
            "",
        ),
        (
            "AdaptiveMaxPool1d=global_max_pool AdaptiveMaxPool2d=global_max_pool AdaptiveMaxPool3d=global_max_pool",
            "output_size, return_indices=False",
            "",
        ),
        ("AvgPool1d=avg_pool1d", "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True", ""),
        (
            "AvgPool2d=avg_pool2d AvgPool3d=avg_pool3d",
            "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None",
            "",
        ),
        (
            "MaxPool1d=max_pool1d MaxPool2d=max_pool2d MaxPool3d=max_pool3d",
            "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False",
            "",
        ),
        (
            "MaxUnpool1d=max_unpool1d MaxUnpool2d=max_unpool2d MaxUnpool3d=max_unpool3d",
            "kernel_size, stride=None, padding=0",
            "",
        ),
        (
            "LPPool1d=lp_pool1d LPPool2d=lp_pool2d LPPool3d=lp_pool3d",
            "norm_type, kernel_size, stride=None, ceil_mode=False",
            "",
        ),
        (
            "FractionalMaxPool2d=fractional_max_pool2d FractionalMaxPool3d=fractional_max_pool3d",
            "kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None",
            "",
        ),
    ),
    "container": (
        ("Sequential=sequential", "*args", ""),
        ("Container=container", "**kwargs", ""),
        ("ModuleList=module_list ModuleDict=module_dict", "modules=None", ""),
        ("ParameterList=parameter_list", "values=None", ""),
        ("ParameterDict=parameter_dict", "parameters=None", ""),
    ),
    "reshape": (
        ("Identity=identity", "*args, **kwargs", ""),
        ("Flatten=flatten", "start_dim=1, end_dim=-1", ""),
        ("Unflatten=unflatten", "dim, unflattened_size", ""),
        ("Fold=fold", "output_size, kernel_size, dilation=1, padding=0, stride=1", ""),
        ("Unfold=unfold", "kernel_size, dilation=1, padding=0, stride=1", ""),
        ("ChannelShuffle=channel_shuffle", "groups", ""),
        ("PixelShuffle=pixel_shuffle", "upscale_factor", ""),
        ("PixelUnshuffle=pixel_unshuffle", "downscale_factor", ""),
        (
            "Upsample=upsample",
            "size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None",
            "",
        ),
        ("UpsamplingNearest2d=upsample UpsamplingBilinear2d=upsample_bilinear", "size=None, scale_factor=None", ""),
        ("ConstantPad1d=pad ConstantPad2d=pad ConstantPad3d=pad", "padding, value", ""),
        (
            "ZeroPad1d=pad ZeroPad2d=pad ZeroPad3d=pad CircularPad1d=pad CircularPad2d=pad CircularPad3d=pad",
            "padding",
            "",
        ),
        ("ReflectionPad1d=pad ReflectionPad2d=pad ReflectionPad3d=pad", "padding", ""),
        ("ReplicationPad1d=pad ReplicationPad2d=pad ReplicationPad3d=pad", "padding", ""),
    ),
    "loss": (
        ("L1Loss=l1_loss MSELoss=mse_loss SoftMarginLoss=soft_margin_loss", _REDUCTION, ""),
        ("MultiLabelMarginLoss=multilabel_margin_loss", _REDUCTION, ""),
        ("BCELoss=binary_cross_entropy MultiLabelSoftMarginLoss=multilabel_soft_margin_loss", _WEIGHTED, ""),
        ("BCEWithLogitsLoss=binary_cross_entropy_with_logits", f"{_WEIGHTED}, pos_weight=None", ""),
        (
            "CrossEntropyLoss=cross_entropy",
            "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0",
            "",
        ),
        (
            "NLLLoss=nll_loss NLLLoss2d=nll_loss",
            "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
            "",
        ),
        ("CTCLoss=ctc_loss", "blank=0, reduction='mean', zero_infinity=False", ""),
        (
            "CosineEmbeddingLoss=cosine_embedding_loss MarginRankingLoss=margin_ranking_loss",
            f"margin=0.0, {_REDUCTION}",
            "",
        ),
        ("HingeEmbeddingLoss=hinge_embedding_loss", f"margin=1.0, {_REDUCTION}", ""),
        ("GaussianNLLLoss=gaussian_nll_loss", "*, full=False, eps=1e-06, reduction='mean'", ""),
        ("HuberLoss=huber_loss", "reduction='mean', delta=1.0", ""),
        ("SmoothL1Loss=smooth_l1_loss", f"{_REDUCTION}, beta=1.0", ""),
        ("KLDivLoss=kl_div", f"{_REDUCTION}, log_target=False", ""),
        ("MultiMarginLoss=multi_margin_loss", f"p=1, margin=1.0, {_WEIGHTED}", ""),
        (
            "PoissonNLLLoss=poisson_nll_loss",
            "log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction='mean'",
            "",
        ),
        ("TripletMarginLoss=triplet_margin_loss", f"margin=1.0, p=2.0, eps=1e-06, swap=False, {_REDUCTION}", ""),
        (
            "TripletMarginWithDistanceLoss=triplet_margin_loss",
            "*, distance_function=None, margin=1.0, swap=False, reduction='mean'",
            "",
        ),
        (
            "LinearCrossEntropyLoss=linear_cross_entropy",
            (
                "in_features, num_classes, *, out_features=(), bias=False, device=None, dtype=None, reduction='mean', "
                "weight=None, ignore_index=None, label_smoothing=0.0, options=None"
            ),
            _DEFAULT,
        ),
    ),
    "other": (
        ("Module=module", "*args, **kwargs", ""),
        ("Parameter=parameter", "data=None, requires_grad=True", ""),
        ("Buffer=buffer", "data=None, *, persistent=True", ""),
        ("UninitializedParameter=parameter", "requires_grad=True, device=None, dtype=None", ""),
        ("UninitializedBuffer=buffer", "requires_grad=False, device=None, dtype=None, persistent=True", ""),
        ("DataParallel=data_parallel", "module, device_ids=None, output_device=None, dim=0", ""),
        ("CosineSimilarity=cosine_similarity", "dim=1, eps=1e-08", ""),
        ("PairwiseDistance=pairwise_distance", "p=2.0, eps=1e-06, keepdim=False", ""),
        (
            "LinearCrossEntropyOptions=options",
            (
                "allow_retain_graph=False, batch_chunk_size=None, chunking_method='auto', acc_policy='auto', "
                "acc_dtype=None"
            ),
            "",
        ),
    ),
}

_INITIALISERS: Table = {
    "initialiser": tuple(
        (f"{name}={name}", signature, name)
        for names, signature in (
            ("kaiming_normal kaiming_uniform", "tensor, a=0, mode='fan_in', nonlinearity='leaky_relu', generator=None"),
            ("xavier_normal xavier_uniform", "tensor, gain=1.0, generator=None"),
            ("orthogonal", "tensor, gain=1, generator=None"),
            ("normal", "tensor, mean=0.0, std=1.0, generator=None"),
            ("trunc_normal", "tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None"),
            ("uniform", "tensor, a=0.0, b=1.0, generator=None"),
            ("constant", "tensor, val"),
            ("ones zeros eye", "tensor"),
            ("dirac", "tensor, groups=1"),
            ("sparse", "tensor, sparsity, std=0.01, generator=None"),
        )
        for base in names.split()
        # The names without underscore are deprecated; three laws never had one.
        for name in ((f"{base}_",) if base in ("ones", "zeros", "trunc_normal") else (f"{base}_", base))
    ),
    "other": (("calculate_gain=calculate_gain", "nonlinearity, param=None", ""),),
}

# What the public functions call, which copies of their source call too.
_PRIVATE: Table = {
    "initialiser": (
        ("_no_grad_normal_=_no_grad_normal_", "tensor, mean, std, generator=None", "normal_"),
        ("_no_grad_uniform_=_no_grad_uniform_", "tensor, a, b, generator=None", "uniform_"),
        ("_no_grad_trunc_normal_=_no_grad_trunc_normal_", "tensor, mean, std, a, b, generator=None", "trunc_normal_"),
    )
}
# timm's own initialisers; `from timm.layers import trunc_normal_` is everybody's.
_TIMM: Table = {
    "initialiser": (
        ("trunc_normal_=trunc_normal_", "tensor, mean=0.0, std=1.0, a=-2.0, b=2.0", "trunc_normal_"),
        ("trunc_normal_tf_=trunc_normal_tf_", "tensor, mean=0.0, std=1.0, a=-2.0, b=2.0", "trunc_normal_tf_"),
        (
            "variance_scaling_=variance_scaling_",
            "tensor, scale=1.0, mode='fan_in', distribution='normal'",
            "variance_scaling_",
        ),
        ("lecun_normal_=lecun_normal_", "tensor", "lecun_normal_"),
    )
}
_TIMM_MODULES = ("layers", "models.layers", "layers.weight_init", "models.layers.weight_init")

SPECS: dict[str, Spec] = {
    **expand("torch.nn.", _LAYERS),
    **expand("torch.nn.init.", _INITIALISERS, functional=True),
    **expand("torch.nn.functional.", NN_FUNCTIONS, functional=True),
    **expand("torch.", FUNCTIONS, functional=True),
    **{name: spec for part in _TIMM_MODULES for name, spec in expand(f"timm.{part}.", _TIMM, functional=True).items()},
}
PRIVATE: dict[str, Spec] = expand("torch.nn.init.", _PRIVATE, functional=True)
# Methods of tensors: the receiver is the parameter "input". There is no `Tensor.selu`, `.elu` or `.gelu`.
TENSOR_METHODS: dict[str, Spec] = expand("", METHODS, functional=True)
