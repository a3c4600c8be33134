"""PyTorch functions that work on tensors at once: `torch.nn.functional`, `torch` itself and the methods of tensors."""

from __future__ import annotations

from selulint.frameworks import Table

_CONV = "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1"
_CONV_TRANSPOSE = "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
_MAX_POOL = "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
_AVG_POOL = "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"
_REDUCTION = "size_average=None, reduce=None, reduction='mean'"
_TARGET = f"input, target, {_REDUCTION}"

NN_FUNCTIONS: Table = {
    "parametric": (
        ("linear=linear", "input, weight, bias=None", ""),
        ("conv1d=conv1d conv2d=conv2d conv3d=conv3d", _CONV, ""),
        (
            "conv_transpose1d=conv_transpose1d conv_transpose2d=conv_transpose2d conv_transpose3d=conv_transpose3d",
            _CONV_TRANSPOSE,
            "",
        ),
        ("bilinear=bilinear", "input1, input2, weight, bias=None", ""),
        (
            "embedding=embedding",
            "input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False",
            "",
        ),
        (
            "embedding_bag=embedding",
            (
                "input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode='mean', "
                "sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None"
            ),
            "",
        ),
    ),
    "activation": (
        ("relu=relu relu6=relu6 selu=selu silu=silu mish=mish hardswish=hardswish", "input, inplace=False", ""),
        ("hardsigmoid=hardsigmoid", "input, inplace=False", ""),
        ("relu_=relu selu_=selu", "input", ""),
        ("leaky_relu=leaky_relu", "input, negative_slope=0.01, inplace=False", ""),
        ("leaky_relu_=leaky_relu", "input, negative_slope=0.01", ""),
        ("prelu=prelu", "input, weight", ""),
        ("rrelu=rrelu", "input, lower=0.125, upper=0.3333333333333333, training=False, inplace=False", ""),
        ("rrelu_=rrelu", "input, lower=0.125, upper=0.3333333333333333, training=False", ""),
        ("elu=elu celu=celu", "input, alpha=1.0, inplace=False", ""),
        ("elu_=elu celu_=celu", "input, alpha=1.0", ""),
        ("gelu=gelu", "input, approximate='none'", ""),
        ("glu=glu", "input, dim=-1", ""),
        ("hardtanh=hardtanh", "input, min_val=-1.0, max_val=1.0, inplace=False", ""),
        ("hardtanh_=hardtanh", "input, min_val=-1.0, max_val=1.0", ""),
        ("sigmoid=sigmoid tanh=tanh softsign=softsign tanhshrink=tanhshrink logsigmoid=logsigmoid", "input", ""),
        ("softplus=softplus", "input, beta=1, threshold=20", ""),
        ("hardshrink=hardshrink softshrink=softshrink", "input, lambd=0.5", ""),
        ("threshold=threshold", "input, threshold, value, inplace=False", ""),
        ("threshold_=threshold", "input, threshold, value", ""),
        ("softmax=softmax log_softmax=log_softmax softmin=softmin", "input, dim=None, _stacklevel=3, dtype=None", ""),
        ("gumbel_softmax=gumbel_softmax", "logits, tau=1, hard=False, eps=1e-10, dim=-1", ""),
    ),
    "norm": (
        (
            "batch_norm=batch_norm",
            "input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05",
            "",
        ),
        (
            "instance_norm=instance_norm",
            (
                "input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
                "momentum=0.1, eps=1e-05"
            ),
            "",
        ),
        ("layer_norm=layer_norm", "input, normalized_shape, weight=None, bias=None, eps=1e-05", ""),
        ("group_norm=group_norm", "input, num_groups, weight=None, bias=None, eps=1e-05", ""),
        ("rms_norm=rms_norm", "input, normalized_shape, weight=None, eps=None", ""),
        ("local_response_norm=local_response_norm", "input, size, alpha=0.0001, beta=0.75, k=1.0", ""),
    ),
    "dropout": (
        (
            "dropout=dropout dropout1d=dropout1d dropout2d=dropout2d dropout3d=dropout3d",
            "input, p=0.5, training=True, inplace=False",
            "",
        ),
        # Off unless `training` is given, unlike the plain ones.
        (
            "alpha_dropout=alpha_dropout feature_alpha_dropout=feature_alpha_dropout",
            "input, p=0.5, training=False, inplace=False",
            "",
        ),
    ),
    "pool": (
        (
            (
                "adaptive_avg_pool1d=global_avg_pool adaptive_avg_pool2d=global_avg_pool "
                "adaptive_avg_pool3d=global_avg_pool"
            ),
            "input, output_size",
            "",
        ),
        (
            (
                "adaptive_max_pool1d=global_max_pool adaptive_max_pool2d=global_max_pool "
                "adaptive_max_pool3d=global_max_pool"
            ),
            "input, output_size, return_indices=False",
            "",
        ),
        ("avg_pool1d=avg_pool1d", _AVG_POOL, ""),
        ("avg_pool2d=avg_pool2d avg_pool3d=avg_pool3d", f"{_AVG_POOL}, divisor_override=None", ""),
        ("max_pool1d=max_pool1d max_pool2d=max_pool2d max_pool3d=max_pool3d", _MAX_POOL, ""),
        (
            "max_unpool1d=max_unpool1d max_unpool2d=max_unpool2d max_unpool3d=max_unpool3d",
            "input, indices, kernel_size, stride=None, padding=0, output_size=None",
            "",
        ),
        (
            "lp_pool1d=lp_pool1d lp_pool2d=lp_pool2d lp_pool3d=lp_pool3d",
            "input, norm_type, kernel_size, stride=None, ceil_mode=False",
            "",
        ),
        (
            "fractional_max_pool2d=fractional_max_pool2d fractional_max_pool3d=fractional_max_pool3d",
            "input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None",
            "",
        ),
    ),
    "merge": (
        (
            "scaled_dot_product_attention=attention",
            "query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False",
            "",
        ),
    ),
    "reshape": (
        ("pad=pad", "input, pad, mode='constant', value=None", ""),
        (
            "interpolate=upsample",
            (
                "input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, "
                "antialias=False"
            ),
            "",
        ),
        ("upsample=upsample", "input, size=None, scale_factor=None, mode='nearest', align_corners=None", ""),
        ("upsample_nearest=upsample upsample_bilinear=upsample_bilinear", "input, size=None, scale_factor=None", ""),
        ("fold=fold", "input, output_size, kernel_size, dilation=1, padding=0, stride=1", ""),
        ("unfold=unfold", "input, kernel_size, dilation=1, padding=0, stride=1", ""),
        ("pixel_shuffle=pixel_shuffle", "input, upscale_factor", ""),
        ("pixel_unshuffle=pixel_unshuffle", "input, downscale_factor", ""),
        ("channel_shuffle=channel_shuffle", "input, groups", ""),
    ),
    "opaque": (
        ("normalize=l2_normalize", "input, p=2.0, dim=1, eps=1e-12, out=None", ""),
        ("grid_sample=grid_sample", "input, grid, mode='bilinear', padding_mode='zeros', align_corners=None", ""),
        ("one_hot=one_hot", "input, num_classes=-1", ""),
        ("cosine_similarity=cosine_similarity", "x1, x2, dim=1, eps=1e-08", ""),
        ("pairwise_distance=pairwise_distance", "x1, x2, p=2.0, eps=1e-06, keepdim=False", ""),
    ),
    "loss": (
        ("l1_loss=l1_loss mse_loss=mse_loss", f"{_TARGET}, weight=None", ""),
        ("soft_margin_loss=soft_margin_loss multilabel_margin_loss=multilabel_margin_loss", _TARGET, ""),
        ("smooth_l1_loss=smooth_l1_loss", f"{_TARGET}, beta=1.0", ""),
        ("huber_loss=huber_loss", "input, target, reduction='mean', delta=1.0, weight=None", ""),
        ("kl_div=kl_div", f"{_TARGET}, log_target=False", ""),
        ("binary_cross_entropy=binary_cross_entropy", f"input, target, weight=None, {_REDUCTION}", ""),
        (
            "binary_cross_entropy_with_logits=binary_cross_entropy_with_logits",
            f"input, target, weight=None, {_REDUCTION}, pos_weight=None",
            "",
        ),
        (
            "cross_entropy=cross_entropy",
            (
                "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', "
                "label_smoothing=0.0"
            ),
            "",
        ),
        (
            "nll_loss=nll_loss",
            "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
            "",
        ),
    ),
}

