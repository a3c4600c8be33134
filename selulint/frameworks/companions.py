"""Packages that model code stands on beside its framework: what their layers and functions are. Data only."""

from __future__ import annotations

from selulint.frameworks import Spec, Table, expand

_EINOPS: Table = {
    "reshape": (
        ("rearrange=rearrange repeat=repeat", "input, pattern, **axes_lengths", ""),
        ("pack=concat unpack=split", "input, *args", ""),
    ),
    "pool": (("reduce=mean", "input, pattern, reduction, **axes_lengths", ""),),
    "merge": (("einsum=einsum", "input, *args", ""),),
}
_EINOPS_LAYERS: Table = {
    "reshape": (("Rearrange=rearrange", "pattern, **axes_lengths", ""),),
    "pool": (("Reduce=mean", "pattern, reduction, **axes_lengths", ""),),
    "parametric": (("EinMix=einsum", "pattern, weight_shape, bias_shape=None, **axes_lengths", ""),),
}
_TORCHVISION_OPS: Table = {
    "dropout": (
        ("StochasticDepth=drop_path", "p, mode", ""),
        ("DropBlock2d=drop_block2d DropBlock3d=drop_block3d", "p, block_size, inplace=False, eps=1e-06", ""),
    ),
    "norm": (("FrozenBatchNorm2d=batch_norm", "num_features, eps=1e-05", ""),),
    "reshape": (("Permute=permute", "dims", ""),),
}
_TIMM_LAYERS: Table = {
    "dropout": (
        ("DropPath=drop_path", "drop_prob=0.0, scale_by_keep=True", ""),
        ("DropBlock2d=drop_block2d", "drop_prob=0.1, block_size=7, gamma_scale=1.0, **kwargs", ""),
        ("PatchDropout=patch_dropout", "prob=0.5, num_prefix_tokens=1, ordered=False, return_indices=False", ""),
    ),
    "norm": (
        (
            "LayerNorm=layer_norm LayerNorm2d=layer_norm LayerNormFp32=layer_norm",
            "num_channels, eps=1e-06, **kwargs",
            "",
        ),
        ("LayerNorm2dFp32=layer_norm LayerNormExp2d=layer_norm", "num_channels, eps=1e-06, **kwargs", ""),
        ("RmsNorm=rms_norm RmsNorm2d=rms_norm SimpleNorm=rms_norm", "channels, eps=1e-06, **kwargs", ""),
        ("GroupNorm=group_norm", "num_channels, num_groups=32, eps=1e-05, affine=True", ""),
        ("GroupNorm1=group_norm", "num_channels, **kwargs", ""),
    ),
    "pool": (
        (
            "SelectAdaptivePool2d=global_avg_pool",
            "output_size=1, pool_type='fast', flatten=False, input_fmt='NCHW'",
            "",
        ),
        ("BlurPool2d=avg_pool2d", "channels=None, filt_size=3, stride=2, **kwargs", ""),
        ("AvgPool2dSame=avg_pool2d MaxPool2dSame=max_pool2d", "kernel_size, stride=None, padding=0, **kwargs", ""),
        ("create_pool2d=avg_pool2d", "pool_type, kernel_size, stride=None, **kwargs", ""),
    ),
    "scale": (("LayerScale=layer_scale LayerScale2d=layer_scale", "dim, init_values=1e-05, inplace=False", ""),),
    "parametric": (
        ("Linear=linear", "in_features, out_features, bias=True", "kaiming_uniform_sqrt5"),
        (
            "Conv2dSame=conv2d",
            "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True",
            "kaiming_uniform_sqrt5",
        ),
        (
            "StdConv2d=conv2d StdConv2dSame=conv2d ScaledStdConv2d=conv2d ScaledStdConv2dSame=conv2d",
            "in_channel, out_channels, kernel_size, stride=1, padding=None, **kwargs",
            "",
        ),
        ("create_conv2d=conv2d", "in_channels, out_channels, kernel_size, stride=1, padding='', **kwargs", ""),
        ("PatchEmbed=conv2d", "img_size=224, patch_size=16, in_chans=3, embed_dim=768, **kwargs", ""),
    ),
}

