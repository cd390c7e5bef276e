"""Commands as a test gives them, in this process."""

from click.testing import CliRunner

from seedwise.cli import cli


def seedwise(*words, code=0):
    """Output of a command, on one line; a refusal must be one."""
    result = CliRunner().invoke(cli, list(map(str, words)), env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    assert code != 2 or result.output.count("\n") == 1
    return " ".join(result.output.split())
