"""Every command has its help."""

import re

import pytest
import typer

from keras_sweep import __version__
from keras_sweep.cli.main import app
from tests.helpers.command import called

COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name):
    code, text, _ = called([name, "--help"])
    assert code == 0
    assert f"Usage: sweep {name}" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert not re.search(r"--\S+ <|<list|\[\[", text)  # a placeholder says what is to be given, not its type


def test_the_list_of_commands_cuts_no_sentence():
    assert "..." not in called(["--help"])[1].split("Commands:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name):
    command = typer.main.get_command(app).commands[name]
    assert command.help
    for parameter in command.params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), parameter.name


def test_the_version_is_printed():
    assert called(["--version"])[:2] == (0, f"keras-sweep {__version__}\n")