# A product with an adjacency matrix averages over neighbours: it has no weights.
_SPARSE: Table = {"pool": (("mm=aggregate spmm=aggregate matmul=aggregate", "src, other, *args, **kwargs", ""),)}
_SCATTER: Table = {
    "pool": (
        (
            "scatter=aggregate scatter_add=aggregate scatter_sum=aggregate scatter_mean=aggregate scatter_max=aggregate",
            "src, index, *args, **kwargs",
            "",
        ),
    ),
}
_GRAPH_LAYERS: Table = {
    "parametric": (
        (
            "GCNConv=graph_conv GraphConv=graph_conv SAGEConv=graph_conv ChebConv=graph_conv TAGConv=graph_conv "
            "ARMAConv=graph_conv SGConv=graph_conv LEConv=graph_conv ClusterGCNConv=graph_conv MFConv=graph_conv "
            "LGConv=graph_conv GENConv=graph_conv FeaStConv=graph_conv RGCNConv=graph_conv FastRGCNConv=graph_conv "
            "GATConv=graph_conv GATv2Conv=graph_conv TransformerConv=graph_conv GCN2Conv=graph_conv "
            "HypergraphConv=graph_conv DenseGCNConv=graph_conv DenseSAGEConv=graph_conv DenseGraphConv=graph_conv",
            "in_channels, out_channels, *args, **kwargs",
            "",
        ),
        (
            "GINConv=graph_conv GINEConv=graph_conv EdgeConv=graph_conv DynamicEdgeConv=graph_conv "
            "DenseGINConv=graph_conv",
            "nn, *args, **kwargs",
            "",
        ),
    ),
}
_GRAPH_POOLS: Table = {
    "pool": (("global_mean_pool=mean global_add_pool=sum global_max_pool=global_max_pool", "x, batch, size=None", ""),),
}
_DGL_LAYERS: Table = {
    "parametric": (
        (
            "GraphConv=graph_conv SAGEConv=graph_conv GATConv=graph_conv GATv2Conv=graph_conv TAGConv=graph_conv "
            "SGConv=graph_conv ChebConv=graph_conv RelGraphConv=graph_conv DenseGraphConv=graph_conv",
            "in_feats, out_feats, *args, **kwargs",
            "",
        ),
        ("GINConv=graph_conv EdgeConv=graph_conv", "apply_func, *args, **kwargs", ""),
    ),
}

SPECS: dict[str, Spec] = {
    **expand("einops.", _EINOPS, functional=True),
    **expand("einops.layers.torch.", _EINOPS_LAYERS),
    **expand("einops.layers.keras.", _EINOPS_LAYERS),
    **expand("einops.layers.tensorflow.", _EINOPS_LAYERS),
    **expand("torchvision.ops.", _TORCHVISION_OPS),
    **expand("torchvision.ops.misc.", _TORCHVISION_OPS),
    **expand("timm.layers.", _TIMM_LAYERS),
    **expand("timm.models.layers.", _TIMM_LAYERS),
    **expand("torch.sparse.", _SPARSE, functional=True),
    **expand("torch_sparse.", _SPARSE, functional=True),
    **expand("torch.", {"pool": (("spmm=aggregate", "input, mat2", ""),)}, functional=True),
    **expand("torch_scatter.", _SCATTER, functional=True),
    **expand("torch_geometric.utils.", _SCATTER, functional=True),
    **expand("torch_geometric.nn.", _GRAPH_LAYERS),
    **expand("torch_geometric.nn.conv.", _GRAPH_LAYERS),
    **expand("torch_geometric.nn.dense.", _GRAPH_LAYERS),
    **expand("torch_geometric.nn.", _GRAPH_POOLS, functional=True),
    **expand("torch_geometric.nn.pool.", _GRAPH_POOLS, functional=True),
    **expand("dgl.nn.", _DGL_LAYERS),
    **expand("dgl.nn.pytorch.", _DGL_LAYERS),
    **expand("dgl.nn.pytorch.conv.", _DGL_LAYERS),
}

_OPS = ("torchvision.ops.", "torchvision.ops.misc.")
_TIMM = (
    "timm.layers.",
    "timm.models.layers.",
    "timm.layers.mlp.",
    "timm.layers.conv_bn_act.",
    "timm.layers.norm_act.",
    "timm.layers.create_act.",
)
# Ready-made blocks: what `blocks.txt` defines, by the names under which models import it.
BLOCKS: dict[str, str] = {
    **{
        package + name: name
        for package in _OPS
        for name in ("MLP", "Conv2dNormActivation", "Conv3dNormActivation", "SqueezeExcitation")
    },
    **{
        package + name: name
        for package in _TIMM
        for name in (
            "Mlp",
            "ConvMlp",
            "ConvNormAct",
            "BatchNormAct2d",
            "get_act_layer",
            "get_act_fn",
            "create_act_layer",
        )
    },
    **{package + name: "ConvNormAct" for package in _TIMM for name in ("ConvBnAct", "ConvNormActAa")},
}
