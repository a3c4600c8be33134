"""From text to statements, trees, places and names: the index, the lazy file, the spans, the canonical names."""

from __future__ import annotations

import ast
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.diagnostic import Refused
from selulint.frameworks import SPECS
from selulint.source import Source
from selulint.syntax import triage
from selulint.syntax.concrete import Concrete
from selulint.syntax.lazy import File, Unit
from selulint.syntax.names import canonical, imported

LIBRARY = Path(ast.__file__).parent
REAL_FILES = [
    LIBRARY / name
    for name in ("ast.py", "bisect.py", "contextlib.py", "functools.py", "textwrap.py", "this.py", "types.py")
]


def file_of(text: str) -> File:
    return File(Source("net.py", text))


def pieces(text: str) -> list[str]:
    return [text[each.start : each.end] for each in triage.index(text)]


def relevant(text: str) -> list[str]:
    """First lines of the relevant statements."""
    text = textwrap.dedent(text)
    return [text[each.start : each.end].splitlines()[0] for each in triage.index(text) if each.relevant]


def nodes_under(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from nodes_under(child)


# Triage: files


@pytest.mark.parametrize(
    "data",
    [
        b"nn.ReLU()",
        b"F.relu6(x)",
        b"activation='SELU'",
        b"nn.AlphaDropout(0.1)",
        b"F.alpha_dropout(x)",
        b"1.6732 * torch.exp(x)",
        b"scale = 1.0507; F.elu(x)",
    ],
)
def test_candidates(data: bytes) -> None:
    assert triage.is_candidate(data)


@pytest.mark.parametrize(
    "data", [b"", b"nn.Linear(3, 4)", b"x = 1.67", b"torch.exp(x) * 1.7", b"elu = expand", b"\xff\xfe"]
)
def test_files_without_anything_of_interest(data: bytes) -> None:
    assert not triage.is_candidate(data)


@pytest.mark.parametrize(
    "text",
    [
        "net.load_state_dict(d)",
        "AutoModel.from_pretrained('x')",
        "resnet50(pretrained=True)",
        "def f(pretrained: bool = True): ...",
        "cfg = {'pretrained': True}",
        "ResNet50(weights='imagenet')",
        'ResNet50(weights = "imagenet")',
        "torch.load('x.pt')",
        "torch.load ('x.pt')",
        "torch.hub.load('a', 'b')",
        "Net.load_from_checkpoint('x')",
        "model.load_weights('x.h5')",
        "keras.models.load_model('x')",
        "model_urls = {}",
        "default_cfgs = {}",
        "hub.KerasLayer('u')",
        "tf.saved_model.load('d')",
        "resnet18(weights=ResNet18_Weights.DEFAULT)",
        "resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)",
        "def resnet18(*, weights: Optional[ResNet18_Weights] = None): ...",
    ],
)
def test_cues_of_trained_weights(text: str) -> None:
    assert triage.trained_weights(f"import torch\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "def _init_weights(m): ...",
        "resnet50(pretrained=False)",
        "resnet18(weights=None)",
        "yaml.load(f)",
        "np.load('x.npy')",
        "self.pretrained = trueish",
        "data_loader = load_data()",
        "torch.loader(x)",
        "my_default_cfgs2 = 1",
    ],
)
def test_what_is_no_cue_of_trained_weights(text: str) -> None:
    assert not triage.trained_weights(text)


def test_syntax_errors_have_a_place() -> None:
    assert triage.syntax_error("x = 1\n", "a.py") is None
    error = triage.syntax_error("x = 1\ny = (2 +\n", "a.py")
    assert error is not None and error[0] == "'(' was never closed" and error[1:] == (2, 5)
    assert triage.syntax_error("print 'x'\n", "a.py") is not None


@pytest.mark.parametrize("text", ["x = '\0'\n", "x = " + "-" * 100_000 + "1\n", "x = '\ud800'\n"])
def test_hostile_text_is_a_syntax_error(text: str) -> None:
    error = triage.syntax_error(text, "a.py")
    assert error is not None and error[1] >= 1 and error[2] >= 1
    with pytest.raises(SyntaxError):
        triage.index(text)


def test_the_users_warnings_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(triage.index("x = '\\d'\ny = x is 1\n")) == 2
        assert triage.syntax_error("x = '\\d'\ny = x is 1\n", "a.py") is None
    assert capsys.readouterr().err == ""


