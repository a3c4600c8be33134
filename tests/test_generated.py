"""Proof by execution: generated model files are fixed, imported and run, and every SELU is measured.

150 models in the ordinary run; $SELULINT_GENERATED says how many, for a long one.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")
pytest.importorskip("keras")

from generated_models import Plan, plans, written  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from test_execution import Selus  # noqa: E402

from selulint.run import lint_bytes  # noqa: E402
from selulint.settings import Settings  # noqa: E402

EXAMPLES = int(os.environ.get("SELULINT_GENERATED", "150"))
ROWS, DRAWS = 512, 2
MEAN_TOLERANCE, VARIANCE_RANGE = 0.1, (0.8, 1.5)


def _fixed(data: bytes, unsafe: bool) -> bytes:
    result = lint_bytes("generated.py", data, Settings(fix=True, unsafe_fixes=unsafe))
    assert not result.failed, [each.message for each in result.diagnostics]
    return data if result.after is None else result.after


def _built(data: bytes, seed: int) -> Any:
    torch.manual_seed(seed)
    if b"keras" in data:
        import keras

        keras.utils.set_random_seed(seed)
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(data, "generated.py", "exec"), namespace)
    return namespace["build"]()


def _run(plan: Plan, model: Any, training: bool, seed: int = 0) -> list[tuple[float, float]]:
    rows = torch.randn(ROWS, plan.widths[0], generator=torch.Generator().manual_seed(1_000 + seed))
    selus = Selus()
    with torch.no_grad(), selus:
        out = model(rows, training=training) if plan.framework == "keras" else model.train(training)(rows)
    assert tuple(out.shape) == (ROWS, 10)
    return selus.statistics


def _check_weights(plan: Plan, old: Any, new: Any) -> None:
    if plan.framework == "torch":
        new.load_state_dict(old.state_dict(), strict=True)
        return
    _run(plan, old, False), _run(plan, new, False)
    new.set_weights(old.get_weights())


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_a_generated_model_runs_and_normalizes_after_its_fixes(plan: Plan) -> None:
    data = written(plan).encode()
    safe = _fixed(data, unsafe=False)
    if safe != data:
        _check_weights(plan, _built(data, 7), _built(safe, 8))
    after = _fixed(data, unsafe=True)
    assert _fixed(after, unsafe=True) == after, "a second run changes the file again"
    result = lint_bytes("generated.py", after, Settings())
    models = [_built(after, seed) for seed in range(DRAWS)]
    for training in (True, False):
        runs = [_run(plan, model, training, seed) for seed, model in enumerate(models)]
        if any(each.refused for each in result.diagnostics):
            continue  # said, with a reason, and left as it was
        assert not result.faulty, [each.message for each in result.diagnostics]
        assert runs[0], "there is no SELU in it"
        for place in zip(*runs, strict=True):
            mean, variance = (sum(each[i] for each in place) / DRAWS for i in (0, 1))
            assert abs(mean) <= MEAN_TOLERANCE and VARIANCE_RANGE[0] <= variance <= VARIANCE_RANGE[1], (mean, variance)
