"""Count what a machine can count of how this project writes: `python tests/language.py [--list]`.

`make lint` runs it. It fails where a count is above its limit. A limit only goes down. `--list` prints every place.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SRC = sorted((ROOT / "src").rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Words that point at something instead of naming it, and old words for `resume`, `skip`, `fix`, `again`, `has`, `is`.
BANNED = re.compile(
    r"\b(that of|those|of which|such|the same of|its like|so many|as many|each of what|(?:go(?:es|ing)?|went) on|"
    r"pass(?:es|ed|ing)? over|mend(?:s|ed|ing)?|anew|bears?|bore|stands?|stood|(?:c[oa]mes?|coming) out|"
    r"foretells?|foretold|tak(?:es?|en|ing) up|sets? against|hangs? on|as yet)\b",
    re.IGNORECASE,
)
IRREGULAR = re.compile(
    "begun|bound|brought|built|chosen|drawn|found|given|gone|got|grown|heard|held|hidden|kept|known|led|left|lost|made|"
    "met|of|said|seen|sent|shown|spent|taken|thrown|told|won|worn|written"
)
OUTPUT = re.compile(r"^```text[\s\S]*?^```$", re.MULTILINE)
PREDICATES = ("is_", "has_", "can_", "needs_", "was_")
LIMITS = {
    "`one` in src": 60,
    "banned words": 20,
    "functions named by participles": 18,
    "words of a sentence of the docs, on average": 12.0,
    "percent of the docs' sentences over 30 words": 0.5,
    "pages over 1,000 words": 0,
}


def main() -> int:
    """Print each count beside its limit; returns 1 if one is above."""
    sentences = [sentence for page in PAGES for sentence in read_sentences(page.read_text())]
    lengths = [len(sentence.split()) for sentence in sentences]
    places = {
        "`one` in src": list(find(re.compile(r"\bone\b"), SRC)),
        "banned words": list(find(BANNED, [*SRC, *PAGES])),
        "functions named by participles": list(find_participles()),
        "percent of the docs' sentences over 30 words": [text for text in sentences if len(text.split()) > 30],
        "pages over 1,000 words": [str(page) for page in PAGES if len(OUTPUT.sub("", page.read_text()).split()) > 1000],
    }
    counts: dict[str, float] = {name: len(found) for name, found in places.items()}
    counts["words of a sentence of the docs, on average"] = round(statistics.mean(lengths), 1)
    counts["percent of the docs' sentences over 30 words"] *= 100 / len(sentences)
    for name, limit in LIMITS.items():
        print(f"{counts[name]:7.4g} of at most {limit:6g}  {name}")
        if "--list" in sys.argv:
            print(*places.get(name, []), sep="\n")
    return int(any(counts[name] > limit for name, limit in LIMITS.items()))


def find(pattern: re.Pattern[str], paths: list[Path]) -> Iterator[str]:
    """Yield "file:line: match" of each match."""
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield from (f"{path.relative_to(ROOT)}:{number}: {match[0]}" for match in pattern.finditer(line))


def find_participles() -> Iterator[str]:
    """Yield "file:line: name" of each function of src whose first word is a participle, or `of`."""
    for path in SRC:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
                name = node.name.strip("_")
                if not name.startswith(("test_", *PREDICATES)) and is_participle(name.split("_")[0]):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"


def is_participle(word: str) -> bool:
    """Tell `joined`, `kept` and `of` from `seed` and `need`."""
    return bool(IRREGULAR.fullmatch(word)) or (
        word.endswith("ed") and not word.endswith(("eed", "embed")) and len(word) > 3
    )


def read_sentences(page: str) -> Iterator[str]:
    """Yield the sentences of a page's paragraphs and lists, without code, tables and headings."""
    prose = re.sub(r"^```[\s\S]*?^```$|^[|#<!:].*$|^ {4}.*$", "\n", page, flags=re.MULTILINE)
    prose = re.sub(r"`[^`]*`", "code", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose))
    for paragraph in re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", prose):
        yield from (text for text in re.split(r"(?<=[.!?:])\s+", " ".join(paragraph.split())) if len(text.split()) > 2)


if __name__ == "__main__":
    sys.exit(main())
