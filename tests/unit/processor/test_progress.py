"""Which reports become events."""

from processor.progress import Phase, ProgressPace, Report, final_progress


def report(work_ratio: float, *, phase: Phase = Phase.BUNDLING, message: str = "x") -> Report:
    return Report(
        phase=phase,
        work_ratio=work_ratio,
        files_processed=0,
        total_files=3,
        bytes_processed=int(work_ratio * 100),
        total_bytes=100,
        message=message,
    )


def test_first_report_is_sent_at_once_and_the_next_a_second_later() -> None:
    pace = ProgressPace(every_ms=1000)

    assert pace.due_in_ms(report(0.1), 5000) == 0
    pace.event(report(0.1), now_ms=5000, at_ms=0)
    assert pace.due_in_ms(report(0.2), 5300) == 700
    assert pace.due_in_ms(report(0.2), 6000) == 0


def test_unchanged_report_is_never_sent_again() -> None:
    pace = ProgressPace()
    pace.event(report(0.1), now_ms=0, at_ms=0)

    assert pace.due_in_ms(report(0.1), 10**6) is None


def test_progress_never_goes_back_not_even_over_runs() -> None:
    pace = ProgressPace(floor_ratio=0.6)

    shown = [pace.event(report(ratio), now_ms=0, at_ms=0).progress for ratio in (0.1, 0.7, 0.5, 0.8)]

    assert shown == [0.6, 0.7, 0.7, 0.8]


def test_progress_stays_below_one_until_the_job_has_ended() -> None:
    event = ProgressPace().event(report(1.0), now_ms=0, at_ms=0)

    assert event.progress == 0.99


def test_phase_is_told_when_it_changes() -> None:
    pace = ProgressPace()

    phases = [
        pace.event(report(0.1, phase=phase), now_ms=0, at_ms=0).phase
        for phase in (Phase.PLANNING, Phase.PLANNING, Phase.BUNDLING, Phase.FINISHING)
    ]

    assert phases == ["planning", None, "bundling", "finishing"]


def test_completed_job_keeps_the_numbers_of_its_last_report() -> None:
    kept = final_progress(report(0.98))

    assert kept is not None
    assert (kept.progress, kept.bytes_processed, kept.total_bytes) == (1.0, 98, 100)
    assert final_progress(None) is None