_SHAPE_METHODS = (
    ("flatten=flatten", "input, start_dim=0, end_dim=-1", ""),
    ("unflatten=unflatten", "input, dim, sizes", ""),
    ("ravel=flatten t=permute adjoint=permute", "input", ""),
    ("squeeze=squeeze", "input, dim=None", ""),
    ("unsqueeze=unsqueeze", "input, dim", ""),
    ("transpose=permute swapaxes=permute swapdims=permute", "input, dim0, dim1", ""),
    ("movedim=permute moveaxis=permute", "input, source, destination", ""),
    ("narrow=index", "input, dim, start, length", ""),
    ("select=index", "input, dim, index", ""),
    ("index_select=index", "input, dim, index", ""),
    ("gather=index", "input, dim, index", ""),
    ("roll=roll", "input, shifts, dims=None", ""),
    ("rot90=permute", "input, k=1, dims=(0, 1)", ""),
    ("split=split", "input, split_size_or_sections, dim=0", ""),
    ("chunk=split", "input, chunks, dim=0", ""),
    ("unbind=split", "input, dim=0", ""),
    ("repeat_interleave=repeat", "input, repeats, dim=None, output_size=None", ""),
    ("clone=identity", "input, *, memory_format=None", ""),
    ("detach=identity", "input", ""),
)
_MEANS = (("mean=mean sum=sum nanmean=mean nansum=sum", "input, dim=None, keepdim=False, *, dtype=None", ""),)
_POINTWISE = (
    ("relu=relu relu_=relu tanh=tanh sigmoid=sigmoid", "input", ""),
    ("tanh_=tanh sigmoid_=sigmoid", "input", ""),
    ("softmax=softmax log_softmax=log_softmax", "input, dim, dtype=None", ""),
    ("prelu=prelu", "input, weight", ""),
    ("hardshrink=hardshrink", "input, lambd=0.5", ""),
)
_TWO = (
    ("add=add sub=subtract subtract=subtract", "input, other, *, alpha=1", ""),
    ("mul=multiply multiply=multiply matmul=matmul maximum=maximum minimum=minimum", "input, other", ""),
    ("div=divide divide=divide true_divide=divide", "input, other, *, rounding_mode=None", ""),
    ("mm=matmul bmm=matmul", "input, mat2", ""),
)
# Understood in name only: what they do to mean and variance depends on their input's whole distribution.
_OPAQUE = (
    ("abs=abs exp=exp expm1=expm1 log=log log1p=log1p log2=log2 sqrt=sqrt rsqrt=rsqrt square=square", "input", ""),
    ("sin=sin cos=cos erf=erf sign=sign floor=floor ceil=ceil round=round reciprocal=reciprocal", "input", ""),
    ("pow=power", "input, exponent", ""),
    ("clamp=clamp clip=clamp", "input, min=None, max=None", ""),
    ("clamp_min=clamp", "input, min", ""),
    ("clamp_max=clamp", "input, max", ""),
    ("max=max min=min", "input, dim=None, keepdim=False", ""),
    ("amax=max amin=min var=var std=std argmax=argmax argmin=argmin prod=prod", "input, dim=None, keepdim=False", ""),
    ("norm=norm", "input, p=2, dim=None, keepdim=False", ""),
    ("cumsum=cumsum", "input, dim", ""),
    ("logsumexp=logsumexp", "input, dim, keepdim=False", ""),
    ("topk=topk", "input, k, dim=-1, largest=True, sorted=True", ""),
    ("lerp=lerp", "input, end, weight", ""),
)

