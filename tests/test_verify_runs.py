"""`selulint verify` on models that ask for more: several inputs, data, little memory, children of their own, dropout."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import pytest

from selulint.explain import explain, repair
from selulint.verify.parent import Outcome, Request, VerifyError, verify

SMALL: dict[str, Any] = {"seeds": 1, "batch": 64, "timeout": 120.0}
HEADER = """
import torch
from torch import nn
import torch.nn.functional as F


def lecun(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0, inputs ** -0.5)
    nn.init.zeros_(layer.bias)
    return layer


class Net(nn.Module):
"""


def _write(folder: Path, body: str, name: str = "net.py") -> Path:
    path = folder / name
    path.write_text(HEADER + body)
    return path


def _run(folder: Path, body: str, **asked: Any) -> Outcome:
    return verify(Request(f"{_write(folder, body)}:Net", **{**SMALL, **asked}))


TWO_INPUTS = """
    def __init__(self):
        super().__init__()
        self.table, self.other, self.head = nn.Embedding(50, 64), lecun(32, 64), lecun(128, 3)

    def forward(self, words, values, *, scale=None):
        assert words.dtype == torch.int64 and words.max() > 1
        joined = torch.cat([F.selu(self.table(words).sum(1)), F.selu(self.other(values))], -1)
        return self.head(joined if scale is None else joined * scale)
"""


def test_several_inputs_with_dtypes_and_names(tmp_path: Path) -> None:
    found = _run(tmp_path, TWO_INPUTS, inputs=("64x5:int64", "64x32", "scale=64x1"))
    assert found.shapes == ((64, 5), (64, 32), (64, 1))
    assert [each.layer for each in found.runs[0]] == ["table", "other"]


def test_several_inputs_are_told_from_the_parts_of_the_model(tmp_path: Path) -> None:
    assert _run(tmp_path, TWO_INPUTS).shapes == ((64, 16), (64, 32))


PLAIN = """
    def __init__(self):
        super().__init__()
        self.layer, self.head = lecun(32, 256), lecun(256, 3)

    def forward(self, values):
        {}
        return self.head(F.selu(self.layer(values)))
"""


def test_data_of_other_precision_and_more_of_it_than_a_batch(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.save(tmp_path / "data.npy", numpy.random.default_rng(0).normal(size=(500, 32)))
    numpy.savez(tmp_path / "data.npz", values=numpy.full((40, 32), 7.0))
    found = _run(tmp_path, PLAIN.format(""), data=str(tmp_path / "data.npy"))
    assert (found.shapes, found.verdict.normalizing) == (((64, 32),), True)
    assert "has 500 samples: 64 of them were used, others for each seed (--batch)" in found.notes[0]
    found = _run(tmp_path, PLAIN.format(""), data=str(tmp_path / "data.npz"))
    assert (found.shapes, found.verdict.normalizing) == (((40, 32),), False)


def test_a_batch_that_memory_does_not_hold_is_halved(tmp_path: Path) -> None:
    hungry = "if len(values) > 20: raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')"
    found = _run(tmp_path, PLAIN.format(hungry))
    assert found.shapes == ((16, 32),)
    assert [note for note in found.notes if "halved" in note] == [
        "out of memory with a batch of 64: halved",
        "out of memory with a batch of 32: halved",
    ]


def test_memory_that_runs_out_in_the_backward_pass_is_halved_too(tmp_path: Path) -> None:
    body = PLAIN.format("if values.requires_grad or torch.is_grad_enabled(): torch.empty(len(values) // 33 * 2**60)")
    assert _run(tmp_path, body).shapes == ((32, 32),)


def test_a_process_that_the_system_ends_runs_again_with_fewer_samples(tmp_path: Path) -> None:
    found = _run(tmp_path, PLAIN.format("import os; os.kill(os.getpid(), 9 if len(values) > 20 else 0)"))
    assert found.shapes == ((16, 32),)
    assert found.notes[0] == "the system ended a run, perhaps for want of memory: at most 16 samples"


def test_no_batch_is_small_enough(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="out of memory, even with one sample"):
        _run(tmp_path, PLAIN.format("torch.empty(2**60)"), inputs=("64x32",))


CHILDREN = "import subprocess; subprocess.Popen(['sleep', '{}'], start_new_session={})"


@pytest.mark.parametrize("escapes", [False, True])
def test_processes_that_the_model_leaves_behind_hold_nothing_up(tmp_path: Path, escapes: bool) -> None:
    start = time.monotonic()
    _run(tmp_path, PLAIN.format(CHILDREN.format(25, escapes)))
    assert time.monotonic() - start < 24


def test_what_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    late = f"import subprocess, time; subprocess.Popen('sleep 8; touch {mark}', shell=True); time.sleep(60)"
    with pytest.raises(VerifyError, match=r"not done after 6 s \(--timeout\)"):
        _run(tmp_path, PLAIN.format(late), timeout=6.0)
    time.sleep(8)
    assert not mark.exists()


def test_threads_exit_hooks_and_floods_of_output_hold_nothing_up(tmp_path: Path) -> None:
    body = PLAIN.format("""
        import atexit, os, sys, threading, time
        threading.Thread(target=time.sleep, args=(60,)).start()
        atexit.register(time.sleep, 60)
        for _ in range(100):
            print("x" * 10_000)
            print("y" * 10_000, file=sys.stderr)""")
    assert _run(tmp_path, body, timeout=50.0).verdict.normalizing


def test_a_file_may_be_called_like_a_module_that_is_loaded(tmp_path: Path) -> None:
    path = _write(tmp_path, PLAIN.format(""), "json.py")
    assert verify(Request(f"{path}:Net", **SMALL)).verdict.normalizing


def test_the_models_own_folder_is_left_as_it_was(tmp_path: Path) -> None:
    _write(tmp_path, PLAIN.format(""), "other.py")
    (tmp_path / "__init__.py").write_text("from .other import Net\n")
    verify(Request(f"{tmp_path / '__init__.py'}:Net", **SMALL))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["__init__.py", "other.py"]


def test_weights_that_come_with_the_first_input(tmp_path: Path) -> None:
    body = """
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(64), nn.SELU(), nn.LazyLinear(64), nn.SELU(), nn.LazyLinear(3))

    def forward(self, values):
        return self.layers(values)
