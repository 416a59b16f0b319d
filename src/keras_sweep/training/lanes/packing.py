"""Which trials train in which program: a pure function of the trials alone.

The shape of a program moves the last digits of its sums, so nothing here looks at a clock, a measured speed, the number
of threads, what is compiled already, or how a lane fares.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

LANE_LIMIT = 4  # lanes of a program: more are hardly faster, and idle longer beside the one that trains longest
LANE_COUNTS = (1, 2, 4, 8, 16, 32, 64)  # each count compiles once, so there are few


@dataclass(frozen=True, slots=True)
class Job:
    """One trial to pack."""

    number: int
    key: Hashable  # only jobs of one key share a program
    epochs: int  # to train, at least 1


def lane_count(lanes: int) -> int:
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
