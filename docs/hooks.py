"""Pages that are made from the project itself when the site is built: the README, the references, the examples."""

from __future__ import annotations

import re
from pathlib import Path

import command_page
import errors_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from space_file_page import SpaceFilePage

ROOT = Path(__file__).parents[1]
PAGES = {  # files of the repository -> their pages
    "README.md": "index.md",
    "SECURITY.md": "about/security.md",
    "CHANGELOG.md": "about/changes.md",
    "ARCHITECTURE.md": "about/architecture.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "sweeps/README.md": "reference/sweep-folder.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and the pictures that they show."""
    made = {page: page_of(ROOT / source, page) for source, page in PAGES.items()}
    made["reference/space-file.md"] = SpaceFilePage().make()
    made["reference/commands.md"] = command_page.make_page()
    made["reference/errors.md"] = errors_page.make_page()
    made["reference/examples.md"] = examples_page()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    pictures = [path for path in (ROOT / "reports" / "dense").iterdir() if path.suffix in (".svg", ".png")]
    for picture in sorted(pictures):
        files.append(File.generated(config, f"reports/dense/{picture.name}", abs_src_path=str(picture)))
    return files


def page_of(source: Path, page: str) -> str:
    """A file of the repository as a page: its links lead to pages where there are such, else they are only text."""
    folder = source.parent.relative_to(ROOT)
    up = "../" * page.count("/")

    def turned(match: re.Match[str]) -> str:
        mark, text, target, anchor = match[1], match[2], match[3], match[4] or ""
        if "://" in target:
            return match[0]
        place = (folder / target).as_posix()
        if mark:
            return f"![{text}]({up}{place.removeprefix('docs/')})"
        if place in PAGES:
            return f"[{text}]({up}{PAGES[place]}{anchor})"
        if place.startswith("docs/"):
            return f"[{text}]({up}{place.removeprefix('docs/')}{anchor})"
        if place.startswith("search_spaces/") and place.endswith(".yaml"):
            return f"[{text}]({up}reference/examples.md#{Path(place).stem.replace('_', '-')})"
        return text

    return LINK.sub(turned, source.read_text())


def examples_page() -> str:
    """Every space file of the repository, as it stands there."""
    parts = ["# Example space files", "Each runs as it is: `sweep run search_spaces/NAME.yaml`."]
    for path in sorted((ROOT / "search_spaces").glob("*.yaml")):
        parts += [f"## {path.stem} {{: #{path.stem.replace('_', '-')} }}", f"```yaml\n{path.read_text().strip()}\n```"]
    return "\n\n".join(parts) + "\n"
