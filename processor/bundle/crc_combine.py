"""The CRC-32 of two byte strings in a row, from the CRCs of the two alone. Pure.

A CRC-32 is the remainder of a polynomial over GF(2). Appending n bytes multiplies what came before by x^(8n), so
crc(ab) = crc(a) · x^(8·len(b)) + crc(b) modulo the CRC's polynomial. This is the method of zlib's `crc32_combine`
(Mark Adler, crc32.c since zlib 1.2.12: `multmodp`, `x2nmodp`), written anew. Polynomials are reflected, as in RFC 1952
§8: the highest bit is the coefficient of x^0.

Appending is linear in the CRC: what it makes of the four bytes of a CRC is looked up for each and added. There are such
tables for 1, 2, 4, 8 … bytes, made when they are first needed; any length is a sum of these.
"""

import functools

_POLYNOMIAL = 0xEDB88320
_X = 1 << 30  # x^1

Tables = tuple[list[int], list[int], list[int], list[int]]


def combine(crc_a: int, crc_b: int, length_b_bytes: int) -> int:
    """Give the CRC-32 of a followed by b, where b has `length_b_bytes` bytes; about 2 µs."""
    power = 0
    while length_b_bytes:
        if length_b_bytes & 1:
            lowest, low, high, highest = _appending(power)
            crc_a = lowest[crc_a & 255] ^ low[crc_a >> 8 & 255] ^ high[crc_a >> 16 & 255] ^ highest[crc_a >> 24]
        length_b_bytes >>= 1
        power += 1
    return crc_a ^ crc_b


@functools.cache  # 40 kB and a third of a millisecond each; there are not more than a length has bits
def _appending(power: int) -> Tables:
    """Give the tables of appending 2^power zero bytes: for each byte of a CRC, the lowest first, and each value."""
    factor = _x_to_the_power_of_two(power + 3)
    images = [_multiply(factor, 1 << bit) for bit in range(32)]
    lowest, low, high, highest = (_sums(images[start : start + 8]) for start in range(0, 32, 8))
    return lowest, low, high, highest


def _sums(images: list[int]) -> list[int]:
    """Add up the images of a byte's bits for each of its 256 values."""
    sums = [0]
    for image in images:
        sums += [image ^ before for before in sums]
    return sums


@functools.cache
def _x_to_the_power_of_two(power: int) -> int:
    """Give x^(2^power)."""
    if power == 0:
        return _X
    root = _x_to_the_power_of_two(power - 1)
    return _multiply(root, root)


def _multiply(a: int, b: int) -> int:
    """Multiply two polynomials modulo the CRC's one."""
    product = 0
    for bit in reversed(range(32)):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product
