"""Every command has its help."""

import inspect
import re

import pytest
import typer

import keras_sweep as ks
from keras_sweep import __version__
from keras_sweep.api.edge import keyword_of
from keras_sweep.api.space import CheckedSpace
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
    command = typer.main.get_command(app).commands[name]
    assert command.help and all(getattr(one, "help", "") for one in command.params)


def test_the_list_of_commands_cuts_no_sentence():
    assert "..." not in called(["--help"])[1].split("Commands:")[1]


PARTS = {"open": ks.Sweep, "check": CheckedSpace}  # function -> what it returns, whose method a command calls, too


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_names_its_public_function_whose_keywords_are_its_options(name):
    command = typer.main.get_command(app).commands[name]
    assert command.epilog in " ".join(called([name, "--help"])[1].split())
    first, *methods = re.findall(r"(\w+)\(", command.epilog.removeprefix("In Python: keras_sweep."))
    functions = [getattr(ks, first), *(getattr(PARTS[first], method) for method in methods)]
    keywords = {each for function in functions for each in inspect.signature(function).parameters}
    options = {
        keyword_of(one.name if one.param_type_name == "argument" else one.opts[0].lstrip("-")).split("=")[0]
        for one in command.params
    }
    assert options - keywords <= {"", "format"}  # which of table and JSON is printed
    assert keywords - options - {"self"} <= {"listener", "trust"}  # what only reads a record runs none of its code


def test_the_version_is_printed():
    assert called(["--version"])[:2] == (0, f"keras-sweep {__version__}\n")
