"""Who serves which slot, as a cluster tells it."""

from shared.jobstore import keys
from shared.jobstore.location import Address
from shared.jobstore.slots import parse_slots, slot_of

ASKED = Address("asked", 7)
REPLY = [
    [5461, 10922, [b"10.0.0.2", 7001, b"id2", []], [b"10.0.0.5", 7004, b"id5", []]],
    [0, 5460, [b"", 7000, b"id1", []]],
    [16383, 16383, [b"10.0.0.3", 7002, b"id3", []]],
]


def test_every_slot_has_its_master_or_none() -> None:
    slots = parse_slots(REPLY, asked=ASKED)

    found = [slots.master_of(slot) for slot in (0, 5460, 5461, 10922, 10923, 16382, 16383)]

    first, second, third = Address("asked", 7000), Address("10.0.0.2", 7001), Address("10.0.0.3", 7002)
    assert found == [first, first, second, second, None, None, third]
    assert slots.masters == {first, second, third}


def test_a_cluster_without_slots_has_no_masters() -> None:
    slots = parse_slots([], asked=ASKED)

    assert (slots.master_of(0), slots.masters) == (None, frozenset())


def test_slots_are_those_of_the_specification() -> None:
    assert slot_of("123456789") == 0x31C3  # Redis Cluster specification, "Hash slot calculation"
    assert slot_of("waybill:{3}:commands") == slot_of("3") == slot_of(keys.wake(3))
