"""The command line: arguments to settings, files to results, results to a report and an exit code. Only this prints."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from selulint import __version__
from selulint.diagnostic import FAILURES, NOTICES, Severity
from selulint.discover import discover
from selulint.model_commands import graph, migrate
from selulint.report import Report, render
from selulint.run import FileResult, WriteError, lint, lint_bytes, plan, write
from selulint.settings import OPTIONS, OUTPUT_FORMATS, Settings, SettingsError, resolve, restrictions, unknown_selector
from selulint.terminal import CLEAN, FAILURE, FINDINGS, colored, complain, diff, interruptible, to_file
from selulint.verify_command import verify

INTERRUPTED = 130
# A progress bar appears only on runs that have lasted this long and have this many files to go.
PATIENCE_SECONDS = 1.0
MANY_FILES = 20


class CheckByDefault(click.Group):
    """A group that reads arguments which do not start with the name of a command as those of `check`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, "--help", "-h", "--version"}
        return super().parse_args(ctx, args if args and args[0] in known else ["check", *args])


@click.group(cls=CheckByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="selulint", message="%(prog)s %(version)s")
def app() -> None:
    """Find and fix what keeps a neural network from being self-normalizing.

    Without a command, `check` is run: `selulint --fix src/`.
    """


def _listed(ctx: click.Context, parameter: click.Parameter, value: Sequence[str]) -> list[str] | None:
    """The parts of all values; None where the option is not given, which is not the same as an empty list."""
    parts = [part.strip() for each in value for part in each.split(",") if part.strip()]
    return parts if value else None


def _per_file(ctx: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, list[str]] | None:
    table: dict[str, list[str]] = {}
    for part in _listed(ctx, parameter, value) or ():
        pattern, colon, rule = part.rpartition(":")
        if not colon:
            raise click.BadParameter(f"`{part}` is not of the form PATTERN:RULE")
        table.setdefault(pattern, []).append(rule)
    return table or None


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _rules_option(name: str, text: str) -> Decorator:
    return click.option(name, multiple=True, metavar="RULES", callback=_listed, help=text)


def _globs_option(name: str, text: str) -> Decorator:
    return click.option(name, multiple=True, metavar="PATTERNS", callback=_listed, help=text)


def _switch(names: str, text: str) -> Decorator:
    return click.option(names, default=None, help=text)


CHECK_OPTIONS: tuple[Decorator, ...] = (
    click.argument("paths", nargs=-1, type=click.Path(readable=False)),
    _switch("--fix/--no-fix", "Apply safe fixes."),
    _switch("--unsafe-fixes/--no-unsafe-fixes", "With --fix or --diff: apply unsafe fixes too."),
    click.option("--diff", is_flag=True, help="Show what --fix would change, write nothing."),
    _rules_option("--select", "Rules to run: names, codes, prefixes of codes or ALL, separated by commas."),
    _rules_option("--extend-select", "Rules to run besides the selected ones."),
    _rules_option("--ignore", "Rules not to run."),
    _rules_option("--fixable", "Rules whose fixes may be applied."),
    _rules_option("--unfixable", "Rules whose fixes may not be applied."),
    click.option(
        "--per-file-ignores",
        multiple=True,
        metavar="PATTERN:RULE",
        callback=_per_file,
        help="Rules that do not report in some files.",
    ),
    _globs_option("--exclude", "Paths not to look into, in .gitignore syntax, in place of the default ones."),
    _globs_option("--extend-exclude", "Paths not to look into besides the excluded ones."),
    _switch("--force-exclude/--no-force-exclude", "Exclude files even where they are named."),
    _switch("--respect-gitignore/--no-respect-gitignore", "Leave out what git ignores (the default)."),
    click.option("--output-format", type=click.Choice(OUTPUT_FORMATS), help="How to report."),
    click.option("--output-file", metavar="FILE", help="Write the report to a file."),
    click.option("--show-unknown", is_flag=True, help="Note every operation that is not understood."),
    click.option("--statistics", is_flag=True, help="Report counts by rule."),
    click.option("--exit-zero", is_flag=True, help="Exit 0 even where there are findings."),
    click.option("--config", metavar="FILE", help="A pyproject.toml or selulint.toml to use."),
    click.option("--isolated", is_flag=True, help="Use no configuration file."),
    click.option("--stdin-filename", metavar="PATH", help="The name of what is read from stdin (path -)."),
    click.option("--show-files", is_flag=True, help="List the files that would be checked."),
    click.option("--show-settings", is_flag=True, help="Show the settings in force."),
    click.option("--jobs", "-j", type=click.IntRange(min=0), help="Processes to use; 0 is one for each core."),
)


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(CHECK_OPTIONS):
        command = option(command)
    return command


