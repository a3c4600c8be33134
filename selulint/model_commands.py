"""The command that looks at single models: `graph` shows what is understood of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import click

from selulint.diagnostic import FAILURES
from selulint.discover import discover
from selulint.run import FileResult, ModelsError, WriteError, lint, models_in, models_of_text, plan, write
from selulint.settings import Settings, resolve, restrictions
from selulint.terminal import CLEAN, FAILURE, FINDINGS, complain, diff, interruptible, to_file


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


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--apply", "apply", is_flag=True, help="Write the changes.")
@click.option("--unsafe-fixes", is_flag=True, help="Make the unsafe changes too.")
@click.option("--output-format", type=click.Choice(("text", "json")), default="text", help="How to report.")
@click.option("--config", metavar="FILE", help="A pyproject.toml or selulint.toml to use.")
@click.option("--isolated", is_flag=True, help="Use no configuration file.")
def migrate(
    paths: tuple[str, ...], apply: bool, unsafe_fixes: bool, output_format: str, config: str, isolated: bool
) -> int:
    """Show what --fix makes of each model in PATHS, or in PATH::NAME of one: predicted mean and variance by layer before
    and after, what is unsafe or refused and why, and the diff; with --apply, write it.

    Exits 0 where all is well, 1 where something is held back, refused or not yet written, 2 where something could not be
    done.
    """
    files, only = restrictions(paths)
    given = {"fix": True, "unsafe-fixes": True} if unsafe_fixes else {"fix": True}
    settings = replace(resolve(files, given, config, isolated), only=only)
    found = discover(files, settings.exclude, settings.force_exclude, settings.respect_gitignore)
    for problem in found.problems:
        complain(f"{problem.path}: {problem.reason}")
    results = list(lint(plan(found.files), settings))
    open_ends = _show_migrations(results, settings, output_format)
    failed = bool(found.problems) | any(result.failed for result in results)
    if apply:
        failed |= not _write_all(results)
    waiting = not apply and any(result.after is not None for result in results)
    return FAILURE if failed else FINDINGS if waiting or open_ends else CLEAN


def _show_migrations(results: Sequence[FileResult], settings: Settings, output_format: str) -> bool:
    """Print what becomes of every model; whether something is held back or refused."""
    from selulint.migrate import migrations
    from selulint.report import migrations as report

    objects, open_ends = [], False
    for result in results:
        for each in result.diagnostics:
            if each.code in FAILURES:
                complain(f"{result.path}: {each.name}: {each.message}")
        if result.failed:
            continue
        if not result.diagnostics and result.after is None:
            continue
        try:
            before = models_in(result.path) if result.before is None else models_of_text(result.path, result.before)
            after = before if result.after is None else models_of_text(result.path, result.after)
        except ModelsError as error:
            complain(str(error))
            continue
        found = list(migrations(result, before, after, settings))
        open_ends |= any(each.held or each.refused for each in found)
        if output_format == "json":
            objects += report.objects(result.path, found, result.source)
            continue
        click.echo("".join(report.text(result.path, found, result.source)), nl=False)
        if result.after is not None:
            click.echo("".join(diff(result)))
    if output_format == "json":
        click.echo(report.dumped(objects), nl=False)
    return open_ends


def _write_all(results: Sequence[FileResult]) -> bool:
    """Write the changed files; whether all of them could be."""
    done = 0
    changed = [result for result in results if result.after is not None]
    with interruptible(changed, len(changed)):
        for result in changed:
            try:
                write(result)
                done += 1
            except WriteError as error:
                complain(f"{result.path}: {error}")
    click.echo(f"Migrated {done} of {len(changed)} file{'s' * (len(changed) != 1)}.", err=True)
    return done == len(changed)
