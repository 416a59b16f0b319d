"""From 16 to 64 lanes, training a trial-epoch takes at most twice the time of its matrix products alone.

    python benchmarks/lanes.py [--quick] [--optimizers adam all ...] [--cores 1 2] [--device gpu] [--plot FILE]

One epoch of the dense model on Fashion-MNIST (48,000 rows, batch 32) by the compiled programs of a sweep, against the
number of lanes, on one core and with one program on each of two. Beside it the products of the same lanes alone,
[32, 784] x [784, 10 T] and its gradient [10 T, 32] x [32, 784], by the faster of NumPy's BLAS and XLA. "all" is the
program that a sweep of all three optimizers uses: every lane may have any of them.

Printout (2026-11-25, two shared cores of an AMD EPYC, nothing else running): ms a trial-epoch (times the products)

    1 core                                                                 products  GFLOP/s  validation
    lanes         sgd      rmsprop        adam         all                    alone
      1    31.5 (2.4)   34.3 (2.6)  34.9 (2.7)  33.5 (2.6)                    13.09      115         4.4
      2    19.7 (2.2)   22.7 (2.6)  23.2 (2.6)  23.6 (2.7)                     8.79      171         2.6
      4    15.8 (1.6)   18.6 (1.9)  19.9 (2.0)  20.1 (2.0)                    10.03      150         1.8
      8    14.6 (1.6)   17.5 (1.9)  17.9 (2.0)  18.3 (2.0)                     9.00      167         1.5
     16    13.1 (1.5)   15.8 (1.8)  16.7 (1.9)  17.3 (2.0)                     8.62      175         1.3
     32    12.3 (1.5)   14.7 (1.8)  15.7 (1.9)  16.1 (2.0)                     8.09      186         1.2
     64    12.1 (1.5)   14.7 (1.9)  15.6 (2.0)  15.9 (2.0)                     7.87      191         1.3
    128    13.1 (1.6)   16.0 (2.0)  16.9 (2.1)  19.6 (2.5)                     7.98      189         1.3

    2 cores, a program on each
     16     7.1 (1.4)    8.2 (1.7)   8.6 (1.7)   9.2 (1.9)                     4.94      305         0.7
     32     6.4 (1.5)    7.8 (1.8)   8.1 (1.9)   8.4 (1.9)                     4.35      346         0.7
     64     6.4 (1.5)    8.1 (1.9)   8.6 (2.0)   8.7 (2.1)                     4.19      359         0.6
    128     7.0 (1.7)    9.4 (2.3)  11.1 (2.7)  14.0 (3.4)                     4.17      361         0.7

Twice is kept from 16 to 64 lanes, within the scatter. At 128 the variables of all lanes no longer fit into the caches.
It was run on no accelerator.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from printed import print_machine, print_table, write_plot

SPACE = Path(__file__).parent.parent / "search_spaces" / "dense.yaml"
OPTIMIZERS = ("sgd", "rmsprop", "adam", "all")
LANES = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH, INPUTS, OUTPUTS = 32, 784, 10
FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # would measure BLAS as it is on another machine
PRODUCTS, VALIDATION = "products alone", "validation"
TARGET = 2.0
PLATFORMS = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}  # as JAX_PLATFORMS has them


def main() -> None:
    """Measure each number of cores in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="1, 8 and 16 lanes of adam and all, two epochs each")
    parser.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS), help="names of Keras, or all")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", choices=PLATFORMS, default="cpu", help="an accelerator trains up to 1,024 lanes")
    parser.add_argument("--epochs", type=int, default=3, help="epochs measured, of which the median counts")
    parser.add_argument("--plot", type=Path, help="write a plot: .html, or .svg with kaleido")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)  # cores of the process that measures
    options = parser.parse_args()
    lanes = LANES
    if options.device != "cpu":
        lanes, options.cores = (*LANES, 256, 512, 1024), [1]
    if options.quick:
        lanes, options.optimizers, options.epochs = (1, 8, 16), ["adam", "all"], 2
    if options.measure:
        print(json.dumps(measured(options.measure, options.optimizers, lanes, options.epochs)))
        return
    print_machine("at the start")
    every: dict[int, dict[str, dict[int, float]]] = {}
    for cores in [cores for cores in options.cores if cores <= len(os.sched_getaffinity(0))]:
        environment = {name: value for name, value in os.environ.items() if name not in FORCED_KERNELS}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": PLATFORMS[options.device]}
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(cores)]
        output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = json.loads(output.splitlines()[-1])
        every[cores] = {name: {int(count): value for count, value in row.items()} for name, row in found.items()}
        print_cores(cores, every[cores])
    print_machine("at the end")
    if options.plot:
        write_plot(options.plot, figure(every))


