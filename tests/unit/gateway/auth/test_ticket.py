"""A ticket: what it says comes out again, and every other text is refused."""

import base64
import hmac
import string

import pytest

from gateway.auth.caller import Scope
from gateway.auth.ticket import caller_by_ticket, ticket_in
from shared import limits
from shared.caller_errors import TicketExpired, TicketRefused
from shared.jobs import make_job_id
from shared.ticket import PREFIX, Ticket, TicketSecret, read_ticket_secrets, write_ticket

NOW_MS = 1_795_000_000_000
FIRST, SECOND = TicketSecret("k1", b"1" * 32), TicketSecret("k2", b"2" * 32)
JOBS = tuple(make_job_id(3, number) for number in (1, 2))
ALPHABET = string.ascii_letters + string.digits + "-_"


def ticket(owner: str = "anna", *job_ids: str, expires_at_ms: int = NOW_MS + 1) -> str:
    """Write a ticket that the first secret has signed."""
    return write_ticket(Ticket(owner=owner, job_ids=job_ids or JOBS, expires_at_ms=expires_at_ms), FIRST)


def said_by(text: str) -> bytes:
    """Give what stands before the MAC of a ticket."""
    return base64.urlsafe_b64decode(text.removeprefix(PREFIX) + "==")[:-32]


def resigned(said: bytes, words: bytes = b"waybill ticket 1\0") -> str:
    """Sign something with the first secret, behind these words."""
    signed = said + hmac.digest(FIRST.secret, words + said, "sha256")
    return PREFIX + base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def refused(text: str, *secrets: TicketSecret) -> str:
    """Insist that a text is refused; give the sentence."""
    with pytest.raises(TicketRefused) as caught:
        caller_by_ticket(text, secrets or (FIRST, SECOND), now_ms=NOW_MS)
    return caught.value.message


def test_what_a_ticket_says_comes_out_again() -> None:
    caller = caller_by_ticket(ticket(), (SECOND, FIRST), now_ms=NOW_MS)

    assert (caller.owner, caller.job_ids, caller.expires_at_ms) == ("anna", frozenset(JOBS), NOW_MS + 1)
    assert caller.scopes == {Scope.USER}
    assert caller.audit() == {"owner": "anna", "key_id": "ticket:k1"}
    assert [caller.may_see(job_id) for job_id in (*JOBS, make_job_id(3, 3))] == [True, True, False]


def test_the_largest_ticket_is_within_its_limit_and_needs_no_escape() -> None:
    jobs = [make_job_id(4_095, number) for number in range(limits.MAX_TICKET_JOBS)]
    secret = TicketSecret("k" * limits.MAX_TICKET_KEY_ID_CHARS, FIRST.secret)
    largest = Ticket(owner="o" * limits.MAX_OWNER_CHARS, job_ids=tuple(jobs), expires_at_ms=2**48 - 1)

    text = write_ticket(largest, secret)

    assert limits.MAX_TICKET_CHARS - 4 < len(text) <= limits.MAX_TICKET_CHARS
    assert set(text) <= set(ALPHABET)
    assert caller_by_ticket(text, [secret], now_ms=NOW_MS).job_ids == frozenset(jobs)


@pytest.mark.parametrize("left_ms", [1, 0, -1])
def test_a_ticket_is_good_until_the_moment_of_its_expiry(left_ms: int) -> None:
    text = ticket(expires_at_ms=NOW_MS + left_ms)

    if left_ms > 0:
        assert caller_by_ticket(text, [FIRST], now_ms=NOW_MS).expires_at_ms == NOW_MS + left_ms
    else:
        with pytest.raises(TicketExpired):
            caller_by_ticket(text, [FIRST], now_ms=NOW_MS)


@pytest.mark.parametrize("owner", ["o", "oo", "ooo"], ids=["no spare bits", "four", "two"])
def test_no_other_text_of_its_length_is_the_ticket(owner: str) -> None:
    good = ticket(owner)

    for place, character in enumerate(good):
        for other in ALPHABET if place == len(good) - 1 else "A_" + chr(ord(character) ^ 1) + chr(ord(character) ^ 32):
            if other != character:
                assert refused(good[:place] + other + good[place + 1 :])


def test_nothing_shorter_or_longer_is_the_ticket() -> None:
    good = ticket()

    for length in range(len(good)):
        refused(good[:length])
    for more in ("A", "=", "==", " ", "\n", "%", ".", "é"):
        refused(good + more)
        refused(good[:20] + more + good[20:])


def test_parts_of_two_tickets_are_none() -> None:
    one, other = ticket("anna", JOBS[0]), ticket("anna", JOBS[1])
    signed = [base64.urlsafe_b64decode(text.removeprefix(PREFIX) + "==") for text in (one, other)]

    swapped = signed[0][:-32] + signed[1][-32:]

    assert refused(PREFIX + base64.urlsafe_b64encode(swapped).rstrip(b"=").decode())


@pytest.mark.parametrize("prefix", ["", "wt2_", "wt1", "WT1_", "wt1_wt1_"])
def test_another_version_is_refused(prefix: str) -> None:
    refused(prefix + ticket().removeprefix(PREFIX))


def test_a_secret_that_is_removed_renamed_or_changed_opens_nothing() -> None:
    refused(ticket(), SECOND)
    refused(ticket(), TicketSecret("k3", FIRST.secret))
    refused(ticket(), TicketSecret(FIRST.key_id, SECOND.secret))
    with pytest.raises(TicketRefused):
        caller_by_ticket(ticket(), (), now_ms=NOW_MS)


def test_what_the_secret_signs_elsewhere_is_no_ticket() -> None:
    refused(resigned(said_by(ticket()), words=b""))
    assert caller_by_ticket(resigned(said_by(ticket())), [FIRST], now_ms=NOW_MS).owner == "anna"


def test_another_scope_opens_nothing_here() -> None:
    said = bytearray(said_by(ticket()))
    said[3] += 1

    refused(resigned(bytes(said)))


def test_what_is_too_long_is_refused_for_that_and_what_is_refused_is_not_repeated() -> None:
    assert "1,320 characters" in refused(PREFIX + "A" * 10_000)
    for text in (ticket()[:-1], f"{PREFIX}hunter2", "hunter2" * 2_000):
        assert text[-7:] not in refused(text)


def test_the_ticket_of_a_query_is_found_wherever_it_stands() -> None:
    for query in (b"ticket=wt1_x", b"after=0-0&ticket=wt1_x&limit=2", b"xticket=y&ticket=wt1_x"):
        assert ticket_in(query) == "wt1_x"
    for query in (b"", b"after=0-0", b"xticket=wt1_x", b"%74icket=wt1_x", b"after=ticket=wt1_x", b"ticket"):
        assert ticket_in(query) is None


@pytest.mark.parametrize("query", [b"ticket=a&ticket=a", b"ticket=&ticket=", b"ticket=a&after=0-0&ticket=b"])
def test_more_than_one_ticket_is_none(query: bytes) -> None:
    with pytest.raises(TicketRefused):
        ticket_in(query)


def test_secrets_are_read_with_colons_in_them_and_not_shown() -> None:
    secrets = read_ticket_secrets("k1:hunter2:hunter2  k2:hunter3")

    assert secrets == (TicketSecret("k1", b"hunter2:hunter2"), TicketSecret("k2", b"hunter3"))
    assert "hunter" not in repr(secrets)
