"""Which trials train in which program: a pure function of the trials alone.

The shape of a program moves the last digits of its sums, so nothing here looks at a clock, a measured speed, the number
of threads, what is compiled already, or how a lane fares.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

LANE_LIMIT = 8  # lanes of a program, where memory allows: more are hardly faster, fewer leave a core idle
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


def pack(jobs: Sequence[Job], limit: int = LANE_LIMIT) -> list[tuple[int, ...]]:
    """The numbers of each program's trials, those that train longest first.

    The trials of a key are dealt out like cards, in rounds that turn round, so that its programs take equally long
    and lose their lanes at the same pace.
    """
    packed: list[tuple[int, ...]] = []
    for key in dict.fromkeys(job.key for job in jobs):
        sharing = sorted((job for job in jobs if job.key == key), key=lambda job: (-job.epochs, job.number))
        hands: list[list[int]] = [[] for _ in range(-(-len(sharing) // limit))]
        for index, job in enumerate(sharing):
            turn, place = divmod(index, len(hands))
            hands[place if turn % 2 == 0 else -1 - place].append(job.number)
        packed += [tuple(hand) for hand in hands]
    return packed
