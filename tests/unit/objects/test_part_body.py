import random

from shared.objects.part_body import SLICE_BYTES, PartBody

CONTENT = random.Random(1).randbytes(2 * SLICE_BYTES + 5)


async def test_every_iteration_gives_all_of_it_without_copying() -> None:
    buffer = bytearray(CONTENT)
    body = PartBody(memoryview(buffer))

    for _ in range(2):
        pieces = [piece async for piece in body]
        assert b"".join(pieces) == CONTENT
        assert all(piece.obj is buffer for piece in pieces)
    assert len(body) == len(CONTENT)


def test_it_can_be_read_and_read_again_as_a_file() -> None:
    body = PartBody(memoryview(CONTENT))

    assert body.read(10) == CONTENT[:10]
    position = body.tell()
    assert body.read() == CONTENT[10:]
    assert body.read(10) == b""
    body.seek(position)
    assert body.read(5) == CONTENT[10:15]