# Triage: statements


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_statements_are_whole_lines(newline: str) -> None:
    lines = [
        "# head",
        "import a",
        "",
        "@deco",
        "# between",
        "class A:",
        "    x = '''",
        "é",
        "'''  # tail",
        "y = 'é'; z = 2",
        "w = 3",
    ]
    text = newline.join(lines)
    expected = [lines[1:2], lines[3:9], lines[9:10], lines[10:11]]
    assert pieces(text) == [newline.join(each) + newline for each in expected[:-1]] + ["w = 3"]
    assert [each.kind for each in triage.index(text)] == ["import", "class", "other", "other"]
    assert [each.binds for each in triage.index(text)] == [("a",), ("A",), ("y", "z"), ("w",)]


@pytest.mark.parametrize("separator", ["\f", "\x0b", "\x1c", "\u2028", "\x85"])
def test_only_newlines_end_lines(separator: str) -> None:
    first = f"x = 1  # {separator} comment\n"
    assert pieces(f"{first}y = 2\n") == [first, "y = 2\n"]


def test_mixed_newlines_and_a_form_feed_before_a_statement() -> None:
    assert pieces("x = 1\r\n\fy = 2\n\rz = 3\r") == ["x = 1\r\n", "\fy = 2\n", "z = 3\r"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1; \\\ny = 2\nz = 3\n", ["x = 1; \\\ny = 2\n", "z = 3\n"]),
        ("x = 1; \\\n\ny = 2\n", ["x = 1; \\\n\n", "y = 2\n"]),
        ("x = 'é'; \\\r\ny = 2\r\n", ["x = 'é'; \\\r\ny = 2\r\n"]),
        ("x = 1  # not carried on \\\ny = 2\n", ["x = 1  # not carried on \\\n", "y = 2\n"]),
        ("x = 1 + \\\n  2\ny = 2\n", ["x = 1 + \\\n  2\n", "y = 2\n"]),
        ("if a: x = 1; y = '''\n'''; z = 3\nw = 4", ["if a: x = 1; y = '''\n'''; z = 3\n", "w = 4"]),
        ("x = '''\n'''; y = '''\n'''; z = 1\n", ["x = '''\n'''; y = '''\n'''; z = 1\n"]),
        ("", []),
        ("# nothing\n", []),
    ],
)
def test_statements_of_one_logical_line_are_one(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


@pytest.mark.parametrize(
    ("text", "binds"),
    [
        ("def f(a=(b := 1)): c = 2", ("f",)),
        ("class A: x = 1", ("A",)),
        ("import a.b.c, d.e as f", ("a", "f")),
        ("from a import b, c as d", ("b", "d")),
        ("from a import *", ("*",)),
        ("x = y.z = w[0] = (u, *v) = 1", ("x", "u", "v")),
        ("x += 1", ("x",)),
        ("x: int = 1", ("x",)),
        ("x: int", ()),
        ("for i, (j, k) in x: l = i\nelse: m = 1", ("i", "j", "k", "l", "m")),
        ("with a as b, c as (d, e): f = 1", ("b", "d", "e", "f")),
        ("try: import a\nexcept E as e: a = None", ("a", "e")),
        ("if (n := f()): pass", ("n",)),
        ("x = [y for y in z if (last := y)]", ("x", "last")),
        ("x = lambda a: (b := a)", ("x",)),
        ("if a:\n  def f(): x = 1\nelse:\n  class C: y = 1", ("f", "C")),
        ("match a:\n  case {'k': b, **c}: pass\n  case [d, *e] | (D() as d, *e): f = 1", ("b", "c", "d", "e", "f")),
        ("del x", ()),
        ("model.add(x)\n", ()),
    ],
)
def test_bound_names(text: str, binds: tuple[str, ...]) -> None:
    (statement,) = triage.index(text)
    assert sorted(statement.binds) == sorted(binds)


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("x = y.z(w, k=v)", {"y", "w", "v"}),
        ("x += 1", {"x"}),
        ("x = 'names in strings'", set()),
        ("if a:\n  def f(b=c): return d", {"a", "c", "d"}),
        ("@d\ndef f(): return é1", {"d", "def", "f", "return", "é1"}),
    ],
)
def test_mentioned_names(text: str, mentions: set[str]) -> None:
    (statement,) = triage.index(text)
    assert statement.mentions == mentions


