"""The base of all commands: help with an example and exit codes, errors of one line."""

import signal
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seedwise.cli.words import printable
from seedwise.errors import CodeChanged, SeedwiseError, UnknownName
from seedwise.outputs import write_output

if TYPE_CHECKING:
    from seedwise.study import Study

__all__ = ["Command", "Group", "Terminated", "print_help", "study_with", "write"]

_FREE = "what is stored is kept; free some, or compare fewer runs at a time"
_STOPPED = "stopped; stored runs are kept, and the same command continues"


class Command(click.Command):
    """A command whose help ends with an example and its exit codes.

    Attributes:
        example: Lines to type.
        exits: What each exit code means.
    """

    def __init__(
        self,
        *args: Any,
        example: Sequence[str] = (),
        exits: Mapping[int, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.example, self.exits = example, exits or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take in the arguments; an option with one value that has two is refused."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(list(args))
            for param in dict.fromkeys(order):
                times = order.count(param)
                flag = isinstance(param, click.Option) and (param.is_flag or param.count)
                if times > 1 and not (param.multiple or flag):
                    raise click.UsageError(
                        f"{param.opts[-1]} takes one value, but was given {times} times"
                    )
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the exit codes below the options."""
        with formatter.section("Example" if len(self.example) == 1 else "Examples"):
            for line in self.example:
                formatter.write(f"  {line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in self.exits.items()])


class Group(click.Group):
    """Commands, of which a wrong name gets a suggestion and a fault is one line.

    Whatever is the user's fault ends with exit code 2, a Ctrl-C with 130, a SIGTERM with 143.

    Args:
        args: As of `click.Group`.
        first: Lines to type first, each with what it does.
        settings: As of `click.Group`.
    """

    command_class = Command

    def __init__(self, *args: Any, first: Sequence[tuple[str, str]] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._first = first
        self._sections = dict[str, str]()

    def add_command(
        self, cmd: click.Command, name: str | None = None, *, section: str = "Commands"
    ) -> None:
        """Add a command, which the help lists in a section."""
        super().add_command(cmd, name)
        self._sections[name or cmd.name or ""] = section

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order in which they were added."""
        return list(self.commands)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what to type first, and what it is all about."""
        if self._first:
            with formatter.section("A first study, on any CPU"):
                formatter.write_dl(self._first, col_max=40)
        super().format_help_text(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, section by section."""
        room = formatter.width - 6 - max(map(len, self.commands), default=0)
        for section in dict.fromkeys(self._sections.values()):
            rows = [
                (name, command.get_short_help_str(room))
                for name, command in self.commands.items()
                if self._sections.get(name) == section and not command.hidden
            ]
            with formatter.section(section):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        if self.get_command(ctx, args[0]) is None and args[0][:1].isalnum():
            raise UnknownName("command", args[0], self.commands)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
        """Run, and end the process with the right exit code."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **settings)
        came = list[int]()
        try:
            with _sigterm_raises(came):
                code = super().main(*args, standalone_mode=False, **settings)
        except (click.Abort, KeyboardInterrupt):  # Ray may raise another one in place of ours
            code = _say(_STOPPED, 128 + (came[0] if came else signal.SIGINT))
        except click.ClickException as error:
            code = _say(error.format_message(), 2)
        except CodeChanged as error:
            click.echo("\n".join(map(printable, f"seedwise: {error}".splitlines())), err=True)
            code = 2
        except SeedwiseError as error:
            code = _say(str(error), 2)
        except BrokenPipeError:  # e.g. `seedwise export study.db | head`
            sys.stdout = None
            code = 0
        except MemoryError as error:
            code = _say(f"not enough memory{f': {error}' if str(error) else ''}; {_FREE}", 2)
        except OSError as error:
            code = _say(f"{error.filename or 'reading or writing'}: {error.strerror}", 2)
        sys.exit(code if isinstance(code, int) else 0)


class Terminated(KeyboardInterrupt):
    """SIGTERM has come.

    Ray lets a KeyboardInterrupt out of where a signal may find it, and makes a SystemError of
    another exception.
    """


@contextmanager
def _sigterm_raises(came: list[int]) -> Generator[None]:
    """SIGTERM, put into `came`, ends what is open in good order, as Ctrl-C does, not at once."""

    def end(number: int, _: object) -> None:
        came.append(number)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_help(ctx: click.Context) -> None:
    """Print the help of a group that is called without a command."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _say(message: str, code: int) -> int:
    """Tell the user in one line what is wrong."""
    click.echo(f"seedwise: {printable(' '.join(message.split()))}", err=True)
    return code


def write(output: Path | None, text: str) -> None:
    """Write to the file that a command was given, or else to stdout."""
    if output is None:
        sys.stdout.write(text)
    else:
        write_output(output, text)


def study_with(study: Path, train: str | None, source: Path | None, cache: Path | None) -> "Study":
    """The study; a module that is named as the one that trains is looked for beside it too."""
    from seedwise.study import Study

    if train is not None:  # last, so that a module there hides none that is installed
        sys.path.append(str(study.resolve().parent))
    return Study(study, source=source, cache=cache)