"""
    assert [each.layer for each in _run(tmp_path, body).runs[0]] == ["layers.0", "layers.2"]


def test_weights_that_no_layer_holds_and_seeds_that_change_nothing(tmp_path: Path) -> None:
    body = """
    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.first, self.second = (nn.Parameter(torch.randn(n, 48) / 48**0.5) for n in (96, 96))

    def forward(self, values):
        return F.linear(F.selu(F.linear(values, self.first)), self.second.T)
"""
    found = _run(tmp_path, body, seeds=2)
    assert (found.shapes, found.runs[0][0].layer) == (((64, 48),), "first")
    assert "the same weights for every seed" in found.notes[0]


def test_compiled_and_scripted_models_are_seen_through(tmp_path: Path) -> None:
    path = _write(tmp_path, PLAIN.format(""))
    path.write_text(path.read_text() + "\ndef scripted():\n    return torch.jit.script(torch.compile(Net()))\n")
    assert len(verify(Request(f"{path}:scripted", **SMALL)).runs[0]) == 1


def test_low_precision_and_devices(tmp_path: Path) -> None:
    found = _run(tmp_path, PLAIN.format("assert torch.is_autocast_enabled('cpu')"), dtype="bf16", device="cpu")
    assert found.verdict.normalizing and 0.9 < found.runs[0][0].variance < 1.1
    with pytest.raises(VerifyError, match="--device `tpu` is none of auto, cpu, cuda, cuda:1, mps"):
        _run(tmp_path, PLAIN.format(""), device="tpu")


DEEP = """
    def __init__(self, rate={rate}, init=lecun):
        super().__init__()
        self.layers = nn.ModuleList(init(256, 256) for _ in range(8))
        self.drop, self.head = nn.{dropout}(rate), nn.Linear(256, 3)

    def forward(self, values):
        for layer in self.layers:
            values = self.drop(F.{function}(layer(values)))
        return self.head(values)