def test_statements_with_a_marker_and_what_uses_their_definitions_are_relevant() -> None:
    assert relevant(
        """
        import torch
        from torch.nn import ReLU
        def block(): return ReLU()
        def other(): return 1
        class Net:
            layers = block()
        def make(): return Net()
        net = make()
        print(other())
        """
    ) == ["def block(): return ReLU()", "class Net:", "def make(): return Net()", "net = make()"]


def test_statements_that_build_one_model_are_relevant_together() -> None:
    assert relevant(
        """
        a = Input()
        x = Dense(3)(a)
        x = Activation("relu")(x)
        model = Model(a, x)
        model.add(Flatten())
        other = Sequential()
        other.add(Flatten())
        """
    ) == ["a = Input()", "x = Dense(3)(a)", 'x = Activation("relu")(x)', "model = Model(a, x)", "model.add(Flatten())"]


def test_imported_names_do_not_tie_statements() -> None:
    assert relevant("import layers\na = layers.relu\nb = layers.dense\n") == ["a = layers.relu"]


def test_other_names_for_marked_things_are_followed() -> None:
    assert relevant(
        """
        from torch.nn import ReLU as R, Linear as L
        ACT = nn.SELU
        def first(): return R()
        def second(): return ACT()
        def third(): return L()
        """
    ) == ["ACT = nn.SELU", "def first(): return R()", "def second(): return ACT()"]


def test_handwritten_constants_are_relevant_where_there_is_an_exponential() -> None:
    text = "ALPHA = 1.6732632\ndef act(x): return ALPHA * (torch.exp(x) - 1)\n"
    assert relevant(text) == text.splitlines()
    assert relevant("ALPHA = 1.6732632\ndef act(x): return ALPHA * x\n") == []


# Lazy trees


def test_units_know_their_statements_and_read_libcsts_tree_when_asked_for() -> None:
    file = file_of("import a\nx = 1\nx = 2\ndef f(): ...\n")
    assert file.bindings == {"a": (0,), "x": (1, 2), "f": (3,)}
    assert [file.name_of_statement(number) for number in range(4)] == ["a", "x", "x", "f"]
    unit = file.unit(3)
    assert unit is file.unit(3) and unit.file is file and unit.index == 3
    (body,) = unit.body
    assert isinstance(body, ast.FunctionDef) and body.name == "f"
    concrete = unit.counterpart(body)
    assert isinstance(concrete, cst.FunctionDef) and concrete is unit.module.body[0]


