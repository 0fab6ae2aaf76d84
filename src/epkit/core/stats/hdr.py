"""Histograms in HdrHistogram's interchange encoding (V2, compressed, base64); its tools in any language can read it.

The layout of `epkit.core.stats.histogram` is HdrHistogram's own for three digits and a unit of 1. So encoding means to
write the counts: a run of empty buckets is one negative number, and every number is zigzag, little-endian base 128. The
Python package of that name would add a compiled extension; here it takes forty lines.

Source: HdrHistogram, `AbstractHistogram.encodeIntoCompressedByteBuffer` and `ZigZagEncoding`.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from epkit.core.stats.histogram import BUCKETS, LIMIT_NS, Histogram, values

PLAIN: Final = 0x1C849303 | 0x10
PACKED: Final = 0x1C849304 | 0x10
DIGITS: Final = 3
_HEAD: Final = struct.Struct(">iiiiqqd")
_OUTER: Final = struct.Struct(">ii")
_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_COUNT: Final = 2**53


def encode(histogram: Histogram) -> str:
    """Write a histogram's counts; its exact sums and extremes are not part of the encoding."""
    payload = bytearray()
    at = 0
    for place in np.flatnonzero(histogram.counts).tolist():
        if place > at:
            _put(payload, at - place)
        _put(payload, int(histogram.counts[place]))
        at = place + 1
    head = _HEAD.pack(PLAIN, len(payload), 0, DIGITS, 1, LIMIT_NS, 1.0)
    packed = zlib.compress(head + bytes(payload))
    return base64.b64encode(_OUTER.pack(PACKED, len(packed)) + packed).decode()


def decode(text: str) -> Histogram:
    """Read a histogram. Its sums and extremes come from the upper ends of the buckets, and are right to 0.1 %.

    Raises:
        ValueError: it is not a histogram of this layout.
    """
    try:
        outer = base64.b64decode(text, validate=True)
        cookie, length = _OUTER.unpack_from(outer)
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(outer[_OUTER.size : _OUTER.size + length], _MOST_BYTES)
        inner, size, offset, digits, lowest, highest, _ = _HEAD.unpack_from(plain)
    except (binascii.Error, struct.error, zlib.error) as error:
        raise ValueError(f"not an encoded histogram: {error}") from None
    if (cookie, inner, offset, digits, lowest) != (PACKED, PLAIN, 0, DIGITS, 1) or highest > LIMIT_NS:
        raise ValueError("an encoded histogram of another layout")
    made = Histogram()
    at = 0
    for number in _numbers(plain[_HEAD.size : _HEAD.size + size]):
        if at - min(number, 0) > BUCKETS or (number >= 0 and at >= BUCKETS):
            raise ValueError("an encoded histogram with more buckets than its layout has")
        if number < 0:
            at -= number
            continue
        if number > _MOST_COUNT:
            raise ValueError("an encoded histogram with more in a bucket than a run has requests")
        made.counts[at] = number
        at += 1
    places = np.flatnonzero(made.counts)
    for value, count in zip(values(places).tolist(), made.counts[places].tolist(), strict=True):
        made.count += count
        made.total += count * value
        made.squares += count * value * value
        made.min = min(made.min, value)
        made.max = max(made.max, value)
    return made


def as_saved(histograms: Mapping[str, Histogram]) -> dict[str, Histogram]:
    """Return histograms in the form in which a saved run returns them, so that charts of a run never change."""
    return {name: decode(encode(histogram)) for name, histogram in histograms.items()}


def _put(buffer: bytearray, number: int) -> None:
    """Append a number: zigzag, then seven bits a byte, the lowest first."""
    left = (number << 1) ^ (number >> 63)
    while left > 0x7F:
        buffer.append(left & 0x7F | 0x80)
        left >>= 7
    buffer.append(left)


def _numbers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        if shift > 63:
            raise ValueError("an encoded histogram with a number of more than 64 bits")
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield (value >> 1) ^ -(value & 1)
            value = shift = 0
