"""Secrets of callers in a text are hidden, and all else stays."""

import json

import pytest

from gateway.auth.api_key import write_api_key
from shared.jobs import make_job_id
from shared.telemetry.redaction import without_secrets
from shared.ticket import Ticket, TicketSecret, write_ticket

KEY_ID, API_KEY = write_api_key(b"\1" * 8, b"\2" * 32)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.abcdefghijklmnop"
TICKET = write_ticket(
    Ticket(owner="anna", job_ids=(make_job_id(0, 1),), expires_at_ms=1), TicketSecret("k1", b"1" * 32)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"GET /x?ticket={TICKET} failed", "GET /x?ticket=*** failed"),
        (f"/x?a=1&ticket={TICKET}&b=2", "/x?a=1&ticket=***&b=2"),
        (f"/x?TICKET={TICKET}", "/x?TICKET=***"),
        ("/x?ticket=short, cut", "/x?ticket=*** cut"),
        (f"b'ticket={TICKET}'", "b'ticket=***'"),
        ("/x?ticket=%77%74é-\\xe9-\\u00e9-rest", "/x?ticket=***"),
        (f"the ticket {TICKET} is bad", "the ticket wt1_*** is bad"),
        (f"{TICKET[:30]}…", "wt1_***"),
        ("a secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw.", "a secret whsec_***"),
        (f"the key {API_KEY}.", f"the key wb_{KEY_ID}_***"),
        (f"(b'authorization', b'Bearer {API_KEY}')", "(b'authorization', b'Bearer ***')"),
        ("authorization: bearer  eyJhbGciOi.J9.x-y_z==", "authorization: bearer  ***"),
        ('Bearer realm="waybill", error="invalid_token"', 'Bearer realm="waybill", error="invalid_token"'),
        ("the ticket has expired; a ticket= is missing", "the ticket has expired; a ticket=*** is missing"),
        (f"the token {JWT} has expired", "the token eyJ*** has expired"),
        (f"b'{JWT}'", "b'eyJ***'"),
        (f"authorization=Bearer%20{JWT}&a=1", "authorization=Bearer%20***&a=1"),
        ("Bearer+abcdefgh", "Bearer+***"),
        ('{"authorization": "bearer\\tABCDEF"}', '{"authorization": "bearer\\t***"}'),
        ("bearer\\u0020\\\\tABCDEF x", "bearer\\u0020\\\\t*** x"),
        ("/x?ticket%3Dshort&a=1", "/x?ticket%3D***&a=1"),
        ("https://s3/x?X-Amz-Signature=abcdef0123&a=1", "https://s3/x?X-Amz-Signature=***&a=1"),
        ("/x?X-Amz-Security-Token=IQoJb3%2F%2B&X-Amz-Date=1", "/x?X-Amz-Security-Token=***&X-Amz-Date=1"),
        (
            f"https://d.example/x?Expires=1&Signature={'ab~-_' * 9}&Key-Pair-Id=K1",
            "https://d.example/x?Expires=1&Signature=***&Key-Pair-Id=K1",
        ),
        (
            f"AWS4-HMAC-SHA256 SignedHeaders=host, Signature={'0a' * 32}",
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=***",
        ),
        (
            "the bearer of a heyJude.mp3.zip, eyJ.x.y, signature=none",
            "the bearer *** a heyJude.mp3.zip, eyJ.x.y, signature=none",
        ),
        ("Bearer  realm=x", "Bearer  realm=x"),
        (f"key {KEY_ID} of anna, wt1_ and wb_ alone", f"key {KEY_ID} of anna, wt1_ and wb_ alone"),
    ],
)
def test_secrets_are_hidden_and_the_rest_stays(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize("value", [f"/x?ticket={TICKET}", f'"Bearer {API_KEY}"\n', f"ticket={TICKET}é\\\t{TICKET}"])
def test_a_line_of_json_stays_one(value: str) -> None:
    line = without_secrets(json.dumps({"event": value, "nested": [{value: value}]}))

    assert json.loads(line)["event"]
    assert TICKET[10:] not in line
    assert API_KEY[-64:] not in line