@pytest.mark.parametrize(
    ("code", "reason"), [("y = (2,\n  3 4)\n", "cannot read"), ("y = '" + "a" * 1_000_001 + "'\n", "too long")]
)
def test_a_statement_that_libcst_cannot_take_is_refused(code: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        Concrete(code, 0)


def test_spans_leave_out_what_is_around_a_node() -> None:
    text = "import a\n\n\n# c\n@deco  # d\ndef f(a, b = 1):  # e\n    return ( g (a , k = ( b ) , ) )  # h\n\n# i\n"
    unit = file_of(text).unit(1)
    function = unit.module.body[0]
    assert isinstance(function, cst.FunctionDef)
    assert unit.text(function) == "def f(a, b = 1):  # e\n    return ( g (a , k = ( b ) , ) )"
    assert unit.text(function.decorators[0]) == "@deco"
    assert unit.text(function.params) == "a, b = 1"
    returned = function.body.body[0]
    assert unit.text(returned) == "return ( g (a , k = ( b ) , ) )"
    assert isinstance(returned, cst.SimpleStatementLine) and isinstance(returned.body[0], cst.Return)
    call = returned.body[0].value
    assert isinstance(call, cst.Call)
    assert unit.text(call) == "g (a , k = ( b ) , )"
    assert [unit.text(arg) for arg in call.args] == ["a", "k = ( b )"]
    assert unit.text(call.args[1].value) == "b"
    assert unit.text(call.args[1].comma) == ","
    assert unit.span(call.func).start == text.index("g (")


def test_ancestors_are_outermost_first() -> None:
    unit = file_of("x = [f(y)]\n").unit(0)
    name = next(node for node in nodes_under(unit.module) if isinstance(node, cst.Name) and node.value == "y")
    kinds = [type(each).__name__ for each in unit.ancestors(name)]
    assert kinds == ["Module", "SimpleStatementLine", "Assign", "List", "Element", "Call", "Arg"]
    assert unit.ancestors(unit.module) == ()


def test_nodes_of_other_units_have_no_place_here() -> None:
    file = file_of("x = 1\ny = 2\n")
    with pytest.raises(KeyError):
        file.unit(0).span(file.unit(1).module)


@pytest.mark.parametrize(
    "text",
    [
        "\fx = f(1)\n",
        "if a:\n\f    x = f(1)\n",
        "if a:\r    x = f(1)\r",
        "def g():\n    y = 1\n\n  # left behind\n    \nx = f(1)\n",
        "class A:\n    y = 1\n\n  # dedented\n\n    x = f(1)\n",
        "x = f(1); \\\n\n",
        "if a:\r\n    y = 1\n    x = f(1)\r\n",
    ],
)
def test_spans_hold_where_libcst_prints_other_whitespace(text: str) -> None:
    file = file_of(text)
    found = [
        unit.text(node)
        for unit in map(file.unit, range(len(file.statements)))
        for node in nodes_under(unit.module)
        if isinstance(node, cst.Assign) and "f(" in unit.text(node)
    ]
    assert found == ["x = f(1)"]


def test_very_long_concatenations_have_spans() -> None:
    lines = [f"    'line {number}'" for number in range(2_000)]
    unit = file_of("x = (\n" + "\n".join(lines) + "\n)\n").unit(0)
    limit = sys.getrecursionlimit()
    (statement,) = unit.module.body
    assert unit.span(statement).start == 0
    assert sys.getrecursionlimit() == limit


# Laws of index and spans


def check_index(text: str) -> None:
    """Statements are in order, between them is nothing but blank lines and comments, and each means what it meant."""
    last = 0
    kept = []
    for each in triage.index(text):
        assert last <= each.start < each.end
        assert ast.parse(text[last : each.start]).body == []
        kept += ast.parse(text[each.start : each.end]).body
        last = each.end
    assert ast.parse(text[last:]).body == []
    assert [ast.dump(node) for node in kept] == [ast.dump(node) for node in ast.parse(text).body]


def bare(node: cst.CSTNode) -> cst.CSTNode:
    """A node without what stands around it but belongs to it."""
    own = {"lpar": (), "rpar": (), "comma": cst.MaybeSentinel.DEFAULT, "whitespace_after_arg": cst.SimpleWhitespace("")}
    return node.with_changes(**{name: value for name, value in own.items() if hasattr(node, name)})


def check_spans(unit: Unit) -> int:
    """Every expression's span parses to that expression again; spans lie inside those of the nodes around."""
    checked = 0
    config = unit.module.config_for_parsing
    for node in nodes_under(unit.module):
        span = unit.span(node)
        assert unit.start <= span.start <= span.end <= unit.start + len(unit.code)
        if not isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Arg, cst.SimpleString)):
            continue
        checked += 1
        text = unit.text(node)
        assert text == text.strip()
        assert text.split() == unit.module.code_for_node(bare(node)).split()
        parent = unit.ancestors(node)[-1]
        assert any(child is node for child in parent.children)
        again = cst.parse_expression(f"f({text})" if isinstance(node, cst.Arg) else f"({text})", config)
        if isinstance(node, cst.Arg):
            assert isinstance(again, cst.Call) and len(again.args) == 1
            again = again.args[0]
        if len(text.splitlines()) == 1:
            assert bare(again).deep_equals(bare(node))
        else:
            # Inside an indented block LibCST keeps the indentation of continued lines apart from their whitespace.
            assert cst.Module(()).code_for_node(bare(again)).split() == text.split()
    return checked


SAME_SPANS = (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.BinOp, ast.Subscript, ast.Compare, ast.AugAssign)


