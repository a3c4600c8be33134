"""The command that looks at single models: `graph` shows what is understood of them."""

from __future__ import annotations

import os

import click

from selulint.run import ModelsError, models_in
from selulint.terminal import CLEAN, FAILURE, complain, to_file


@click.command()
@click.argument("target")
@click.option(
    "--output-format", type=click.Choice(("text", "json", "dot", "svg")), default="text", help="How to show it."
)
@click.option("--output-file", metavar="FILE", help="Write it to a file.")
def graph(target: str, output_format: str, output_file: str | None) -> int:
    """Show what is understood of the models in FILE, or in FILE:NAME of one class or function: op by op, with the gain
    of each initialiser, and what is not understood and why.

    Exits 2 where the file cannot be read or parsed, or holds no such model.
    """
    from selulint.report.graphs import FORMATS

    path, _, name = (target, "", "") if os.path.exists(target) else target.rpartition(":")
    try:
        models = models_in(path or target, parts=bool(name))
    except ModelsError as error:
        complain(str(error))
        return FAILURE
    shown = [model for model in models if not name or name in (model.name, model.name.partition(".")[0])]
    if not shown:
        names = ", ".join(dict.fromkeys(model.name for model in models))
        found = f"it has {names}" if names else "there are none that hold an activation or dropout"
        complain(f"{path or target}: no model{f' called `{name}`' * bool(name)}: {found}")
        return FAILURE
    pieces = FORMATS[output_format](shown)
    if output_file is not None:
        return CLEAN if to_file(output_file, pieces) else FAILURE
    for piece in pieces:
        click.echo(piece, nl=False)
    return CLEAN
