"""Every verb that composes a fix, on many layouts; each result is parsed again and is exactly the text it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.diagnostic import Applicability, Fix
from selulint.fix.apply import apply
from selulint.fix.edits import Draft
from selulint.fix.signatures import parameters
from selulint.graph import Place
from selulint.source import Source
from selulint.syntax.lazy import File

# What may have the text of the expression in it.
_AROUND = (cst.Module, cst.Arg, cst.Element, cst.Expr, cst.SimpleStatementLine)


@dataclass
class Text:
    """A file, a draft on it, and its nodes by their text."""

    text: str
    path: str = "x.py"

    def __post_init__(self) -> None:
        self.file = File(Source(self.path, self.text))
        self.draft = Draft(self.file)

    def places(self, wanted: str, kind: type = cst.CSTNode) -> Iterator[Place]:
        for index in range(len(self.file.statements)):
            unit = self.file.unit(index)
            stack: list[cst.CSTNode] = [unit.module]
            while stack:
                node = stack.pop()
                if isinstance(node, kind) and not isinstance(node, _AROUND) and unit.text(node) == wanted:
                    yield Place(node, unit)  # type: ignore[arg-type]
                stack.extend(reversed(node.children))

    def at(self, wanted: str, number: int = 0, kind: type = cst.CSTNode) -> Place:
        return list(self.places(wanted, kind))[number]

    def callee(self, call: str) -> Place:
        place = self.at(call)
        return Place(place.node.func, place.unit)

    def built(self) -> str:
        fix = self.draft.build("", Applicability.SAFE)
        assert fix is not None
        return applied(self.text, fix)


def parent(place: Place) -> cst.CSTNode:
    node: cst.CSTNode = place.unit.ancestors(place.node)[-1]
    return node


def applied(text: str, fix: Fix) -> str:
    result, chosen = apply(text, [fix])
    assert chosen == (fix,)
    compile(result, "x.py", "exec")
    cst.parse_module(result)
    return result


# Spelling ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "symbol", "canonical", "after"),
    [
        ("import torch.nn as nn\na = nn.ReLU()", "nn.ReLU", "torch.nn.SELU", "import torch.nn as nn\na = nn.SELU()"),
        ("import torch\na = torch.nn.ReLU()", "torch.nn.ReLU", "torch.nn.SELU", "import torch\na = torch.nn.SELU()"),
        ("import torch\na = torch.relu(b)", "torch.relu", "torch.selu", "import torch\na = torch.selu(b)"),
        (
            "from tensorflow.keras import layers\na = layers . Dropout(.1)",
            "layers . Dropout",
            "keras.layers.AlphaDropout",
            "from tensorflow.keras import layers\na = layers . AlphaDropout(.1)",
        ),
        (
            "import tensorflow as tf\na = tf.nn.relu(b)",
            "tf.nn.relu",
            "tensorflow.nn.selu",
            "import tensorflow as tf\na = tf.nn.selu(b)",
        ),
        ("from torch.nn import ReLU\na = ReLU()", "ReLU", "torch.nn.SELU", "from torch.nn import SELU\na = SELU()"),
        ("from torch.nn import ReLU as R\na = R()", "R", "torch.nn.SELU", "from torch.nn import SELU\na = SELU()"),
        (
            "from torch.nn import SELU as S, ReLU, Linear\na = ReLU()",
            "ReLU",
            "torch.nn.SELU",
            "from torch.nn import SELU as S, Linear\na = S()",
        ),
        ("from torch.nn import *\na = ReLU()", "ReLU", "torch.nn.SELU", "from torch.nn import *\na = SELU()"),
        (
            "def f():\n    from torch.nn import ReLU\n    return ReLU()",
            "ReLU",
            "torch.nn.SELU",
            "def f():\n    from torch.nn import SELU\n    return SELU()",
        ),
        (
            "from torch.nn.modules.batchnorm import BatchNorm1d\na = BatchNorm1d()",
            "BatchNorm1d",
            "torch.nn.Identity",
            "from torch.nn.modules.batchnorm import BatchNorm1d\nfrom torch import nn\na = nn.Identity()",
        ),
        (
            "import torch.nn as nn\nfrom torch.nn import ReLU\nSELU = 1\na = ReLU()",
            "ReLU",
            "torch.nn.SELU",
            "import torch.nn as nn\nfrom torch.nn import ReLU\nSELU = 1\na = nn.SELU()",
        ),
    ],
)
def test_a_symbol_is_respelled_in_its_own_style(before: str, symbol: str, canonical: str, after: str) -> None:
    text = Text(before)
    uses = [each for each in text.places(symbol) if isinstance(parent(each), cst.Call)]
    assert text.draft.respell(uses[0], canonical)
    assert text.built() == after


TRY = """\
try:
    from keras.layers import Dense, Dropout
