"""The IDX format of the MNIST family: a magic number, the shape, then bytes (yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

UNSIGNED_BYTE = 0x08


def decode_idx(packed: bytes, what: str) -> npt.NDArray[np.uint8]:
    """The array in a gzipped IDX file of unsigned bytes. Raises ValueError, naming `what`, where it is no such file."""
    try:
        raw = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{what} is not a whole gzip file ({error})") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != UNSIGNED_BYTE or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"{what} is not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
    start = 4 + 4 * raw[3]
    if len(raw) - start != math.prod(shape):
        raise ValueError(f"{what} has {len(raw) - start} bytes where its header says {math.prod(shape)}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
