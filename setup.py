"""Make the README for package indexes: they have no other file of the repository, so its links must be absolute."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

SOURCE = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["urls"]["Source"]


def make_absolute(match: re.Match[str]) -> str:
    """Return the start of a link or picture to a file of the repository, followed by the file's address."""
    return f"{match[0]}{SOURCE}/{'raw' if match[1] else 'blob'}/main/"


LINK = re.compile(r"(!?)\[[^\]]*\]\((?![a-z]+:|#)")
README = Path("README.md").read_text("utf-8")
setup(long_description=LINK.sub(make_absolute, README), long_description_content_type="text/markdown")