FUNCTIONS: Table = {
    "activation": (
        *_POINTWISE,
        ("selu=selu selu_=selu", "input", ""),
        ("celu=celu celu_=celu", "input, alpha=1.0", ""),
        ("rrelu=rrelu rrelu_=rrelu", "input, lower=0.125, upper=0.3333333333333333, training=False", ""),
        ("threshold=threshold threshold_=threshold", "input, threshold, value", ""),
    ),
    "dropout": (
        (
            "dropout=dropout alpha_dropout=alpha_dropout feature_alpha_dropout=feature_alpha_dropout",
            "input, p, train",
            "",
        ),
        (
            "dropout_=dropout alpha_dropout_=alpha_dropout feature_alpha_dropout_=feature_alpha_dropout",
            "input, p, train",
            "",
        ),
        ("feature_dropout=dropout2d feature_dropout_=dropout2d", "input, p, train", ""),
    ),
    "parametric": (
        ("conv1d=conv1d conv2d=conv2d conv3d=conv3d", _CONV, ""),
        (
            "conv_transpose1d=conv_transpose1d conv_transpose2d=conv_transpose2d conv_transpose3d=conv_transpose3d",
            _CONV_TRANSPOSE,
            "",
        ),
        ("bilinear=bilinear", "input1, input2, weight, bias=None", ""),
    ),
    "norm": (
        (
            "batch_norm=batch_norm",
            "input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled",
            "",
        ),
        ("layer_norm=layer_norm", "input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True", ""),
        ("group_norm=group_norm", "input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True", ""),
        ("rms_norm=rms_norm", "input, normalized_shape, weight=None, eps=None", ""),
    ),
    "pool": (
        *_MEANS,
        ("adaptive_avg_pool1d=global_avg_pool", "input, output_size", ""),
        ("avg_pool1d=avg_pool1d", _AVG_POOL, ""),
        (
            "max_pool1d=max_pool1d max_pool2d=max_pool2d max_pool3d=max_pool3d",
            "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False",
            "",
        ),
    ),
    "merge": (
        *_TWO,
        ("cat=concat concat=concat concatenate=concat stack=stack", "tensors, dim=0", ""),
        ("hstack=concat vstack=concat dstack=concat", "tensors", ""),
        ("einsum=einsum", "equation, *operands", ""),
        ("baddbmm=matmul", "input, batch1, batch2, *, beta=1, alpha=1", ""),
        ("addmm=matmul", "input, mat1, mat2, *, beta=1, alpha=1", ""),
    ),
    "reshape": (
        *_SHAPE_METHODS,
        ("reshape=reshape", "input, shape", ""),
        ("permute=permute", "input, dims", ""),
        ("tile=repeat", "input, dims", ""),
        ("flip=permute", "input, dims", ""),
        ("broadcast_to=reshape", "input, size", ""),
        ("pixel_shuffle=pixel_shuffle", "input, upscale_factor", ""),
        ("channel_shuffle=channel_shuffle", "input, groups", ""),
    ),
    "opaque": (*_OPAQUE, ("where=where", "condition, input, other", "")),
}

