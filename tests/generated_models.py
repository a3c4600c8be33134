"""Model files in many styles, written from a random plan of layers: what fixes must cope with and not break."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

TORCH_STYLES = ("sequential", "ordered", "module_list", "functional", "parameter", "registry", "partial", "helper")
KERAS_STYLES = ("sequential", "add", "functional", "subclass")
TORCH_INITS = ("", "kaiming_apply", "xavier_loop", "normal_apply", "orthogonal_loop", "lecun_apply")
KERAS_INITS = ("", "he_normal", "glorot_uniform", "he_uniform")
# Whether Glorot's law is wrong in a subclass depends on an input size that the file does not tell: silence is right.
SUBCLASS_INITS = ("", "he_normal", "he_uniform")
IMPORTS = ("plain", "from", "names")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write. `widths` are those of the layers, the input's first; `dropout` is 0 for none."""

    framework: str
    style: str
    imports: str
    widths: tuple[int, ...]
    activation: str
    dropout: float
    norm: bool
    residual: bool
    init: str
    quote: str
    tab: bool
    crlf: bool


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    framework = draw(st.sampled_from(("torch", "torch", "torch", "keras")))
    torch = framework == "torch"
    style = draw(st.sampled_from(TORCH_STYLES if torch else KERAS_STYLES))
    sizes = st.sampled_from((128, 160, 256))
    widths = tuple(draw(st.lists(sizes, min_size=3, max_size=7)))
    return Plan(
        framework,
        style,
        draw(st.sampled_from(IMPORTS)),
        widths,
        draw(st.sampled_from(("relu", "relu", "selu"))),
        draw(st.sampled_from((0.0, 0.0, 0.05, 0.1))),
        draw(st.booleans()) and draw(st.booleans()),
        style == "functional" and draw(st.booleans()),
        draw(st.sampled_from(TORCH_INITS if torch else SUBCLASS_INITS if style == "subclass" else KERAS_INITS)),
        draw(st.sampled_from("'\"")),
        draw(st.booleans()),
        draw(st.booleans()),
    )


def written(plan: Plan) -> str:
    """The text of the file: a function `build()` makes the model, which takes rows of `widths[0]`."""
    text = _torch(plan) if plan.framework == "torch" else _keras(plan)
    text = text.replace('"', plan.quote)
    if plan.tab:
        text = text.replace("    ", "\t")
    return text.replace("\n", "\r\n") if plan.crlf else text


class _Names:
    """How a file spells the names of PyTorch, and the imports for that."""

    def __init__(self, style: str) -> None:
        self.style = style
        self.used: dict[str, None] = {}

    def nn(self, name: str) -> str:
        if self.style != "names":
            return f"{'torch.nn' if self.style == 'plain' else 'nn'}.{name}"
        self.used[name] = None
        return name

    def lines(self) -> str:
        lines = {"plain": "import torch\n", "from": "from torch import nn\n", "names": ""}[self.style]
        if self.used:
            lines += f"from torch.nn import {', '.join(sorted(self.used))}\n"
        return lines + "import torch.nn.functional as F\nfrom torch.nn import init\n"


def _torch(plan: Plan) -> str:
    names = _Names(plan.imports)
    pairs = list(zip(plan.widths, plan.widths[1:], strict=False))
    activation = names.nn("ReLU" if plan.activation == "relu" else "SELU")
    body, forward, before = _TORCH_BODIES[plan.style](plan, names, pairs, activation)
    init = _torch_init(plan, names)
    head = f"class Net({names.nn('Module')}):\n    def __init__({_parameters(plan, activation)}):\n        super().__init__()\n"
    tail = "".join(f"        {line}\n" for line in init[1])
    net = head + "".join(f"        {line}\n" for line in body) + tail + "\n    def forward(self, x):\n"
    net += "".join(f"        {line}\n" for line in forward)
    return f"{names.lines()}{before}{init[0]}\n\n{net}\n\ndef build():\n    return Net()\n"


def _parameters(plan: Plan, activation: str) -> str:
    if plan.style == "parameter":
        return f"self, act={activation}"
    return f'self, act="{plan.activation}"' if plan.style == "registry" else "self"


