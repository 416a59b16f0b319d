"""Run the blocks of code of README.md and of the pages under docs/, and compare what they print with the pages.

`python -m tests.helpers.pages PAGE...` writes the `text` block below a block of code again, from what the code prints.
A `text` block whose last line is `...` has the first lines alone. A `text` block that begins with `error:`, `warning:`
or `note:` has what the last command says beside its answer: the error that it must end with, its warnings or its notes.
"""

import gzip
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from keras_sweep.data.image_sets import FASHION_MNIST
from tests.helpers.command import script, sweep
from tests.helpers.records import ROOT

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "\x1e"  # after what a block of Python prints
ROW = re.compile(r"\s*\d+ {2,}\d")
VARYING = {"ms", "min", "KiB", "MiB", "equal"}  # beside numbers that differ from run to run


def blocks(page: Path) -> list[tuple[str, str]]:
    """(kind, text) of each block of code."""
    return BLOCK.findall(page.read_text())


def make_keras_home(home: Path) -> Path:
    """Put the first rows of Fashion-MNIST where Keras's own loader looks before it downloads."""
    cache = home / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    for file in FASHION_MNIST.locate().glob("*.gz"):
        header, row = (16, 28 * 28) if "images" in file.name else (8, 1)  # bytes
        with gzip.open(file) as whole, gzip.open(cache / file.name, "wb") as few:
            few.write(whole.read(header + 2000 * row))
    return home


def run_page(page: Path, folder: Path, keras_home: Path) -> list[tuple[str, str]]:
    """Run a page in a folder: its commands in their order, then its Python as one program.

    The first space file that the page shows is there as `lesson.yaml`, beside the project's `search_spaces/`.

    Returns:
        (text, printed) of each `text` block: what it has, and what the last command above it, or the Python, printed.
    """
    parts = blocks(page)
    shutil.copytree(ROOT / "search_spaces", folder / "search_spaces")
    (folder / "lesson.yaml").write_text("".join([text for kind, text in parts if kind == "yaml"][:1]))
    code = [text for kind, text in parts if kind == "python"]
    commands = [shell_lines(text) if kind == "sh" else [] for kind, text in parts]
    shown = [text if kind == "text" else "" for kind, text in [*parts[1:], ("", "")]]  # below each block
    printed = [run_commands(lines, folder, below) for lines, below in zip(commands, shown, strict=True)]
    (folder / "page.py").write_text(f"\nprint({END!r}, end='')\n".join(code))
    # Keras looks for its home when it is imported, and a process that is spawned for the file of its parent.
    new = any(word in text for word in ("keras.datasets", "LocalCluster") for text in code)
    of_code = iter(script("page.py", cwd=folder, new=new, KERAS_HOME=str(keras_home)).ok().out.split(END))
    printed = [next(of_code) if kind == "python" else text for (kind, _), text in zip(parts, printed, strict=True)]
    return [(text, printed[place - 1]) for place, (kind, text) in enumerate(parts) if kind == "text"]


def run_commands(lines: list[list[str]], folder: Path, shown: str) -> str:
    """Return what the last `sweep` command prints, or what it says beside its answer if the page shows that."""
    ended = [sweep(*line[1:], cwd=folder) for line in lines if line[0] == "sweep"]
    if not ended:
        return ""
    fails = shown.startswith("error:")
    for command in ended[:-1] if fails else ended:
        command.ok()
    said = ended[-1].err.replace(f"{folder.resolve()}/", "").replace(str(folder.resolve()), ".")
    if fails:
        assert ended[-1].code, f"no error: {lines[-1]}"
        return said[said.index("error:") :]
    if kind := re.match("note:|warning:", shown):
        return "".join(line for line in said.splitlines(keepends=True) if line.startswith(kind[0]))
    return ended[-1].out


def shell_lines(text: str) -> list[list[str]]:
    """The words of each command of a block, without comments."""
    return [shlex.split(line, comments=True) for line in text.splitlines()]


def cut(printed: str, like: str) -> str:
    """What a `text` block shows of what was printed: all, or as many lines as the one that ends in `...` has."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    shown = like.splitlines()
    return "\n".join([*lines[: len(shown) - 1], "..."] if shown[-1:] == ["..."] else lines) + "\n"


def words(text: str) -> list[list[str]]:
    """The words of each line, without numbers, units and drawings, which differ from run to run.

    Processors round differently, so that trials change places: rows of a table, values of parameters and what stands in
    parentheses have no words either.
    """
    lines = ("row" if ROW.match(line) else re.sub(r"=\S+|\([^()]*\)", "", line) for line in text.splitlines())
    found = (re.findall(r"[A-Za-z_]{2,}", line) for line in lines)
    return [line[:1] if line[:1] == ["time"] else [word for word in line if word not in VARYING] for line in found]


def main(pages: Iterable[str]) -> None:
    """Write the `text` blocks of the pages again."""
    for page in map(Path, pages):
        with tempfile.TemporaryDirectory() as folder:
            ran = run_page(page, Path(folder), make_keras_home(Path(folder, "keras")))
        text = page.read_text()
        for shown, printed in ran:  # in their order: the blocks before it are written already
            text = text.replace(f"```text\n{shown}```", f"```{END}\n{cut(printed, shown)}```", 1)
        page.write_text(text.replace(f"```{END}", "```text"))


if __name__ == "__main__":
    main(sys.argv[1:])