def check_counterparts(unit: Unit) -> int:
    """LibCST has a node for every node that a place may hold, at the same place and with the same meaning."""
    checked = 0
    stack: list[ast.AST] = list(unit.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.JoinedStr):  # before Python 3.12, what is inside has no places
            continue
        stack.extend(ast.iter_child_nodes(node))
        if isinstance(node, (*SAME_SPANS, ast.FunctionDef, ast.ClassDef)):
            found = unit.counterpart(node)
            checked += 1
            assert unit.span(found).start == unit.span(node).start
        if isinstance(node, SAME_SPANS):
            assert unit.span(found) == unit.span(node)
            text = f"({unit.text(found)})" if isinstance(node, ast.expr) else unit.text(found)
            again = ast.parse(text).body[0]
            again = again.value if isinstance(again, ast.Expr) else again
            is_target = not isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            assert is_target or ast.dump(again) == ast.dump(node)
    return checked


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_files(path: Path, newline: str) -> None:
    text = path.read_text(encoding="utf-8").replace("\n", newline)
    check_index(text)
    file = file_of(text)
    units = [file.unit(number) for number in range(len(file.statements))]
    assert sum(map(check_spans, units)) > 10 and sum(map(check_counterparts, units)) > 10


names = st.sampled_from(["a", "nn", "relu", "é", "x1"])
gaps = st.sampled_from(["", "", " ", "  ", "\t"])
breaks = st.sampled_from(["", "", " ", "\n", " # note ()\n  ", "\n\n      ", "\f", "\\\n"])


def compounds(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}{}.{}{}".format, inner, gaps, gaps, names).map(lambda text: f"({text})"),
        st.builds("f{}({}{}{},{}k{}={}{}{})".format, gaps, breaks, inner, breaks, breaks, gaps, gaps, inner, breaks),
        st.builds("({}{}{}+{}{}{})".format, breaks, inner, breaks, breaks, inner, breaks),
        st.builds("[{}{}{},{}*{},]".format, breaks, inner, breaks, breaks, inner),
        st.builds("(lambda {}: {})".format, names, inner),
        st.builds("{}.m({}{})".format, names, breaks, inner),
    )


expressions = st.recursive(
    st.one_of(names, st.sampled_from(["(1)", "()", "'s'", '"""t\n u"""', "'a' 'b'", "f''", "r'\\d'"])),
    compounds,
    max_leaves=6,
)
simple = st.one_of(
    st.builds("{}{}={}{}".format, names, gaps, gaps, expressions),
    st.builds("print({})".format, expressions),
    st.just("pass"),
)
lines = st.builds(
    "{}{}{}".format, st.lists(simple, min_size=1, max_size=3).map(" ; ".join), gaps, st.sampled_from(["", ";", "# c"])
)


def indented(block: list[str]) -> str:
    return "".join(f"    {line}\n" for line in block)


blocks = st.one_of(
    lines.map("{}\n".format),
    st.builds(
        "def f(a, *, b{}={}):\n{}".format, gaps, expressions, st.lists(lines, min_size=1, max_size=2).map(indented)
    ),
    st.builds("@a({})\nclass C:  # c\n\n{}".format, expressions, st.lists(lines, min_size=1, max_size=2).map(indented)),
    st.builds("if {}:\n{}else: {}\n".format, expressions, lines.map("    {}\n".format), lines),
    st.sampled_from(["\n", "# comment\n", "\f", "  # odd\n", "x = 1; \\\ny = 2\n"]),
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    text = "".join(draw(st.lists(blocks, min_size=1, max_size=5)))
    ends = draw(st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=3))
    parts = text.split("\n")
    joined = "".join(part + ends[number % len(ends)] for number, part in enumerate(parts[:-1])) + parts[-1]
    return joined.rstrip() if draw(st.booleans()) else joined


@given(programs())
def test_generated_programs(text: str) -> None:
    check_index(text)
    file = file_of(text)
    for number in range(len(file.statements)):
        check_spans(file.unit(number))
        check_counterparts(file.unit(number))


# Names