@app.command()
@_with_options
def check(paths: tuple[str, ...], **options: Any) -> int:
    """Lint files and directories (by default the current one), and fix them with --fix.

    PATH::NAME restricts a file to one model.

    Exits 0 where all is well, 1 where there are warnings or errors (with --diff: changes), 2 where something could not
    be done. `-` as the path reads stdin.
    """
    given = {name.replace("_", "-"): value for name, value in options.items() if value is not None}
    named = {key: value for key, value in given.items() if key in OPTIONS or key in ("diff", "show-unknown")}
    stdin = paths == ("-",)
    if "-" in paths and not stdin:
        raise click.UsageError("stdin (-) cannot be combined with other paths")
    given_paths, only = restrictions(paths)
    places = ([options["stdin_filename"]] if options["stdin_filename"] else []) if stdin else given_paths or ["."]
    settings = replace(resolve(places, named, options["config"], options["isolated"]), only=only)
    if options["show_settings"]:
        return _show_settings(settings)
    if stdin:
        return _check_stdin(options["stdin_filename"] or "-", settings, options)
    found = discover(places, settings.exclude, settings.force_exclude, settings.respect_gitignore)
    for problem in found.problems:
        complain(f"{problem.path}: {problem.reason}")
    if options["show_files"]:
        click.echo("".join(f"{path}\n" for path in found.files), nl=False)
        return FAILURE if found.problems else CLEAN
    return _check_files(found.files, settings, options, complete=not found.problems)


def _check_files(files: Sequence[str], settings: Settings, options: dict[str, Any], complete: bool) -> int:
    results, begun = [], list[FileResult]()
    tasks = plan(files)
    with interruptible(begun, len(tasks)) if settings.fix and not settings.diff else contextlib.nullcontext():
        for result in _with_progress(lint(tasks, settings), len(tasks)):
            if result.after is not None and not settings.diff:
                begun.append(result)
                try:
                    write(result)
                except WriteError as error:
                    complain(f"{result.path}: {error}")
                    complete = False
                    assert result.before is not None
                    result = lint_bytes(result.path, result.before, replace(settings, fix=False))
            results.append(result)
    return _finish(results, settings, options, complete)


def _check_stdin(path: str, settings: Settings, options: dict[str, Any]) -> int:
    data = sys.stdin.buffer.read()
    if settings.force_exclude and any(globs.matches(path) for globs in settings.exclude):
        result = FileResult(path)
    else:
        result = lint_bytes(path, data, settings)
    if settings.fix and not settings.diff:
        sys.stdout.buffer.write(data if result.after is None else result.after)
        sys.stdout.buffer.flush()
    return _finish([result], settings, options, complete=True, stdin=True)


def _finish(
    results: Sequence[FileResult], settings: Settings, options: dict[str, Any], complete: bool, stdin: bool = False
) -> int:
    """Report, and say with what the process exits."""
    complete = complete and not any(result.failed for result in results)
    if settings.diff:
        return _show_diff(results, complete)
    entries = tuple((diagnostic, result.source) for result in results for diagnostic in result.diagnostics)
    changed = [result for result in results if result.after is not None]
    fixed = sum(len(result.fixed) for result in changed)
    to_stderr = stdin and settings.fix
    color = options["output_file"] is None and colored(sys.stderr if to_stderr else sys.stdout)
    report = Report(entries, fixed, len(changed), complete, color, settings.fix)
    if options["statistics"]:
        _complain_of_failures(results)
    pieces = render(report, settings.output_format, options["statistics"])
    if options["output_file"] is None:
        click.echo("".join(pieces), nl=False, err=to_stderr, color=color)
    elif any(_same_file(options["output_file"], result.path) for result in results):
        complain(f"{options['output_file']}: is one of the checked files; the report is not written over it")
        complete = False
    elif not to_file(options["output_file"], pieces):
        complete = False
    if not complete:
        return FAILURE
    return FINDINGS if not options["exit_zero"] and any(result.faulty for result in results) else CLEAN


