"""Which faults of training are the machine's: another try may escape them, as it can't a fault of the trial's own."""

from __future__ import annotations

import errno

_ERRNOS = frozenset(
    {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}
    | {errno.EBUSY, errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENOLCK}
)
_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating")  # XLA, PyTorch, TensorFlow


def is_transient(error: BaseException) -> bool:
    """Whether memory ran out, or the disk or the network failed; not a file that is missing or forbidden."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError | ConnectionError | TimeoutError):
            return True
        if isinstance(seen, OSError) and seen.errno in _ERRNOS:
            return True
        if isinstance(seen, RuntimeError) and any(words in str(seen) for words in _MEMORY):
            return True
        if type(seen).__name__ in ("ResourceExhaustedError", "OutOfMemoryError"):
            return True
        seen = seen.__cause__
    return False