def _torch_init(plan: Plan, names: _Names) -> tuple[str, list[str]]:
    calls = {
        "kaiming": 'init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")',
        "xavier": "init.xavier_uniform_(m.weight, gain=2.0)",
        "normal": "m.weight.data.normal_(0.0, 0.02)",
        "orthogonal": "init.orthogonal_(m.weight, gain=1.5)",
        "lecun": 'init.kaiming_normal_(m.weight, nonlinearity="linear")',
    }
    if not plan.init:
        return "", []
    law, _, form = plan.init.partition("_")
    test = f"if isinstance(m, {names.nn('Linear')}):"
    if form == "apply":
        lines = ["def weights_init(m):", f"    {test}", f"        {calls[law]}", "        init.zeros_(m.bias)"]
        return "\n\n" + "\n".join(lines) + "\n", ["self.apply(weights_init)"]
    return "", ["for m in self.modules():", f"    {test}", f"        {calls[law]}", "        m.bias.data.zero_()"]


def _units(plan: Plan, names: _Names, pairs: list[tuple[int, int]], activation: str) -> list[str]:
    units: list[str] = []
    for rows, columns in pairs:
        units.append(f"{names.nn('Linear')}({rows}, {columns})")
        if plan.norm:
            units.append(f"{names.nn('BatchNorm1d')}({columns})")
        units.append(activation if activation == "act" else f"{activation}()")
        if plan.dropout:
            units.append(f"{names.nn('Dropout')}({plan.dropout})")
    return [*units, f"{names.nn('Linear')}({plan.widths[-1]}, 10)"]


Body = tuple[list[str], list[str], str]
Pairs = list[tuple[int, int]]


