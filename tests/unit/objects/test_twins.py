from shared.objects.info import OpenUpload, UploadName
from shared.objects.twins import twins_of

OURS = OpenUpload("a", "ours", 100_000)
UPLOAD = UploadName("a", "ours")


def test_what_began_under_the_same_key_while_it_was_tried_is_a_twin() -> None:
    twins = [OpenUpload("a", "first", 95_000), OpenUpload("a", "second", 100_000)]

    assert twins_of(UPLOAD, [*twins, OURS], tried_for_ms=5_000) == twins


def test_uploads_of_other_keys_and_of_other_times_are_somebody_elses() -> None:
    others = [OpenUpload("b", "x", 99_000), OpenUpload("a", "old", 93_000), OpenUpload("a", "new", 101_000)]

    assert twins_of(UPLOAD, [*others, OURS], tried_for_ms=5_000) == []


def test_without_the_upload_itself_nothing_is_known_about_its_time() -> None:
    assert twins_of(UPLOAD, [OpenUpload("a", "first", 100_000)], tried_for_ms=5_000) == []