def _same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _show_diff(results: Sequence[FileResult], complete: bool) -> int:
    changed = [result for result in results if result.after is not None]
    for result in changed:
        click.echo("".join(diff(result)), nl=False)
    _complain_of_failures(results)
    if changed:
        fixed = sum(len(result.fixed) for result in changed)
        click.echo(f"Would fix {fixed} finding{'s' * (fixed != 1)} in {len(changed)} file(s).", err=True)
    for result in results:
        for each in result.diagnostics:
            if each.refused and each.span is not None and result.source is not None:
                place = result.source.place(each.span.start)
                click.echo(f"{result.path}:{place}: {each.code} not fixed: {each.refused}", err=True)
    return FAILURE if not complete else FINDINGS if changed else CLEAN


def _complain_of_failures(results: Sequence[FileResult]) -> None:
    """Where the report does not show diagnostics one by one, what could not be done is still said."""
    for result in results:
        for diagnostic in result.diagnostics:
            if diagnostic.code in FAILURES:
                place = result.path
                if diagnostic.span is not None and result.source is not None:
                    place += f":{result.source.place(diagnostic.span.start)}"
                complain(f"{place}: {diagnostic.name}: {diagnostic.message}")


def _with_progress(results: Iterator[FileResult], total: int) -> Iterator[FileResult]:
    """The results as they come, with a bar on stderr where that is a terminal and the run turns out to be long."""
    if not sys.stderr.isatty():
        yield from results
        return
    began, done = time.monotonic(), 0
    for result in results:
        done += 1
        yield result
        if time.monotonic() - began > PATIENCE_SECONDS and total - done > MANY_FILES:
            break
    if done < total:
        with click.progressbar(results, total, label="Checking", file=sys.stderr) as bar:
            bar.update(done)
            yield from bar


def _show_settings(settings: Settings) -> int:
    click.echo(f"# from {settings.source or 'the defaults and the command line'}")
    for key in OPTIONS:
        if hasattr(settings, field := key.replace("-", "_")):
            click.echo(f"{key} = {_value(getattr(settings, field))}")
    return CLEAN


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, Severity):
        return value.name.lower()
    if hasattr(value, "patterns"):
        return f"{value.root}: {_value(value.patterns)}"
    return "default" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@app.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Document all rules.")
def rule(name: str | None, everything: bool) -> int:
    """Document a rule, given by name or code; without one, list the rules."""
    from selulint.rules import all_rules

    own = [(each.code, each.name, each.severity, True, each.summary, "") for each in NOTICES]
    rules = [(each.code, each.name, each.severity, each.default, each.summary, each.doc) for each in all_rules()] + own
    if name is None and not everything:
        width = max(len(row[1]) for row in rules)
        for code, title, severity, default, summary, _ in rules:
            optional = "" if default else " (opt-in)"
            click.echo(f"{code}  {title:<{width}}  {severity.name.lower():<7}  {summary}{optional}")
        return CLEAN
    chosen = [row for row in rules if everything or name in (row[0], row[1])]
    if not chosen:
        raise SettingsError(unknown_selector(str(name)) or f"`{name}` names more than one rule")
    for index, (code, title, severity, default, summary, doc) in enumerate(chosen):
        kind = severity.name.lower() + ("" if default else ", opt-in")
        click.echo(f"{chr(10) * bool(index)}# {title} ({code}, {kind})\n\n{doc or summary}")
    return CLEAN


app.add_command(graph)
app.add_command(migrate)
app.add_command(verify)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit: 0, 1, 2, or 130 on an interrupt."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    gc.disable()  # `run` collects garbage between files; to look for it once more at the end takes a tenth of a long run
    try:
        code = _run(arguments)
    finally:
        gc.freeze()
        gc.enable()
    sys.exit(code)


def _unwritable(error: OSError) -> int:
    """The report cannot be written (a full disk, a closed stream): say so, as far as that can be said."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        complain(f"the report cannot be written: {(error.strerror or str(error)).lower()}")
    # What could not be written now cannot be at the interpreter's end either.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILURE


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app.main(arguments, prog_name="selulint", standalone_mode=False)
        sys.stdout.flush()
        return int(code or CLEAN)
    except SettingsError as error:
        complain(str(error))
    except click.ClickException as error:
        error.show()
    except click.Abort:
        return INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            return _unwritable(error)
        # What reads us has gone (click exits 1 where it notices first); else the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS
    return FAILURE