def _sequential(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    units = ["    " + unit + "," for unit in _units(plan, names, pairs, activation)]
    return [f"self.net = {names.nn('Sequential')}(", *units, ")"], ["return self.net(x)"], ""


def _ordered(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    units = [f'    ("u{i}", {unit}),' for i, unit in enumerate(_units(plan, names, pairs, activation))]
    body = [f"self.net = {names.nn('Sequential')}(OrderedDict([", *units, "]))"]
    return body, ["return self.net(x)"], "from collections import OrderedDict\n"


def _module_list(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    body = [
        f"self.layers = {names.nn('ModuleList')}([{names.nn('Linear')}(a, b) for a, b in {pairs}])",
        f"self.norms = {names.nn('ModuleList')}([{names.nn('BatchNorm1d')}(b) for a, b in {pairs}])" * plan.norm,
        f"self.act = {activation}()",
        f"self.drop = {names.nn('Dropout')}({plan.dropout})" * bool(plan.dropout),
        f"self.head = {names.nn('Linear')}({plan.widths[-1]}, 10)",
    ]
    step = ["x = self.act(norm(layer(x)))" if plan.norm else "x = self.act(layer(x))"]
    step += ["x = self.drop(x)"] if plan.dropout else []
    loop = "for layer, norm in zip(self.layers, self.norms):" if plan.norm else "for layer in self.layers:"
    return [each for each in body if each], [loop, *(f"    {each}" for each in step), "return self.head(x)"], ""


def _functional(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    body, forward = [], []
    for i, (rows, columns) in enumerate(pairs):
        body.append(f"self.fc{i} = {names.nn('Linear')}({rows}, {columns})")
        value = f"self.fc{i}(x)"
        if plan.norm:
            body.append(f"self.bn{i} = {names.nn('BatchNorm1d')}({columns})")
            value = f"self.bn{i}({value})"
        value = f"F.{plan.activation}({value})"
        forward.append(f"x = x + {value}" if plan.residual and rows == columns else f"x = {value}")
        if plan.dropout:
            forward.append(f"x = F.dropout(x, {plan.dropout}, training=self.training)")
    body.append(f"self.head = {names.nn('Linear')}({plan.widths[-1]}, 10)")
    return body, [*forward, "return self.head(x)"], ""


def _parameter(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    units = _units(plan, names, pairs, "act")
    units = ["act()" if unit == "act" else unit for unit in units]
    return [f"self.net = {names.nn('Sequential')}({', '.join(units)})"], ["return self.net(x)"], ""


def _registry(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    table = f'\n\nACTS = {{"relu": {names.nn("ReLU")}, "tanh": {names.nn("Tanh")}, "selu": {names.nn("SELU")}}}\n'
    units = ["ACTS[act]()" if unit == "act" else unit for unit in _units(plan, names, pairs, "act")]
    return [f"self.net = {names.nn('Sequential')}({', '.join(units)})"], ["return self.net(x)"], table


def _partial(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    extra = f"from functools import partial\n\n\nact = partial({activation}, inplace=True)\n"
    units = ["act()" if unit == "act" else unit for unit in _units(plan, names, pairs, "act")]
    return [f"self.net = {names.nn('Sequential')}({', '.join(units)})"], ["return self.net(x)"], extra


def _helper(plan: Plan, names: _Names, pairs: Pairs, activation: str) -> Body:
    units = [f"{names.nn('Linear')}(a, b)", f"{names.nn('BatchNorm1d')}(b)" * plan.norm, f"{activation}()"]
    units += [f"{names.nn('Dropout')}({plan.dropout})"] if plan.dropout else []
    inner = ", ".join(unit for unit in units if unit)
    extra = f"\n\ndef block(a, b):\n    return {names.nn('Sequential')}({inner})\n"
    body = [
        "layers = []",
        f"for a, b in {pairs}:",
        "    layers.append(block(a, b))",
        f"layers += [{names.nn('Linear')}({plan.widths[-1]}, 10)]",
        f"self.net = {names.nn('Sequential')}(*layers)",
    ]
    return body, ["return self.net(x)"], extra


_TORCH_BODIES = {
    "sequential": _sequential,
    "ordered": _ordered,
    "module_list": _module_list,
    "functional": _functional,
    "parameter": _parameter,
    "registry": _registry,
    "partial": _partial,
    "helper": _helper,
}


def _keras(plan: Plan) -> str:
    layers = {"plain": "keras.layers.", "from": "layers.", "names": ""}[plan.imports]
    names = "Dense, BatchNormalization, Dropout, Input"
    imports = {
        "plain": "import keras\n",
        "from": "import keras\nfrom keras import layers\n",
        "names": f"import keras\nfrom keras.layers import {names}\n",
    }[plan.imports]
    init = f', kernel_initializer="{plan.init}"' if plan.init else ""
    units: list[str] = []
    for width in plan.widths[1:]:
        units.append(f'{layers}Dense({width}, activation="{plan.activation}"{init})')
        if plan.norm:
            units.append(f"{layers}BatchNormalization()")
        if plan.dropout:
            units.append(f"{layers}Dropout({plan.dropout})")
    units.append(f"{layers}Dense(10)")
    shape = f"{layers}Input(({plan.widths[0]},))"
    if plan.style == "sequential":
        body = ["return keras.Sequential([", *(f"    {each}," for each in [shape, *units]), "])"]
    elif plan.style == "add":
        body = ["model = keras.Sequential()", *(f"model.add({each})" for each in [shape, *units]), "return model"]
    elif plan.style == "functional":
        body = [f"inputs = x = {shape}", *(f"x = {each}(x)" for each in units), "return keras.Model(inputs, x)"]
    else:
        return f"{imports}{_keras_class(units)}\n\ndef build():\n    return Net()\n"
    return f"{imports}\n\ndef build():\n" + "".join(f"    {line}\n" for line in body)


def _keras_class(units: list[str]) -> str:
    build = "".join(f"        self.u{i} = {each}\n" for i, each in enumerate(units))
    steps = []
    for i, each in enumerate(units):
        extra = ", training=training" if "Dropout" in each or "Normalization" in each else ""
        steps.append(f"        x = self.u{i}(x{extra})\n")
    call = "".join(steps)
    head = "\n\nclass Net(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
    return f"{head}{build}\n    def call(self, x, training=False):\n{call}        return x\n"
