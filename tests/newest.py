"""The installed package with the packages beside it, as a user calls it: `make dist` runs this.

It asks for no pytest, and warnings of other packages are none of its faults. Each sweep must end with exit 0 and trials
that are COMPLETE or PRUNED; the exported model must have the scores of its card.
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("jax", "keras", "tensorflow", "keras-tuner", "optuna", "numpy", "scipy", "scikit-learn", "sqlalchemy")
SPACES = {  # name of the sweep -> the words of `sweep run`
    "dense": ["dense.yaml", "--trials", "8"],
    "hyperband": ["hyperband.yaml", "--trials", "8", "--set", "epochs.max=4"],
    "keras_tuner": ["keras_tuner.yaml", "--trials", "4"],
    "folds": ["digits.yaml", "--name", "folds", "--trials", "4", "--set", "split.folds=3"],
    "fit": ["digits.yaml", "--name", "fit", "--trials", "2", "--runner", "fit"],
}


def sweep(*words: str | Path, cwd: Path) -> str:
    """What the command answers. Ends this script where it fails."""
    print("$ sweep", *words, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "keras_sweep", *map(str, words)], cwd=cwd, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nexit {done.returncode}")
    return done.stdout


def main() -> None:
    """Run each of the sweeps, and look at what it leaves."""
    print("Python", sys.version.split()[0], *(f"{name} {version(name)}" for name in PACKAGES), flush=True)
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


if __name__ == "__main__":
    main()
