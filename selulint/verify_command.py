"""`selulint verify`: run a model, measure it, say what the linter knows of it, report. The process it runs in is a child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from selulint import __version__
from selulint.terminal import CLEAN, FAILURE, FINDINGS, complain, to_file

if TYPE_CHECKING:
    from selulint.report.verify_page import Part


@click.command()
@click.argument("target")
@click.option("--args", "arguments", metavar="JSON", help="Arguments of the class or function: a JSON list or object.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="Shape of an input, batch first: 64x784, 64x16:int64, mask=64x16. Once for each of several inputs.",
)
@click.option("--input-dtype", default="", help="Dtype of inputs that name none (default: that of the weights).")
@click.option("--data", default="", metavar="FILE", help="Inputs to use: a .npy, .npz or .pt file.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Draws of weights and inputs.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=256, show_default=True, help="Samples; halved where memory ends."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--dtype", type=click.Choice(("float32", "bf16", "fp16")), default="float32", show_default=True)
@click.option(
    "--train/--eval", default=False, help="Run as in training (dropout, batch statistics) or not (the default)."
)
@click.option("--timeout", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds to wait.")
@click.option("--compare", is_flag=True, help="Run it also as --fix --unsafe-fixes would make it; writes no file.")
@click.option("--output-format", type=click.Choice(("text", "json")), default="text", help="How to report.")
@click.option("--output-file", metavar="FILE", help="Write the report to a file.")
@click.option("--html", metavar="FILE", help="Write a report with charts to a file.")
@click.option("--png", metavar="FILE", help="Write the charts to a picture (needs matplotlib).")
def verify(
    target: str,
    arguments: str | None,
    compare: bool,
    output_format: str,
    output_file: str | None,
    html: str | None,
    png: str | None,
    **options: Any,
) -> int:
    """Run a model and measure whether it is self-normalizing. This executes the model's code, in a process of its own.

    TARGET is path/file.py:Name or package.module:name: a class, a function that builds a model, or a model (PyTorch, or
    Keras on torch). Exits 0 where it is self-normalizing, 1 where it is not, 2 where it could not be run.
    """
    import json

    from selulint.expect import with_expected
    from selulint.explain import explain, repair
    from selulint.report.verify_page import Part
    from selulint.verify.parent import Request, VerifyError
    from selulint.verify.parent import verify as run

    try:
        request = Request(target, None if arguments is None else json.loads(arguments), **options)
    except ValueError as error:
        complain(f"--args is no JSON: {error}")
        return FAILURE
    try:
        outcome = run(request)
        if arguments is None and not request.data and outcome.files:
            # What the source says holds for default arguments and standard normal inputs.
            outcome = with_expected(outcome, outcome.files[0], target.rpartition(":")[2])
        outcome, causes = explain(outcome)
        parts = [Part("", outcome, causes)]
        fixes = 0
        if compare:
            repaired = repair(outcome)
            fixes = repaired.fixes
            if repaired.texts:
                after = run(replace(request, sources=repaired.texts))
                parts = [
                    Part("as written", outcome, causes),
                    Part("fixed", after, (), f"by {fixes} fix{'es' * (fixes != 1)} (--fix --unsafe-fixes)"),
                ]
            else:
                complain(f"{target}: no fix changes its code, so there is nothing to compare")
    except VerifyError as error:
        complain(str(error))
        return FAILURE
    written = _report(parts, fixes, output_format, output_file) and _pictures(parts, html, png)
    if not written:
        return FAILURE
    return CLEAN if outcome.verdict.normalizing else FINDINGS


def _report(parts: list[Part], fixes: int, output_format: str, output_file: str | None) -> bool:
    pieces = _pieces(parts, fixes, output_format == "json")
    if output_file is not None:
        return to_file(output_file, pieces)
    click.echo("".join(pieces), nl=False)
    return True


def _pieces(parts: list[Part], fixes: int, as_json: bool) -> Iterator[str]:
    from selulint.report import measurements

    first = parts[0]
    if len(parts) == 1:
        return (measurements.objects if as_json else measurements.text)(first.outcome, first.causes)
    of_two = measurements.objects_of_two if as_json else measurements.text_of_two
    return of_two(first.outcome, parts[1].outcome, first.causes, fixes)


def _pictures(parts: list[Part], html: str | None, png: str | None) -> bool:
    from selulint.report.verify_page import page

    done = html is None or to_file(html, page(parts, f"selulint {__version__}"))
    if png is not None:
        from selulint.report.verify_figure import FigureError, figure

        try:
            figure(parts, png)
        except FigureError as error:
            complain(str(error))
            return False
    return done
