"""Which trials train in which program: a pure function of the trials, and of how the device describes itself.

The shape of a program moves the last digits of its sums, so nothing here looks at a clock, a measured speed, the number
of threads, what is compiled already, or how a lane fares.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

LANE_LIMIT = 4  # lanes of a program: more are hardly faster, and idle longer beside the one that trains longest
LANE_COUNTS = (1, 2, 4, 8, 16, 32, 64)  # each count compiles once, so there are few
CPU_BYTES = 1 << 30  # what the lanes of one program may take, by a rough count; of an accelerator half of its memory


@dataclass(frozen=True, slots=True)
class Job:
    """One trial to pack."""

    number: int
    key: Hashable  # only jobs of one key share a program
    epochs: int  # to train, at least 1


def round_lane_count(lanes: int) -> int:
    """The number of lanes of the program that trains so many: the next of the few counts."""
    return next((count for count in LANE_COUNTS if count >= lanes), lanes)


def pack(jobs: Sequence[Job], limits: Mapping[Hashable, int]) -> list[tuple[int, ...]]:
    """The numbers of each program's trials, those that train longest first; `limits` has the most lanes of each key.

    Trials of about equal length share a program, so that few places stay empty.
    """
    packed: list[tuple[int, ...]] = []
    for key in dict.fromkeys(job.key for job in jobs):
        sharing = sorted((job for job in jobs if job.key == key), key=lambda job: (-job.epochs, job.number))
        numbers = [job.number for job in sharing]
        packed += [tuple(numbers[start : start + limits[key]]) for start in range(0, len(numbers), limits[key])]
    return packed


def split_in_half(numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A program's trials parted in two, which train beside each other; a single one as it is."""
    middle = (len(numbers) + 1) // 2
    return [numbers[:middle], numbers[middle:]] if len(numbers) > 1 else [numbers]


@dataclass(frozen=True, slots=True)
class Device:
    """A device as JAX describes it."""

    platform: str = "cpu"
    kind: str = "cpu"
    bytes: int = CPU_BYTES  # that the lanes of a program may take
    lanes: int = LANE_LIMIT  # of a program, at most

    @property
    def is_cpu(self) -> bool:
        """Whether lanes are hardly faster beside others where they have much to do, and a thread a core trains."""
        return self.platform == "cpu"

    @property
    def text(self) -> str:
        """What the record says of it."""
        return f"{self.kind}: up to {self.lanes} lanes a program, in {self.bytes / 2**30:.0f} GiB"


CPU = Device()


def find_device() -> Device:
    """The first device of this process."""
    import jax

    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return CPU
    memory = (device.memory_stats() or {}).get("bytes_limit", 2 * CPU_BYTES)
    return Device(device.platform, device.device_kind, memory // 2, LANE_COUNTS[-1])