"""


def test_dropout_is_tried_as_in_training(tmp_path: Path) -> None:
    found = _run(tmp_path, DEEP.format(rate=0.1, dropout="AlphaDropout", function="selu"), batch=256)
    assert found.verdict.normalizing and found.dropped is not None and found.dropped.normalizing
    found = _run(tmp_path, DEEP.format(rate=0.4, dropout="Dropout", function="selu"), batch=256)
    assert found.verdict.normalizing and found.dropped is not None and not found.dropped.normalizing
    assert [(each.code, each.explains) for each in explain(found)[1]] == [("SELU401", True)]
    found = _run(tmp_path, DEEP.format(rate=0.4, dropout="Dropout", function="selu"), batch=256, train=True)
    assert not found.verdict.normalizing and found.dropped is None


def test_depth_takes_back_what_is_done_to_the_inputs_of_an_snn_only(tmp_path: Path) -> None:
    found = _run(tmp_path, DEEP.format(rate=0.0, dropout="Dropout", function="selu"), batch=256)
    assert [each.name for each in found.moved] == ["x2", "x0.5", "+0.5"]
    assert all(each.returns and each.last < 0.5 * each.first for each in found.moved)
    assert len(found.moved[0].distances) == len(found.runs[0])
    found = _run(tmp_path, DEEP.format(rate=0.0, dropout="Dropout", function="relu"), batch=256)
    assert [each.returns for each in found.moved[:2]] == [False, False]
    assert found.moved[0].first == pytest.approx(found.moved[0].last, rel=0.1)


def test_gradients_are_those_of_outputs_with_gradients_of_variance_one(tmp_path: Path) -> None:
    """Each value behind the last activation gets 3 random gradients through weights of variance 1/3/256."""
    found = _run(tmp_path, DEEP.format(rate=0.0, dropout="Dropout", function="selu"), batch=256)
    gradients = [each.gradient for each in found.runs[0]]
    assert all(each is not None for each in gradients)
    assert gradients[-1] == pytest.approx((3 / 256 / 3) ** 0.5, rel=0.2)
    assert gradients[0] == pytest.approx(gradients[-1] * 1.0716**3.5, rel=0.2)


A, L = 1.6732632423543772, 1.0507009873554805
SPELLINGS = {
    "where and ELU": f"{L} * torch.where(x >= 0, x, {A} * F.elu(x))",
    "where and exp": f"torch.where(x > 0, {L} * x, {L * A} * (x.clamp(max=0).exp() - 1))",
    "ReLU": f"{L} * (F.relu(x) + {A} * (torch.exp(-F.relu(-x)) - 1))",
    "max and min": f"(torch.max(x, x * 0) + torch.min(x * 0, {A} * torch.expm1(x))) * {L}",
    "ELU": f"{L} * F.elu(x, {A})",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_activations_that_are_spelled_out_are_measured_as_one(name: str, tmp_path: Path) -> None:
    body = DEEP.format(rate=0.0, dropout="Dropout", function="selu").replace("F.selu", "written")
    found = _run(tmp_path, f"{body}\n\ndef written(x):\n    return {SPELLINGS[name]}\n", batch=256)
    assert [each.function for each in found.runs[0]] == ["elu" if name == "ELU" else "handwritten"] * 8
    assert found.verdict.normalizing
    assert found.runs[0][0].line.endswith(f":{len((tmp_path / 'net.py').read_text().splitlines())}")


def test_what_is_computed_with_exp_is_no_activation(tmp_path: Path) -> None:
    body = """
    def __init__(self):
        super().__init__()
        self.mean, self.deviation, self.head = lecun(64, 256), lecun(64, 256), lecun(256, 3)

    def forward(self, values):
        hidden = F.selu(self.mean(values))
        latent = hidden + torch.randn_like(hidden) * torch.exp(0.5 * self.deviation(values).clamp(-5, 5))
        return self.head(latent)
"""
    assert [each.function for each in _run(tmp_path, body).runs[0]] == ["selu"]


def test_gates_and_scores_beside_other_activations_are_not_judged(tmp_path: Path) -> None:
    body = """
    def __init__(self):
        super().__init__()
        self.layer, self.score, self.head = lecun(64, 256), lecun(256, 256), lecun(256, 3)

    def forward(self, values):
        hidden = F.selu(self.layer(values))
        return self.head(hidden * torch.tanh(self.score(hidden)))
"""
    assert _run(tmp_path, body).verdict.normalizing
    alone = body.replace("F.selu", "torch.tanh")
    assert not _run(tmp_path, alone).verdict.normalizing


def test_samples_that_become_one_are_said(tmp_path: Path) -> None:
    from selulint.report.measurements import observations

    body = DEEP.format(rate=0.0, dropout="Dropout", function="relu").replace("init=lecun", "init=nn.Linear")
    assert "all samples give nearly the same output" in next(observations(_run(tmp_path, body)))


def test_norms_that_were_never_trained_are_said(tmp_path: Path) -> None:
    body = PLAIN.format("values = self.norm(values)").replace("self.layer,", "self.norm, self.layer,", 1)
    body = body.replace("= lecun(32, 256)", "= nn.BatchNorm1d(32), lecun(32, 256)")
    assert "batch norms that were never trained" in _run(tmp_path, body).notes[0]
    assert not _run(tmp_path, body, train=True).notes


HELPER = """
    def __init__(self):
        super().__init__()
        self.good, self.bad, self.head = lecun(64, 256), helper(256), lecun(256, 3)

    def forward(self, values):
        return self.head(F.selu(self.bad(F.selu(self.good(values)))))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.bad, self.head = nn.Linear(64, 256), lecun(256, 3)

    def forward(self, values):
        return self.head(F.selu(self.bad(values)))


def helper(width):
    return nn.Linear(width, width)
