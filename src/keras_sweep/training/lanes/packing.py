"""Group trials into programs. The result depends only on the trials and the device's description.

The shape of a program changes the last digits of its sums. So nothing here depends on time, a measured speed, threads,
earlier compilations, or a lane's progress.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

LANE_LIMIT = 4  # more lanes in a program are hardly faster, and short lanes idle until the longest ends
LANE_COUNTS = (1, 2, 4, 8, 16, 32, 64)  # few, because each count is compiled
CPU_BYTES = 1 << 30  # rough memory limit of a program; on an accelerator, half of its memory


@dataclass(frozen=True, slots=True)
class Job:
    """A trial that waits to train in a program."""

    number: int
    key: Hashable  # jobs with the same key may share a program
    epochs: int  # left to train, at least 1


def round_lane_count(lanes_needed: int) -> int:
    """Round up to the next number in `LANE_COUNTS` (1, 2, 4, ..., 64). A number above 64 stays as it is."""
    return next((count for count in LANE_COUNTS if count >= lanes_needed), lanes_needed)


def pack(jobs: Sequence[Job], limits: Mapping[Hashable, int]) -> list[tuple[int, ...]]:
    """Return the trial numbers of each program. Jobs with equal keys share programs of up to `limits[key]` lanes."""
    programs: list[tuple[int, ...]] = []
    for key in dict.fromkeys(job.key for job in jobs):
        # Trials of similar length share a program, so that few lanes stay empty.
        key_jobs = sorted((job for job in jobs if job.key == key), key=lambda job: (-job.epochs, job.number))
        numbers = [job.number for job in key_jobs]
        programs += [tuple(numbers[start : start + limits[key]]) for start in range(0, len(numbers), limits[key])]
    return programs


def split_in_half(numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Split a program's trial numbers into two programs that train in parallel. A single trial is not split."""
    middle = (len(numbers) + 1) // 2
    return [numbers[:middle], numbers[middle:]] if len(numbers) > 1 else [numbers]


@dataclass(frozen=True, slots=True)
class Device:
    """The processor that trains the lanes, and the limits of a program on it."""

    platform: str = "cpu"
    kind: str = "cpu"
    bytes: int = CPU_BYTES  # for the lanes of a program
    lanes: int = LANE_LIMIT  # at most, in a program

    @property
    def is_cpu(self) -> bool:
        return self.platform == "cpu"

    @property
    def text(self) -> str:
        return f"{self.kind}: up to {self.lanes} lanes a program, in {self.bytes / 2**30:.0f} GiB"


CPU = Device()


def find_device() -> Device:
    import jax

    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return CPU
    memory = (device.memory_stats() or {}).get("bytes_limit", 2 * CPU_BYTES)
    return Device(device.platform, device.device_kind, memory // 2, LANE_COUNTS[-1])