METHODS: Table = {
    "activation": _POINTWISE,
    "pool": _MEANS,
    "merge": (
        *_TWO,
        ("add_=add sub_=subtract", "input, other, *, alpha=1", ""),
        ("mul_=multiply div_=divide", "input, other", ""),
    ),
    "reshape": (
        *_SHAPE_METHODS,
        ("view=reshape reshape=reshape expand=reshape", "input, *shape", ""),
        ("view_as=reshape reshape_as=reshape expand_as=reshape type_as=identity", "input, other", ""),
        ("permute=permute flip=permute repeat=repeat tile=repeat", "input, *dims", ""),
        ("transpose_=permute t_=permute", "input, dim0=0, dim1=1", ""),
        ("squeeze_=squeeze", "input, dim=None", ""),
        ("unsqueeze_=unsqueeze", "input, dim", ""),
        ("unfold=unfold", "input, dimension, size, step", ""),
        ("to=identity cuda=identity cpu=identity type=identity", "input, *args, **kwargs", ""),
        ("float=identity double=identity half=identity bfloat16=identity", "input, *, memory_format=None", ""),
        ("contiguous=identity", "input, *, memory_format=None", ""),
        ("masked_fill=masked_fill masked_fill_=masked_fill", "input, mask, value", ""),
        ("detach_=identity requires_grad_=identity", "input, *args", ""),
    ),
    "opaque": (
        *_OPAQUE,
        ("clamp_=clamp", "input, min=None, max=None", ""),
    ),
}