"""


def test_the_finding_that_explains_stands_where_the_layer_is_made(tmp_path: Path) -> None:
    outcome, causes = explain(_run(tmp_path, HELPER, batch=256))
    assert outcome.verdict.first_outside == 1
    assert [(each.code, each.explains) for each in causes] == [("SELU201", True)]
    line = (tmp_path / "net.py").read_text().splitlines()[causes[0].row - 1]
    assert line == "    return nn.Linear(width, width)"


def test_findings_about_activations_that_were_exchanged_are_left_out(tmp_path: Path) -> None:
    body = """
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, values):
        return self.layers(values)


def exchanged():
    net = Net()
    setattr(net.layers, str(len("x")), nn.SELU())
    return net
"""
    path = _write(tmp_path, body)
    assert [each.code for each in explain(verify(Request(f"{path}:Net", **SMALL)))[1]] == ["SELU101"]
    assert explain(verify(Request(f"{path}:exchanged", **SMALL)))[1] == ()


def test_a_repair_reaches_the_files_that_the_target_imports(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    _write(package, HELPER, "parts.py")
    (package / "main.py").write_text("# -*- coding: latin-1 -*-\nfrom .parts import Net  # \xe9\n", encoding="latin-1")
    before = {path: path.read_bytes() for path in package.iterdir()}
    request = Request(f"{package / 'main.py'}:Net", **{**SMALL, "batch": 256})
    outcome = verify(request)
    repaired = repair(outcome)
    assert [Path(path).name for path in repaired.texts] == ["parts.py"] and repaired.fixes == 2
    asked = {name: getattr(request, name) for name in request.__dataclass_fields__} | {"sources": repaired.texts}
    assert not outcome.verdict.normalizing and verify(Request(**asked)).verdict.normalizing
    assert {path: path.read_bytes() for path in package.iterdir()} == before


KERAS = """
import keras
from keras import layers


def dense(units, **more):
    return layers.Dense(units, activation="selu", kernel_initializer="lecun_normal", **more)


class Late(keras.Model):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.drop, self.head = dense(128), dense(128), layers.AlphaDropout(0.05), layers.Dense(3)

    def call(self, values, training=False):
        return self.head(self.drop(self.two(self.one(values)), training=training))


def two():
    words, values = keras.Input((5,), dtype="int32"), keras.Input((32,))
    table = layers.Flatten()(layers.Embedding(40, 16)(words))
    joined = dense(128)(layers.Concatenate()([table, dense(128)(values)]))
    return keras.Model([words, values], layers.Dense(2)(joined))


def wrong():
    rest = [dense(64), layers.Dense(3)]
    return keras.Sequential([keras.Input((64,)), layers.Dense(256, activation="selu"), *rest])
"""


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    path = tmp_path / "nets.py"
    path.write_text(KERAS)
    return path


def test_keras_models_that_are_built_by_their_first_input(keras_file: Path) -> None:
    found = verify(Request(f"{keras_file}:Late", **{**SMALL, "seeds": 2, "batch": 256}))
    assert found.verdict.normalizing and found.shapes == ((256, 64),)
    assert found.dropped is not None
    assert [each.layer.rpartition("/")[2] for each in found.runs[0]] == ["dense", "dense_1"]
    assert found.runs[0][0].variance != found.runs[1][0].variance


def test_keras_models_with_several_inputs(keras_file: Path) -> None:
    found = verify(Request(f"{keras_file}:two", **SMALL))
    assert found.shapes == ((64, 5), (64, 32))
    assert [each.function for each in found.runs[0]] == ["selu", "selu"]


def test_the_line_of_a_keras_layer_explains(keras_file: Path) -> None:
    _, causes = explain(verify(Request(f"{keras_file}:wrong", **SMALL)))
    assert [(each.code, each.explains) for each in causes] == [("SELU201", True)]
    assert 'layers.Dense(256, activation="selu")' in KERAS.splitlines()[causes[0].row - 1]


TF_KERAS = """
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras.layers import Dense
import tensorflow.keras.backend as K


def net():
    first = [tf.keras.Input((64,)), Dense(256, activation="selu", kernel_initializer="lecun_normal")]
    return keras.models.Sequential([*first, tf.keras.layers.Dense(3)])


def more():
    return tf.constant(3)
"""


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_keras_stands_in_for_tensorflows(keras_file: Path) -> None:
    keras_file.write_text(TF_KERAS)
    found = verify(Request(f"{keras_file}:net", **SMALL))
    assert found.verdict.normalizing
    assert found.notes == ("TensorFlow is not installed: Keras on torch stands in for `tf.keras`",)
    with pytest.raises(VerifyError, match="but there is nothing for `tf.constant`"):
        verify(Request(f"{keras_file}:more", **SMALL))