except ImportError:
    from tensorflow.keras.layers import Dense, Dropout
a = Dropout(0.1)
"""


def test_all_imports_of_a_name_are_renamed() -> None:
    text = Text(TRY)
    use = next(each for each in text.places("Dropout") if isinstance(parent(each), cst.Call))
    assert text.draft.respell(use, "keras.layers.AlphaDropout")
    assert text.built() == TRY.replace("Dropout", "AlphaDropout")


@pytest.mark.parametrize(
    ("use", "stays"),
    [
        ("", False),
        ("b = ReLU", True),
        ("b = x.ReLU", False),
        ("# ReLU was here", False),
        ('"""About ReLU and others."""', False),
        ('__all__ = ["ReLU"]', True),
        ("def f(x: 'list[ReLU]'): ...", True),
        ("b = f'{ReLU}'", True),
        ("b = f(ReLU=1)", True),
    ],
)
def test_an_import_is_kept_where_its_name_is_still_used(use: str, stays: bool) -> None:
    text = Text(f"from torch.nn import Linear, ReLU\na = ReLU()\n{use}\n")
    assert text.draft.respell(text.callee("ReLU()"), "torch.nn.SELU")
    names = "Linear, ReLU, SELU" if stays else "Linear, SELU"
    assert text.built() == f"from torch.nn import {names}\na = SELU()\n{use}\n"


def test_imports_are_kept_in_a_package_that_may_export_them() -> None:
    text = Text("from torch.nn import ReLU\na = ReLU()\n", "pkg/__init__.py")
    assert text.draft.respell(text.callee("ReLU()"), "torch.nn.SELU")
    assert text.built() == "from torch.nn import ReLU, SELU\na = SELU()\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(\n    Linear,\n    ReLU,\n    Module,\n)", "(\n    Linear,\n    ReLU,\n    SELU,\n    Module,\n)"),
        (
            "(\n    Linear,\n    ReLU,  # the one\n)",
            "(\n    Linear,\n    ReLU,  # the one\n    SELU,\n)",
        ),
        ("(\n    Linear,\n    ReLU\n)", "(\n    Linear,\n    ReLU,\n    SELU\n)"),
        ("(\n    Linear,\n    ReLU  # the one\n)", "(\n    Linear,\n    ReLU,  # the one\n    SELU\n)"),
        ("(Linear, ReLU)", "(Linear, ReLU, SELU)"),
        ("(ReLU,)", "(ReLU, SELU,)"),
        ("Linear, \\\n    ReLU", "Linear, \\\n    ReLU, SELU"),
        ("ReLU, \\\n    Linear", "ReLU, SELU, \\\n    Linear"),
        ("ReLU  # the one", "ReLU, SELU  # the one"),
        ("ReLU; import os", "ReLU, SELU; import os"),
    ],
)
def test_an_import_grows_in_its_own_layout(before: str, after: str) -> None:
    head, tail = "from torch.nn import ", "\na = ReLU()\nb = ReLU\n"
    text = Text(head + before + tail)
    assert text.draft.respell(text.callee("ReLU()"), "torch.nn.SELU")
    assert text.built() == head + after + tail.replace("ReLU()", "SELU()")


def test_several_names_of_one_import_change_together() -> None:
    text = Text("from torch.nn import (\n    Dropout,\n    ReLU,\n)\na = [ReLU(), Dropout(0.1)]\n")
    for call, name in (("ReLU()", "SELU"), ("Dropout(0.1)", "AlphaDropout")):
        assert text.draft.respell(text.callee(call), f"torch.nn.{name}")
    assert text.draft.refer("torch.nn.init.zeros_") == "init.zeros_"
    assert text.built() == (
        "from torch.nn import (\n    AlphaDropout,\n    SELU,\n    init,\n)\na = [SELU(), AlphaDropout(0.1)]\n"
    )


@pytest.mark.parametrize(
    ("imports", "canonical", "spelled", "after"),
    [
        ("import torch", "torch.nn.init.zeros_", "torch.nn.init.zeros_", "import torch"),
        ("import torch\nimport torch.nn as nn", "torch.nn.init.zeros_", "nn.init.zeros_", None),
        ("import torch\nfrom torch.nn import init", "torch.nn.init.zeros_", "init.zeros_", None),
        ("from torch.nn.init import zeros_", "torch.nn.init.zeros_", "zeros_", None),
        ("import torch.nn.functional as F", "torch.nn.functional.selu", "F.selu", None),
        ("import tensorflow as tf", "keras.layers.Identity", "tf.keras.layers.Identity", None),
        ("from tensorflow import keras", "keras.layers.Identity", "keras.layers.Identity", None),
        ("import keras\nL = keras.layers", "keras.layers.Identity", "L.Identity", None),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", "torch.selu", "torch.selu", None),
        (
            "from tensorflow.keras.models import Sequential",
            "keras.layers.Identity",
            "layers.Identity",
            "from tensorflow.keras.models import Sequential\nfrom tensorflow.keras import layers",
        ),
        ("import os", "torch.nn.init.zeros_", "nn.init.zeros_", "import os\nfrom torch import nn"),
        ('"""Doc."""', "torch.selu", "torch.selu", '"""Doc."""\n\nimport torch'),
        ('"""Doc."""\nfrom __future__ import annotations', "torch.selu", "torch.selu", None),
        ("if TYPE_CHECKING:\n    import torch\nimport os", "torch.selu", None, None),
    ],
)
def test_a_symbol_is_referred_to_by_the_names_that_are_there(
    imports: str, canonical: str, spelled: str | None, after: str | None
) -> None:
    text = Text(f"{imports}\na = 1\n")
    assert text.draft.refer(canonical) == spelled
    if spelled is None:
        return
    text.draft.replace(text.at("1"), "2")
    if "__future__" in imports:
        after = f"{imports}\nimport torch"
    assert text.built() == f"{after or imports}\na = 2\n"


def test_local_names_hide_those_of_the_module() -> None:
    text = Text("from torch.nn import ReLU\ndef f(SELU):\n    return ReLU()\n")
    assert text.draft.respell(text.callee("ReLU()"), "torch.nn.SELU")
    assert text.built() == "from torch.nn import ReLU\nfrom torch import nn\ndef f(SELU):\n    return nn.SELU()\n"


# Arguments -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f()", "f(new=1)"),
        ("f( )", "f(new=1 )"),
        ("(f)(  # why (not)\n)", "(f)(new=1  # why (not)\n)"),
        ("f(a)", "f(a, new=1)"),
        ("f(a,)", "f(a, new=1,)"),
        ("f(a, b=2)", "f(a, b=2, new=1)"),
        ("f(\n    a,\n    b=2,\n)", "f(\n    a,\n    b=2,\n    new=1,\n)"),
        ("f(\n    a,\n    b=2,  # two\n)", "f(\n    a,\n    b=2,  # two\n    new=1,\n)"),
        ("f(\n    a,\n    b=2\n)", "f(\n    a,\n    b=2,\n    new=1\n)"),
        ("f(\n    a,\n    b=2  # two\n)", "f(\n    a,\n    b=2,  # two\n    new=1\n)"),
        ("f(\n    a, b=2\n)", "f(\n    a, b=2, new=1\n)"),
        ("f(\n    a\n)", "f(\n    a, new=1\n)"),
        ("f(a,\n  b=2)", "f(a,\n  b=2,\n  new=1)"),
        ("f(\n\ta,\n\tb,\n)", "f(\n\ta,\n\tb,\n\tnew=1,\n)"),
        ("f(new=2)", "f(new=1)"),
        ("f(new = g(x, y), b=2)", "f(new = 1, b=2)"),
        ("f(new=(2), **k)", "f(new=(1), **k)"),
        ("f(a, (x for x in b))", "f(a, (x for x in b), new=1)"),
        ("f(*a)", None),
        ("f(**a)", None),
        ("f(x for x in b)", None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_keyword_argument_is_set(before: str, after: str | None, newline: str) -> None:
    text = Text(f"a = {before}".replace("\n", newline))
    call = (
        text.at(before.replace("\n", newline), kind=cst.Call)
        if not before.startswith("(")
        else next(text.places(before.replace("\n", newline), cst.Call))
    )
    assert text.draft.set_argument(call, "new", "1") is (after is not None)
    if after is not None:
        assert text.built() == f"a = {after}".replace("\n", newline)
    else:
        assert text.draft.build("", Applicability.SAFE) is None


def test_a_positional_argument_is_replaced_where_it_stands() -> None:
    text = Text("a = f(x, 0.5, True)")
    assert text.draft.set_argument(text.at("f(x, 0.5, True)"), "training", "False", position=2)
    assert text.built() == "a = f(x, 0.5, False)"


def test_a_known_signature_tells_which_positional_argument_it_is() -> None:
    text = Text("from keras.layers import Dense\na = Dense(8, 'selu', True, 'he_normal')")
    call = text.at("Dense(8, 'selu', True, 'he_normal')")
    assert text.draft.set_argument(call, "kernel_initializer", "'lecun_normal'")
    assert text.built() == "from keras.layers import Dense\na = Dense(8, 'selu', True, 'lecun_normal')"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f(old=1)", "f()"),
        ("f(\n    old=1,\n)", "f()"),
        ("f(a, old=1)", "f(a)"),
        ("f(old=1, b=2)", "f(b=2)"),
        ("f(a, old=1, b=2)", "f(a, b=2)"),
        ("f(a, old=1,)", "f(a,)"),
        ("f(\n    a,\n    old=1,\n    b=2,\n)", "f(\n    a,\n    b=2,\n)"),
        ("f(\n    a,  # a\n    old=1,  # old\n    b=2,\n)", "f(\n    a,  # a\n    b=2,\n)"),
        ("f(\n    a,  # a\n    old=g(\n        1,\n    ),\n)", "f(\n    a,  # a\n)"),
        ("f(\n    a,\n    old=1\n)", "f(\n    a,\n)"),
        ("f(a,\n  old=1)", "f(a)"),
        ("f(a,  # a\n  old=1)", "f(a,  # a\n  )"),
        ("f(a, old=1, **k)", "f(a, **k)"),
        ("f(a, b=1)", None),
        ("f(a, **k)", None),
    ],
)
def test_a_keyword_argument_is_removed(before: str, after: str | None) -> None:
    text = Text(f"a = {before}\n")
    assert text.draft.remove_argument(text.at(before), "old") is (after is not None)
    if after is not None:
        assert text.built() == f"a = {after}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f(x, 0)", "f(x)"),
        ("f(x, 0, k=1)", "f(x, k=1)"),
        ("f(x, 0, 'fan_in')", None),
        ("f(x, 0, *r)", None),
        ("f(x, *r)", None),
        ("init.kaiming_normal_(w, 0, 'fan_in')", "init.kaiming_normal_(w, mode='fan_in')"),
        (
            "init.kaiming_normal_(\n    w,\n    0,\n    'fan_in',\n)",
            "init.kaiming_normal_(\n    w,\n    mode='fan_in',\n)",
        ),
    ],
)
def test_a_positional_argument_is_removed_if_the_others_can_be_named(before: str, after: str | None) -> None:
    text = Text(f"from torch.nn import init\na = {before}\n")
    assert text.draft.remove_argument(text.at(before), "a", 1) is (after is not None)
    if after is not None:
        assert text.built() == f"from torch.nn import init\na = {after}\n"


@pytest.mark.parametrize(
    "before",
    [
        "kaiming_normal_(w, 0, 'fan_out', 'relu')",
        "kaiming_normal_(w, a=0, mode='fan_out')",
        "kaiming_normal_(w, mode='fan_out', nonlinearity='relu')",
        "kaiming_normal_(w, 0)",
        "kaiming_normal_(w)",
    ],
)
def test_removing_and_setting_combine_in_one_call(before: str) -> None:
    text = Text(f"from torch.nn.init import kaiming_normal_\n{before}\n")
    call = text.at(before)
    for name, position in (("a", 1), ("mode", 2)):
        text.draft.remove_argument(call, name, position)
    assert text.draft.set_argument(call, "nonlinearity", "'linear'", 3)
    after = "kaiming_normal_(w, nonlinearity='linear')"
    assert text.built() == f"from torch.nn.init import kaiming_normal_\n{after}\n"


def test_edits_in_and_around_one_call_combine() -> None:
    text = Text("from torch import nn\na = nn.Dropout(nn.ReLU(), p=g(nn.ReLU()))\n")
    call = text.at("nn.Dropout(nn.ReLU(), p=g(nn.ReLU()))")
    assert text.draft.respell(Place(call.node.func, call.unit), "torch.nn.AlphaDropout")
    for inner in list(text.places("nn.ReLU")):
        assert text.draft.respell(inner, "torch.nn.SELU")
    assert text.draft.set_argument(call, "x", "1") and text.draft.set_argument(call, "y", "2")
    text.draft.insert_behind(call, ".eval()")
    assert text.built() == ("from torch import nn\na = nn.AlphaDropout(nn.SELU(), p=g(nn.SELU()), x=1, y=2).eval()\n")


def test_parameters_of_a_signature() -> None:
    assert parameters("a, b=(1, 2), c={'x': [3, 4]}, *, d=1") == ("a", "b", "c")
    assert parameters("") == ()
    assert parameters("a, **kwargs") == ("a",)


names = st.sampled_from(["a", "b", "c", "d"])
layouts = st.sampled_from(
    [("", ", ", ""), ("\n    ", ",\n    ", "\n"), ("\n    ", ",\n    ", ",\n"), ("", ", ", ","), (" ", " ,  ", " ")]
)


@given(st.lists(names, max_size=4, unique=True), layouts, st.lists(st.tuples(st.booleans(), names), max_size=5))
def test_any_sequence_of_changes_gives_the_call_it_should(
    present: list[str], layout: tuple[str, str, str], changes: list[tuple[bool, str]]
) -> None:
    first, between, last = layout
    call = f"f({first}{between.join(f'{name}=0' for name in present)}{last})" if present else "f()"
    text = Text(f"x = {call}\n")
    place = text.at(call)
    expected = dict.fromkeys(present, 0)
    for number, (sets, name) in enumerate(changes, 1):
        if sets:
            assert text.draft.set_argument(place, name, str(number))
            expected[name] = number
        else:
            assert text.draft.remove_argument(place, name) is (name in expected)
            expected.pop(name, None)
    fix = text.draft.build("", Applicability.SAFE)
    result = applied(text.text, fix) if fix is not None else text.text
    scope = {"f": dict}
    exec(result, scope)
    assert scope["x"] == expected


# Expressions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "call", "after"),
    [
        ("y = f(x)", "f(x)", "y = x"),
        ("y = f()(g(x))", "f()(g(x))", "y = g(x)"),
        ("y = 2 * f(a + b)", "f(a + b)", "y = 2 * (a + b)"),
        ("y = 2 * f((a + b))", "f((a + b))", "y = 2 * (a + b)"),
        ("y = f(\n    x,\n)", "f(\n    x,\n)", "y = x"),
        ("y = f(\n    a\n    .b\n)", "f(\n    a\n    .b\n)", "y = (\n    a\n    .b\n)"),
        ("y = f(lambda: 0)", "f(lambda: 0)", "y = (lambda: 0)"),
        ("y = f(x, z)", "f(x, z)", None),
        ("y = f(x=z)", "f(x=z)", None),
        ("y = f(*z)", "f(*z)", None),
    ],
)
def test_a_call_is_unwrapped(before: str, call: str, after: str | None) -> None:
    text = Text(before)
    assert text.draft.unwrap(text.at(call)) is (after is not None)
    if after is not None:
        assert text.built() == after


@pytest.mark.parametrize(
    ("before", "call", "after"),
    [
        ("y = f(x, z)", "f(x, z)", "y = x"),
        ("y = f(g(x), (4,), k=1)", "f(g(x), (4,), k=1)", "y = g(x)"),
        ("y = 2 * f(a + b, 3)", "f(a + b, 3)", "y = 2 * (a + b)"),
        ("y = f(\n    x,\n    2,\n)", "f(\n    x,\n    2,\n)", "y = x"),
        ("y = f(\n    a\n    .b,\n    2,\n)", "f(\n    a\n    .b,\n    2,\n)", "y = (\n    a\n    .b)"),
        ("y = f(k=x)", "f(k=x)", None),
        ("y = f(*x, z)", "f(*x, z)", None),
        ("y = f()", "f()", None),
    ],
)
def test_a_call_is_unwrapped_from_its_other_arguments(before: str, call: str, after: str | None) -> None:
    text = Text(before)
    assert text.draft.unwrap(text.at(call), others=True) is (after is not None)
    if after is not None:
        assert text.built() == after


def test_edits_inside_a_replaced_call_survive() -> None:
    text = Text("import torch\ny = self.fc(torch.relu(x)).relu()\n")
    inner, outer = text.at("torch.relu"), text.at("self.fc(torch.relu(x)).relu()")
    text.draft.replace_call(outer, "torch.selu(self.fc(torch.relu(x)))")
    assert text.draft.respell(inner, "torch.selu")
    assert text.built() == "import torch\ny = torch.selu(self.fc(torch.selu(x)))\n"


def test_a_replacement_that_drops_an_edited_part_is_no_fix() -> None:
    text = Text("import torch\ny = f(torch.relu(x))\n")
    text.draft.replace(text.at("f(torch.relu(x))"), "g(x)")
    assert text.draft.respell(text.at("torch.relu"), "torch.selu")
    assert text.draft.build("", Applicability.SAFE) is None


def test_nothing_edited_is_no_fix() -> None:
    text = Text("from torch import nn\n")
    assert text.draft.refer("torch.nn.init.zeros_") == "nn.init.zeros_"
    assert text.draft.build("", Applicability.SAFE) is None


# Elements and statements ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a, old, b]", "[a, b]"),
        ("[old, b]", "[b]"),
        ("[a, old]", "[a]"),
        ("[old]", "[]"),
        ("[\n    a,\n    old,\n    b,\n]", "[\n    a,\n    b,\n]"),
        ("[\n    a,  # a\n    # about old\n    old,  # old\n]", "[\n    a,  # a\n    # about old\n]"),
        ("f(a, old, b)", "f(a, b)"),
        ("f(\n    a,\n    old\n)", "f(\n    a,\n)"),
        ("(a, old, b)", "(a, b)"),
        ("(a, b, old)", "(a, b)"),
        ("(\n    a,\n    b,\n    old,\n)", "(\n    a,\n    b,\n)"),
        ("(a, old)", None),
        ("f(k=old)", None),
        ("[*old]", None),
        ("{old}", None),
        ("[old + 1]", None),
    ],
)
def test_an_element_is_deleted(before: str, after: str | None) -> None:
    text = Text(f"x = {before}\n")
    assert text.draft.delete_element(text.at("old")) is (after is not None)
    if after is not None:
        assert text.built() == f"x = {after}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nx = old()\nb\n", "a\nb\n"),
        ("a\nx = old()  # why\nb\n", "a\nb\n"),
        ("x = f(\n    old(),\n)\nb\n", "b\n"),
        ("b\nx = old()", "b\n"),
        ("a; old(); b\n", "a; b\n"),
        ("a; old()\n", "a\n"),
        ("if a:\n\told()\n\tb\n", "if a:\n\tb\n"),
        ("if a:\n    old()\n", None),
        ("if a: old()\n", None),
        ("if old():\n    b\n", None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_statement_is_deleted(before: str, after: str | None, newline: str) -> None:
    text = Text(before.replace("\n", newline))
    assert text.draft.delete_statement(text.at("old()")) is (after is not None)
    if after is not None:
        assert text.built() == after.replace("\n", newline)


def test_a_block_is_never_emptied() -> None:
    text = Text("def f():\n    a()\n    b()\n")
    assert text.draft.delete_statement(text.at("a()"))
    assert text.draft.delete_statement(text.at("a()"))
    assert not text.draft.delete_statement(text.at("b()"))
    assert text.built() == "def f():\n    b()\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("m = old()\nb\n", "m = old()\nif m:\n    go\nb\n"),
        ("a\nm = old()", "a\nm = old()\nif m:\n    go"),
        ("m = f(\n    old(),\n)  # why\n", "m = f(\n    old(),\n)  # why\nif m:\n    go\n"),
        ("if a:\n\tm = old()\n", "if a:\n\tm = old()\n\tif m:\n\t\tgo\n"),
        ("if a: m = old()\n", None),
        ("if old():\n    b\n", None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_are_inserted_behind_a_statement(before: str, after: str | None, newline: str) -> None:
    text = Text(before.replace("\n", newline))
    assert text.draft.insert_after(text.at("old()"), ["if m:", "    go"]) is (after is not None)
    if after is not None:
        assert text.built() == after.replace("\n", newline)


BODIES = [
    ("def f(self):\n    a\n", "def f(self):\n    a\n    go\n"),
    ("def f(self):\n    a  # why\n\n\nb\n", "def f(self):\n    a  # why\n    go\n\n\nb\n"),
    ("def f(self):\n  if a:\n    b\n", "def f(self):\n  if a:\n    b\n  go\n"),
    ("def f(self):\n\t@a\n\tdef b(): pass", "def f(self):\n\t@a\n\tdef b(): pass\n\tgo"),
    ("class C:\n    def f(self):\n        a = (\n            1)\n", None),
    ("def f(self):\n    a\n\n    # done\n    return a\n", "def f(self):\n    a\n    go\n\n    # done\n    return a\n"),
    ("def f(self):\n    return 1\n", "def f(self):\n    go\n    return 1\n"),
    ("def f(self): a\n", ""),
    ("def f(self):\n    if a:\n        return\n    b\n", ""),
    ("def f(self):\n    a; return b\n", ""),
    ("def f(self):\n    raise b\n", ""),
]


@pytest.mark.parametrize(("before", "after"), BODIES)
def test_lines_are_appended_to_a_body(before: str, after: str | None) -> None:
    text = Text(before)
    name = text.at("f")
    function = Place(parent(name), name.unit)
    assert text.draft.append_to_body(function, ["go"]) is (after != "")
    if after is None:
        after = before + "        go\n"
    if after:
        assert text.built() == after


LINES = ["def init(m):", "    if m:", "        m.zero()"]
DEFINED = "def init(m):\n    if m:\n        m.zero()\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import a\n\n\nclass C:\n    x = old\n", f"import a\n\n\n{DEFINED}\n\nclass C:\n    x = old\n"),
        ("import a\n\nx = old\n", f"import a\n\n\n{DEFINED}\n\nx = old\n"),
        ("import a\nx = old", f"import a\n\n\n{DEFINED}\n\nx = old"),
        ("x = old\n", f"{DEFINED}\n\nx = old\n"),
        (
            "import a\n\n\n# about C\n@a\nclass C:\n    x = old\n",
            f"import a\n\n\n{DEFINED}\n\n# about C\n@a\nclass C:\n    x = old\n",
        ),
        ("def g():\n\tpass\n\n\nx = old\n", f"{DEFINED}\n\ndef g():\n\tpass\n\n\nx = old\n".replace("    ", "\t")),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_function_is_defined_with_two_blank_lines_around(before: str, after: str, newline: str) -> None:
    text = Text(before.replace("\n", newline))
    assert text.draft.define("init", LINES, text.at("old")) == "init"
    text.draft.replace(text.at("old"), "init")
    assert text.built() == after.replace("old", "init").replace("\n", newline)


def test_a_definition_is_shared_reused_or_renamed() -> None:
    fresh = Text("x = old\n")
    assert [fresh.draft.define("init", LINES, fresh.at("old")) for _ in range(2)] == ["init", "init"]
    assert fresh.draft.define("init", [*LINES, "    more"], fresh.at("old")) == "init_selu"

    there = Text(f"{DEFINED}\n\nx = old\n")
    assert there.draft.define("init", LINES, there.at("old")) == "init"
    there.draft.replace(there.at("old"), "init")
    assert there.built() == f"{DEFINED}\n\nx = init\n"

    too_late = Text(f"x = old\n\n\n{DEFINED}")
    assert too_late.draft.define("init", LINES, too_late.at("old")) == "init_selu"

    taken = Text("init = 1\n\n\nx = old\n")
    assert taken.draft.define("init", LINES, taken.at("old")) == "init_selu"
    taken.draft.replace(taken.at("old"), "init_selu")
    assert "\n\n\ndef init_selu(m):\n" in taken.built()


def test_two_fixes_share_the_function_that_both_need() -> None:
    code = "import a\n\n\nclass C:\n    x = one\n\n\nclass D:\n    x = two\n"
    fixes = []
    for name in ("one", "two"):
        text = Text(code)
        text.draft.define("init", LINES, text.at(name))
        text.draft.replace(text.at(name), "init")
        fix = text.draft.build(name, Applicability.SAFE)
        assert fix is not None
        fixes.append(fix)
    result, chosen = apply(code, fixes)
    assert len(chosen) == 2
    assert result == f"import a\n\n\n{DEFINED}\n\nclass C:\n    x = init\n\n\nclass D:\n    x = init\n"


def test_import_definition_and_insertion_at_one_place_keep_their_order() -> None:
    text = Text("import os\nm = old()\n\n\nclass C:\n    x = other\n")
    assert text.draft.refer("torch.nn.Linear") == "nn.Linear"
    text.draft.define("init", LINES, text.at("old()"))
    assert text.draft.insert_after(text.at("old()"), ["m.apply(init)"])
    assert text.built() == (
        f"import os\nfrom torch import nn\n\n\n{DEFINED}\n\nm = old()\nm.apply(init)\n\n\nclass C:\n    x = other\n"
    )


@pytest.mark.parametrize(
    ("code", "quote"),
    [
        ("a = 'x'\nb = 'y'\nc = \"z\"", "'"),
        ("a = 1", '"'),
        ("# don't, won't, can't\na = \"x\"", '"'),
        ('"""It\'s"""', '"'),
    ],
)
def test_the_quote_is_that_of_the_file(code: str, quote: str) -> None:
    assert Text(code).draft.quote == quote