@pytest.mark.parametrize(
    ("dotted", "expected"),
    [
        ("torch.nn.modules.activation.ReLU", "torch.nn.ReLU"),
        ("torch.nn.modules.ReLU", "torch.nn.ReLU"),
        ("torch.nn.parameter.Parameter", "torch.nn.Parameter"),
        ("torch.nn.init.kaiming_normal_", "torch.nn.init.kaiming_normal_"),
        ("torch.ops.aten.relu", "torch.relu"),
        ("torch.functional.F.relu", "torch.nn.functional.relu"),
        ("tensorflow.keras", "keras"),
        ("tensorflow.keras.layers.Dense", "keras.layers.Dense"),
        ("tf_keras.layers.Dense", "keras.layers.Dense"),
        ("keras.src.layers.core.dense.Dense", "keras.layers.Dense"),
        ("tf_keras.src.layers.Dense", "keras.layers.Dense"),
        ("tensorflow.python.keras.layers.Dense", "keras.layers.Dense"),
        ("tensorflow.contrib.keras.api.keras.layers.Dense", "keras.layers.Dense"),
        ("tensorflow.contrib.keras.python.keras.layers.Dense", "keras.layers.Dense"),
        ("tensorflow.compat.v1.keras.layers.Dense", "keras.layers.Dense"),
        ("keras.api._v2.keras.layers.Dense", "keras.layers.Dense"),
        ("keras.layers.core.Dense", "keras.layers.Dense"),
        ("keras.layers.noise.AlphaDropout", "keras.layers.AlphaDropout"),
        ("keras.layers.advanced_activations.LeakyReLU", "keras.layers.LeakyReLU"),
        ("keras.layers.experimental.preprocessing.Rescaling", "keras.layers.Rescaling"),
        ("keras.layers.experimental.SyncBatchNormalization", "keras.layers.experimental.SyncBatchNormalization"),
        ("keras.layers.merge.add", "keras.layers.add"),
        ("keras.src.layers.merging.add.add", "keras.layers.add"),
        ("keras.models.Sequential", "keras.Sequential"),
        ("keras.engine.training.Model", "keras.Model"),
        ("keras.engine.topology.Layer", "keras.layers.Layer"),
        ("keras.initializers.initializers_v2.HeNormal", "keras.initializers.HeNormal"),
        ("tensorflow.compat.v1.nn.relu", "tensorflow.nn.relu"),
        ("tensorflow.compat.v1", "tensorflow"),
        ("tensorflow.python.ops.nn_ops.relu", "tensorflow.nn.relu"),
        ("kerastuner.Tuner", "kerastuner.Tuner"),
        ("torch.functional.F", "torch.nn.functional"),
        ("torch.functional.F.relu", "torch.nn.functional.relu"),
        ("torch.nnx.ReLU", "torch.nnx.ReLU"),
        ("jax.nn.relu", "jax.nn.relu"),
        ("flax.linen.Dense", "flax.linen.Dense"),
        ("", ""),
    ],
)
def test_canonical_names(dotted: str, expected: str) -> None:
    assert canonical(dotted) == expected
    assert canonical(expected) == expected
    stepwise = ""
    for part in dotted.split("."):
        stepwise = canonical(f"{stepwise}.{part}" if stepwise else part)
    assert stepwise == expected


def test_names_of_the_tables_are_canonical_or_mean_the_same() -> None:
    assert {name for name, spec in SPECS.items() if SPECS.get(canonical(name)) != spec} == set()


def test_where_pytorch_defines_its_classes() -> None:
    nn = pytest.importorskip("torch.nn")
    classes = [getattr(nn, name) for name in dir(nn) if isinstance(getattr(nn, name), type)]
    assert len(classes) > 100
    for each in classes:
        assert canonical(f"{each.__module__}.{each.__qualname__}") == f"torch.nn.{each.__name__}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a.b.c", {"a": "a"}),
        ("import a.b as c, torch.nn", {"c": "a.b", "torch": "torch"}),
        ("import tensorflow.keras as K", {"K": "keras"}),
        ("import tf_keras", {"tf_keras": "keras"}),
        ("from torch import nn, relu as r", {"nn": "torch.nn", "r": "torch.relu"}),
        ("from torch.nn.modules.activation import (ReLU, SELU as S,)", {"ReLU": "torch.nn.ReLU", "S": "torch.nn.SELU"}),
        ("from tensorflow import keras", {"keras": "keras"}),
        ("from . import layers", {"layers": ".layers"}),
        ("from ..nets.blocks import Block as B", {"B": "..nets.blocks.Block"}),
        ("from torch.nn import *", {"*": "torch.nn"}),
        ("from torch.nn.modules.activation import *", {"*": "torch.nn"}),
        ("from tensorflow.keras.layers import *", {"*": "keras.layers"}),
        ("from . import *", {"*": "."}),
        ("from ..blocks import *", {"*": "..blocks"}),
    ],
)
def test_imports(text: str, expected: dict[str, str]) -> None:
    node = ast.parse(text).body[0]
    assert isinstance(node, (ast.Import, ast.ImportFrom))
    assert imported(node) == expected
