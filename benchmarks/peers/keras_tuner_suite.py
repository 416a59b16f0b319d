"""Run KerasTuner's own tests of its tuners with the tuners of keras-sweep in their place.

    git clone --branch v1.4.7 https://github.com/keras-team/keras-tuner ~/keras-tuner
    python benchmarks/peers/keras_tuner_suite.py ~/keras-tuner

The tests import `keras_tuner.engine.tuner` and other modules of the sources. In this process these names are modules of
the installed KerasTuner, whose tuner classes are replaced. `--original` replaces no class: it shows which tests
KerasTuner itself passes here. Other options are for pytest: `-k get_best`. The Keras backend is KERAS_BACKEND.
"""

import argparse
import importlib
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

FILES = (
    "engine/tuner_test.py",
    "engine/base_tuner_test.py",
    "engine/hyperparameters/hyperparameters_test.py",
    "tuners/randomsearch_test.py",
    "tuners/gridsearch_test.py",
    "tuners/bayesian_test.py",
    "tuners/hyperband_test.py",
)
# Module of KerasTuner -> its tuner classes -> the class of keras-sweep.
TUNERS = {
    "engine.base_tuner": {"BaseTuner": "Tuner"},
    "engine.tuner": {"Tuner": "Tuner"},
    "tuners.randomsearch": {"RandomSearch": "RandomSearch"},
    "tuners.gridsearch": {"GridSearch": "GridSearch"},
    "tuners.bayesian": {"BayesianOptimization": "BayesianOptimization"},
    "tuners.hyperband": {"Hyperband": "Hyperband"},
}


def name_modules(sources: Path) -> None:
    """Give the modules of the installed KerasTuner the names that the tests import. `test_utils` is of the sources."""
    import keras_tuner

    folder = Path(keras_tuner.__file__).parent / "src"
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not name or {"v3", "v4"} & {*parts} or name == "api_export":
            continue
        module = importlib.import_module(f"keras_tuner.src.{name}")
        sys.modules[f"keras_tuner.{name}"] = module
        parent, _, last = name.rpartition(".")
        home = sys.modules[f"keras_tuner.{parent}"] if parent else keras_tuner
        setattr(home, last, module)
    utils = ModuleType("keras_tuner.test_utils")
    utils.__path__ = [str(sources / "keras_tuner" / "test_utils")]
    sys.modules["keras_tuner.test_utils"] = utils


def replace_tuners() -> None:
    import keras_tuner

    import keras_sweep as ks

    for module, classes in TUNERS.items():
        for old, new in classes.items():
            for home in (sys.modules[f"keras_tuner.{module}"], keras_tuner, keras_tuner.tuners):
                if hasattr(home, old):
                    setattr(home, old, getattr(ks, new))


class Counts:
    """A plugin of pytest that counts the outcomes of each file."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            file, _, name = report.nodeid.partition("::")
            self.outcomes[file][report.outcome].append(name)

    def show(self) -> None:
        total: dict[str, int] = defaultdict(int)
        for file, outcomes in self.outcomes.items():
            for outcome, names in outcomes.items():
                total[outcome] += len(names)
            counts = ", ".join(f"{len(names)} {outcome}" for outcome, names in sorted(outcomes.items()))
            print(f"{file}: {counts}")
            for name in outcomes["failed"]:
                print(f"    failed: {name}")
        print(", ".join(f"{number} {outcome}" for outcome, number in sorted(total.items())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, help="the folder of KerasTuner's sources")
    parser.add_argument("--original", action="store_true", help="with KerasTuner's own tuners")
    options, of_pytest = parser.parse_known_args()
    name_modules(options.sources)
    if not options.original:
        replace_tuners()
    counts = Counts()
    files = [str(options.sources / "keras_tuner" / file) for file in FILES]
    settings = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--import-mode=importlib"]
    pytest.main([*settings, "-W", "ignore", *of_pytest, *files], plugins=[counts])
    counts.show()


if __name__ == "__main__":
    main()
