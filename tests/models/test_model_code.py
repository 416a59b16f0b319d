"""Whether a model's code is the one that trained is told from its source, and none of it runs for that."""

from pathlib import Path

from keras_sweep.models.build import find_changed_code, model_code
from keras_sweep.space.sweep_spec import ModelSpec
from tests.helpers.factory import make_spec


def code_of(folder: Path, source: str = "mine:build") -> dict[str, str]:
    return model_code(make_spec(model=ModelSpec("python", source, {}), folder=folder))


def written(folder: Path) -> Path:
    (folder / "parts" / "deep").mkdir(parents=True)
    (folder / "parts" / "__init__.py").write_text("from . import layers\n")
    (folder / "parts" / "layers.py").write_text("from .deep.inner import SIZE\n")
    (folder / "parts" / "deep" / "__init__.py").write_text("")
    (folder / "parts" / "deep" / "inner.py").write_text("SIZE = 3\n")
    (folder / "later.py").write_text("import mine\n")  # in a circle
    (folder / "unused.py").write_text("raise ValueError\n")
    (folder / "mine.py").write_text(
        "import os, parts\nraise ValueError('nothing runs')\n\ndef build():\n    import later\n    return 1\n"
    )
    return folder


def test_the_module_and_what_it_imports_beside_it_are_in_it(tmp_path: Path) -> None:
    names = ["later.py", "mine.py", "parts/__init__.py", "parts/deep/__init__.py", "parts/deep/inner.py"]
    assert list(code_of(written(tmp_path))) == [*names, "parts/layers.py"]


def test_a_module_of_a_package_is_found(tmp_path: Path) -> None:
    names = ["parts/__init__.py", "parts/deep/__init__.py", "parts/deep/inner.py", "parts/layers.py"]
    assert list(code_of(written(tmp_path), "parts.deep.inner:SIZE")) == names


def test_a_changed_file_is_named_and_comments_do_not_count(tmp_path: Path) -> None:
    folder = written(tmp_path)
    before = code_of(folder)
    (folder / "mine.py").write_text(
        "# a model\n" + (folder / "mine.py").read_text().replace("return 1", "return 1  # one")
    )
    assert find_changed_code(before, code_of(folder)) == []
    (folder / "parts" / "deep" / "inner.py").write_text("SIZE = 4\n")
    assert find_changed_code(before, code_of(folder)) == ["parts/deep/inner.py"]
    (folder / "mine.py").write_text("'# no comment'\n")
    assert "mine.py" in find_changed_code(before, code_of(folder))


def test_where_nothing_was_recorded_nothing_is_said_to_have_changed(tmp_path: Path) -> None:
    for recorded in (None, {}, "text", 3):
        assert find_changed_code(recorded, code_of(written(tmp_path / str(recorded)))) == []
    assert model_code(make_spec()) == {}
    assert code_of(tmp_path, "keras:Sequential") == {}


def test_what_is_no_python_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(b"def build(:\n  \xff")
    assert list(code_of(tmp_path)) == ["mine.py"]
