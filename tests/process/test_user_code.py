"""Objects of a user's module, and what is said where it can't be had."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from keras_sweep.errors import ModelError, UsageError
from keras_sweep.process.user_code import (
    describe_error,
    describe_user_error,
    forget_edited_modules,
    load_python,
    place_of,
)


def test_loads_a_function_its_neighbours_and_dotted_names(tmp_path: Path) -> None:
    (tmp_path / "package_b").mkdir()
    (tmp_path / "package_b" / "__init__.py").write_text("")
    (tmp_path / "package_b" / "inner.py").write_text("class Builder:\n    size = 4\n")
    (tmp_path / "neighbour_a.py").write_text("VALUE = 3\n")
    (tmp_path / "loads_a.py").write_text("from neighbour_a import VALUE\ndef build():\n    return VALUE\n")
    build = load_python("loads_a:build", tmp_path)
    assert callable(build) and build() == 3
    assert load_python("package_b.inner:Builder.size", tmp_path) == 4
    assert load_python("sklearn.datasets:load_digits", tmp_path).__name__ == "load_digits"  # type: ignore[attr-defined]


def test_two_folders_may_use_one_module_name(tmp_path: Path) -> None:
    for folder, value in (("one", 1), ("two", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name.py").write_text(f"VALUE = {value}\n")
    assert load_python("same_name:VALUE", tmp_path / "one") == 1
    assert load_python("same_name:VALUE", tmp_path / "two") == 2
    assert load_python("same_name:VALUE", tmp_path / "one") == 1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        *((source, "must be `module:function`") for source in ("model", "model:", ":build", "a/b:build", "model:b()")),
        ("nowhere_c:build", r"there is no module 'nowhere_c'.*Put it into"),
        ("near_d:bild_model", r"near_d.py has no `bild_model`. Did you mean `build_model`\?"),
        *(
            (source, r"not a module of Python\. Name a function in a module beside")
            for source in ("os:system", "builtins:exec", "subprocess:run", "os.path:join", "importlib:reload")
        ),
    ],
)
def test_what_names_no_function_of_the_user_is_refused(source: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "near_d.py").write_text("def build_model(): ...\n")
    with pytest.raises(ModelError, match=words):
        load_python(source, tmp_path, ModelError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = 1 / 0\n", r"raises_e_0.py:2: ZeroDivisionError"),
        ("def build(:\n", r"raises_e_1.py:1: SyntaxError"),
        ("\nimport no_such_package_f\n", r"raises_e_2.py:2: ModuleNotFoundError: .*no_such_package_f"),
        ("raise SystemExit(3)\n", r"raises_e_3.py:1: SystemExit: 3"),
    ],
)
def test_an_import_that_raises_names_file_and_line(text: str, said: str, tmp_path: Path) -> None:
    name = said.split(".")[0]
    (tmp_path / f"{name}.py").write_text(text)
    for _ in range(2):  # a failed import is not remembered
        with pytest.raises(UsageError, match=said):
            load_python(f"{name}:build", tmp_path)


def test_a_module_of_the_user_passes_on_nothing_that_python_brings(tmp_path: Path) -> None:
    (tmp_path / "passes_on_g.py").write_text(
        "import functools, os, subprocess\nfrom os import system as build\n"
        "partly = functools.partial(os.system, 'true')\nclass Own:\n    run = staticmethod(subprocess.run)\n"
    )
    for name in ("build", "os.system", "partly", "Own.run", "subprocess.Popen"):
        with pytest.raises(UsageError, match=r"not a function of Python"):
            load_python(f"passes_on_g:{name}", tmp_path)


def test_a_module_of_the_user_may_bear_the_name_of_one_of_python(tmp_path: Path) -> None:
    (tmp_path / "cmd.py").write_text(
        "import functools\ndef build(units):\n    return units\nhalf = functools.partial(build, 2)\n"
        "kept = functools.cache(build)\nclass Maker:\n    def __call__(self):\n        return 3\nmaker = Maker()\n"
    )
    for name in ("build", "half", "kept", "Maker", "maker"):
        assert callable(load_python(f"cmd:{name}", tmp_path))


def test_says_where_code_would_come_from(tmp_path: Path) -> None:
    (tmp_path / "package_h").mkdir()
    (tmp_path / "package_h" / "__init__.py").write_text("raise RuntimeError\n")
    (tmp_path / "module_h.py").write_text("raise RuntimeError\n")
    assert place_of("module_h:build", tmp_path) == str(tmp_path / "module_h.py")
    assert place_of("package_h.inner:build", tmp_path) == str(tmp_path / "package_h" / "__init__.py")
    assert place_of("sklearn.datasets:load_digits", tmp_path).endswith("sklearn/__init__.py")
    assert place_of("nowhere_h:build", tmp_path) == str(tmp_path / "nowhere_h")


def test_an_environment_inside_the_folder_is_not_the_users_code(tmp_path: Path) -> None:
    package = tmp_path / ".venv" / "lib" / "site-packages"
    package.mkdir(parents=True)
    (package / "installed_c.py").write_text("def call():\n    raise ValueError('inside')\n")
    (tmp_path / "user_c.py").write_text("def build(call):\n    call()\n")
    call = load_python("installed_c:call", package)
    build = load_python("user_c:build", tmp_path)
    assert callable(build)
    with pytest.raises(ValueError, match="inside") as caught:
        build(call)
    assert describe_user_error(caught.value, tmp_path) == f"{tmp_path / 'user_c.py'}:2: ValueError: inside"
    assert describe_user_error(caught.value, tmp_path / "elsewhere") == "ValueError: inside"


def test_of_an_error_of_tensorflows_graph_the_reason_is_told_and_no_frame() -> None:
    frames = 'Detected at node m/take defined at (most recent call last):\n  File "a.py", line 5, in <module>\n\n'
    text = "indices[0,1] = 15 is not\nin [0, 3)\n\t [[{{node m/take}}]] [Op:__inf_550]"
    assert (
        describe_error(ValueError(f"Graph execution error:\n\n{frames}{text}"))
        == "ValueError: indices[0,1] = 15 is not in [0, 3)"
    )


def model_files(folder: Path, mark: str) -> Path:
    """A module that imports others of the folder, in several ways; the mark is in their names."""
    package = folder / f"parts_{mark}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("SIZE = 3\n")
    (package / "outer.py").write_text("from . import inner\nclass Kept:\n    pass\n")
    (folder / f"beside_{mark}.py").write_text("def act():\n    return 'relu'\n")
    (folder / f"unused_{mark}.py").write_text("NUMBER = 1\n")
    (folder / f"mine_{mark}.py").write_text(
        f"import numpy\nfrom parts_{mark}.outer import inner\n"
        f"def build():\n    from beside_{mark} import act\n    return act(), inner.SIZE\n"
    )
    return folder


def test_an_edited_module_and_those_that_import_it_are_imported_again_and_no_other(tmp_path: Path) -> None:
    folder, source = model_files(tmp_path, "j"), "mine_j:build"
    former = load_python(source, folder)
    assert callable(former) and former() == ("relu", 3)
    load_python(source, folder)  # notes what was imported by the call
    beside, outer, numpy = (sys.modules[name] for name in ("beside_j", "parts_j.outer", "numpy"))
    (folder / "parts_j" / "inner.py").write_text("SIZE = 4\n")
    (folder / "unused_j.py").write_text("NUMBER = 2\n")
    assert load_python(source, folder) is former  # while a sweep is run
    forget_edited_modules([source], folder)
    build = load_python(source, folder)
    assert callable(build) and build() == ("relu", 4)
    assert former() == ("relu", 3)
    assert sys.modules["parts_j.outer"] is not outer
    assert sys.modules["beside_j"] is beside and sys.modules["numpy"] is numpy
    (folder / "beside_j.py").write_text("# tanh\ndef act():\n    return 'tanh'\n")
    forget_edited_modules([source], folder)
    again = load_python(source, folder)
    assert callable(again) and again() == ("tanh", 4)
    forget_edited_modules([source], folder)
    assert load_python(source, folder) is again


def test_a_comment_is_no_edit(tmp_path: Path) -> None:
    folder, source = model_files(tmp_path, "k"), "mine_k:build"
    build = load_python(source, folder)
    (folder / "mine_k.py").write_text("# a model\n" + (folder / "mine_k.py").read_text())
    forget_edited_modules([source], folder)
    assert load_python(source, folder) is build


def test_a_module_that_was_edited_before_any_sweep_is_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(model_files(tmp_path, "m")))
    beside = import_module("beside_m")
    (tmp_path / "beside_m.py").write_text("def act():\n    return 'tanh'\n")
    forget_edited_modules(["mine_m:build"], tmp_path)
    build = load_python("mine_m:build", tmp_path)
    assert callable(build) and build() == ("tanh", 3)
    assert beside.act() == "relu"