def measured(cores: int, optimizers: Sequence[str], lanes: Sequence[int], epochs: int) -> dict[str, Any]:
    """Milliseconds a trial-epoch: row -> lanes -> ms. Sets the process to its cores before XLA makes its threads."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.space_file.read import read_space_file
    from keras_sweep.training.lanes.packing import find_device
    from keras_sweep.training.lanes.programs import Programs

    spec = read_space_file(SPACE)
    programs = Programs(spec, load_search_data(spec), find_device())
    found: dict[str, dict[int, float]] = {name: {} for name in (PRODUCTS, *optimizers, VALIDATION)}
    for count in lanes:  # what is compared is measured within moments
        found[PRODUCTS][count] = products(cores, count, epochs)
        for optimizer in optimizers:
            found[optimizer][count], validation = program(spec, programs, optimizer, cores, count, epochs)
            found[VALIDATION].setdefault(count, validation)
    return found


def program(spec: Any, programs: Any, optimizer: str, cores: int, lanes: int, epochs: int) -> tuple[float, float]:
    """Milliseconds a trial-epoch of training and of validation: one program of so many lanes on each core."""
    from keras_sweep.training.lanes.lane_numbers import Numbers
    from keras_sweep.training.lanes.signature import list_optimizer_variants, make_signature
    from keras_sweep.trial.plan import TrainingPlan

    variants = list_optimizer_variants(spec) if optimizer == "all" else None
    plan = TrainingPlan({"units": OUTPUTS, "activation": "softmax"}, "sgd" if variants else optimizer, seed=42)
    signature = make_signature(plan, variants)
    compiled = programs.get_program(signature, lanes)
    order = programs.get_template(signature).order
    rates, choices = np.geomspace(1e-4, 1e-1, lanes, dtype=np.float32), np.arange(lanes, dtype=np.int32) % 3
    numbers = Numbers(rates, choices, np.zeros((0, 2, lanes), np.float32))
    states = [compiled.layout.stack([compiled.layout.initial_state()] * lanes) for _ in range(cores)]
    training, validating = [], []
    for epoch in range(1 + epochs):
        rows = order.draw_epoch(epoch)

        def train(core: int, rows: Any = rows) -> None:
            states[core] = compiled.epoch(states[core], numbers, rows)[0]

        training.append(wall(cores, train))
        validating.append(wall(cores, lambda core: compiled.validate(states[core], numbers)))
    share = 1000 / (cores * lanes)
    return share * statistics.median(training[1:]), share * statistics.median(validating[1:])


def products(cores: int, lanes: int, repeats: int) -> float:
    """Milliseconds a trial-epoch of the two products of each step, by the faster library, on each core at once."""
    import jax
    import jax.numpy as jnp

    random = np.random.default_rng(0)
    shapes = ((BATCH, INPUTS), (INPUTS, OUTPUTS * lanes), (OUTPUTS * lanes, BATCH))
    steps = 1500
    arrays = [[random.standard_normal(shape, dtype=np.float32) for shape in shapes] for _ in range(cores)]
    outs = [
        (np.empty((BATCH, OUTPUTS * lanes), np.float32), np.empty((OUTPUTS * lanes, INPUTS), np.float32))
        for _ in arrays
    ]

    def blas(core: int) -> None:
        x, w, g = arrays[core]
        y, dw = outs[core]
        for _ in range(steps):
            np.matmul(x, w, out=y)
            np.matmul(g, x, out=dw)

    @jax.jit
    def scanned(x: Any, w: Any, g: Any) -> Any:
        def body(carry: Any, _: Any) -> Any:
            w, g = carry
            y, dw = x @ w, g @ x
            return jax.lax.optimization_barrier((w + 0 * dw[:1, :1], g + 0 * y[:1, :1])), None

        return jax.lax.scan(body, (w, g), length=steps)[0]

    def xla(core: int) -> None:
        jax.block_until_ready(scanned(*[jnp.asarray(array) for array in arrays[core]]))

    best = []
    for one in (blas, xla):
        wall(cores, one)
        best.append(statistics.median(wall(cores, one) for _ in range(repeats)))
    return 1000 * min(best) / (cores * lanes)


def wall(cores: int, work: Callable[[int], Any]) -> float:
    """Seconds until `work` is done on so many threads."""
    threads = [threading.Thread(target=work, args=(core,)) for core in range(cores)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def print_cores(cores: int, found: Mapping[str, Mapping[int, float]]) -> None:
    """A row a number of lanes; in brackets how many times the products' own time."""
    alone = found[PRODUCTS]
    flops = 4 * BATCH * INPUTS * OUTPUTS * 1500
    names = [name for name in found if name not in (PRODUCTS, VALIDATION)]
    rows = []
    for count in alone:
        cells = [f"{found[name][count]:.1f} ({found[name][count] / alone[count]:.1f})" for name in names]
        rate = flops / alone[count] / 1e6
        rows.append([str(count), *cells, f"{alone[count]:.2f}", f"{rate:.0f}", f"{found[VALIDATION][count]:.1f}"])
    many = [count for count in alone if count >= 16]
    notes = []
    for name in names:
        times = [found[name][count] / alone[count] for count in many]
        if times:
            verdict = "reached" if max(times) <= TARGET else "MISSED"
            notes.append(
                f"{name}: {min(times):.1f} to {max(times):.1f} times at 16 and more lanes; {TARGET:g} is {verdict}."
            )
    print_table(
        f"{cores} core{'s, a program on each' if cores > 1 else ''}: ms a trial-epoch (times the products alone)",
        ["lanes", *names, PRODUCTS, "GFLOP/s", VALIDATION],
        rows,
        notes,
    )


def figure(every: Mapping[int, Mapping[str, Mapping[int, float]]]) -> Any:
    """Cost against lanes."""
    import plotly.graph_objects as go

    plot = go.Figure(layout={"xaxis_title": "lanes", "yaxis_title": "ms a trial-epoch"})
    for cores, found in every.items():
        for name, row in found.items():
            plot.add_scatter(x=list(row), y=list(row.values()), name=f"{name}, {cores} cores", mode="lines+markers")
    plot.update_xaxes(type="log", dtick=np.log10(2))
    plot.update_yaxes(type="log")
    return plot


if __name__ == "__main__":
    main()
