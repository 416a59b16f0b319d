"""The device that trains, and how many lanes a program has on it: a function of its description alone."""

from dataclasses import dataclass

from keras_sweep.training.lanes.packing import LANE_COUNTS, LANE_LIMIT

CPU_BYTES = 1 << 30  # what the lanes of one program may take, by a rough count; of an accelerator half of its memory


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


def device_here() -> Device:
    """The first device of this process."""
    import jax

    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return CPU
    memory = (device.memory_stats() or {}).get("bytes_limit", 2 * CPU_BYTES)
    return Device(device.platform, device.device_kind, memory // 2, LANE_COUNTS[-1])
