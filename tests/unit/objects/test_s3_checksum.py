import pytest

from shared.objects.s3_checksum import crc32_in, encoded

PLAIN, PARTS = '"900150983cd24fb0d6963f7d28e17f72"', '"900150983cd24fb0d6963f7d28e17f72-3"'


def test_a_crc_is_written_as_four_bytes() -> None:
    assert encoded(0x3610A686) == "NhCmhg=="
    assert encoded(5) == "AAAABQ=="


@pytest.mark.parametrize(
    ("found", "crc32"),
    [
        ({"ETag": PLAIN, "ChecksumCRC32": "NhCmhg=="}, 0x3610A686),
        ({"ETag": PARTS, "ChecksumCRC32": "NhCmhg==", "ChecksumType": "FULL_OBJECT"}, 0x3610A686),
        ({"ETag": PARTS, "ChecksumCRC32": "NhCmhg==", "ChecksumType": "COMPOSITE"}, None),
        ({"ETag": PARTS, "ChecksumCRC32": "NhCmhg==-3"}, None),
        ({"ETag": PARTS, "ChecksumCRC32": "NhCmhg=="}, None),
        ({"ETag": PLAIN, "ChecksumCRC32": "no base64!"}, None),
        ({"ETag": PLAIN}, None),
    ],
)
def test_only_the_crc_of_a_whole_object_is_taken(found: dict[str, str], crc32: int | None) -> None:
    assert crc32_in(found) == crc32
