"""Try the installed package with the newest packages beside it, as a user calls it: `make dist` runs this.

`python tests/newest.py [EXTRA ...]` in an environment that has the package with these extras. It needs no pytest, and
ignores warnings of other packages. Each sweep must end with exit 0 and trials that are COMPLETE or PRUNED; the exported
model must have the scores of its card. A command that needs a missing extra must say how to install the extra.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = set(sys.argv[1:])
MOST_MEGABYTES = 1100  # of the core alone
SPACES = {  # name of the sweep -> the words of `sweep run`
    "dense": ["dense.yaml", "--trials", "8"],
    "hyperband": ["hyperband.yaml", "--trials", "8", "--set", "epochs.max=4"],
    "keras_tuner": ["keras_tuner.yaml", "--trials", "4"],
    "folds": ["digits.yaml", "--name", "folds", "--trials", "4", "--set", "split.folds=3"],
    "fit": ["digits.yaml", "--name", "fit", "--trials", "2", "--runner", "fit"],
}
DIGITS = ROOT / "search_spaces" / "digits.yaml"
NEEDS = [  # extra, a command that needs it
    ("tensorflow", ["run", DIGITS, "--name", "tensorflow", "--trials", "2", "--backend", "tensorflow", "--quiet"]),
    ("savedmodel", ["export", "dense", "--format", "savedmodel", "-o", "dense.savedmodel"]),
    ("torch", ["run", DIGITS, "--name", "torch", "--trials", "2", "--backend", "torch", "--quiet"]),
    ("onnx", ["export", "dense", "--format", "onnx", "-o", "dense.onnx"]),
    ("litert", ["export", "dense", "--format", "litert", "-o", "dense.tflite"]),
    ("mlflow", ["log", "dense", "--to", "mlflow"]),
    ("tensorboard", ["log", "dense", "--to", "tensorboard"]),
    ("wandb", ["log", "dense", "--to", "wandb"]),
]


def sweep(*words: str | Path, cwd: Path, missing: str | None = None) -> str:
    """Return what the command prints. End this script if it fails, or does not ask for the extra that is `missing`."""
    print("$ sweep", *words, flush=True)
    variables = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{cwd}/mlflow.db", "WANDB_MODE": "offline"}
    command = [sys.executable, "-m", "keras_sweep", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    asks = f"pip install 'keras-sweep[{missing}]'" in done.stderr and "Traceback" not in done.stderr
    if done.returncode != (2 if missing else 0) or (missing and not asks):
        sys.exit(f"{done.stdout}\n{done.stderr}\nexit {done.returncode}")
    return done.stderr if missing else done.stdout


def describe_installation() -> None:
    """Print the versions of all packages, and the size of the environment. End this script if the core is too big."""
    site = Path(sysconfig.get_path("purelib"))
    versions = {found.name.lower(): found.version for found in distributions(path=[str(site)])}
    megabytes = sum(path.stat().st_blocks * 512 for path in site.rglob("*") if not path.is_symlink()) // 2**20
    print("Python", sys.version.split()[0], *(f"{name} {version}" for name, version in sorted(versions.items())))
    print(f"keras-sweep[{','.join(sorted(EXTRAS))}]: {len(versions)} packages, {megabytes:,} MB", flush=True)
    if not EXTRAS and megabytes > MOST_MEGABYTES:
        sys.exit(f"the core has more than {MOST_MEGABYTES:,} MB")


def main() -> None:
    """Run each of the sweeps, and look at what it leaves."""
    describe_installation()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for name, (file, *options) in SPACES.items():
            print(sweep("run", ROOT / "search_spaces" / file, *options, "--quiet", cwd=here))
            rows = json.loads(sweep("leaderboard", name, "--format", "json", cwd=here))
            states = sorted(row["state"] for row in rows)
            print(*states, flush=True)
            if not states or not {"COMPLETE", "PRUNED"}.issuperset(states):
                sys.exit(f"trials of {name} failed")
            print(sweep("verify", Path("sweeps", name, "best.keras"), cwd=here), flush=True)
        sweep("show", "dense", "0", cwd=here)
        sweep("report", "dense", cwd=here)
        sweep("replay", "dense", "0", cwd=here)
        sweep("export", "dense", "-o", "model.keras", cwd=here)
        for extra, words in NEEDS:
            print(sweep(*words, cwd=here, missing=None if extra in EXTRAS else extra), flush=True)


if __name__ == "__main__":
    main()
