"""Callbacks reach no listener that they must not reach, by whatever URL; and those that operators allow."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import ClientSession, ClientTimeout
from aiohttp.abc import ResolveResult
from opentelemetry.metrics import NoOpMeter
from yarl import URL

from processor.callbacks.address_guard import guarded_connector
from processor.callbacks.courier import Courier, Terms
from processor.callbacks.deliverer import Deliverer
from processor.callbacks.delivery import post
from processor.callbacks.metrics import DeliveryMetrics
from processor.callbacks.name_look_up import NameLookUp
from processor.callbacks.outcome import Reception, Trouble
from shared import limits
from shared.callback_errors import CallbackAddressRefused, CallbackUrlRefused
from shared.callbacks.target import CallbackRules, CallbackTarget, read_target
from shared.jobstore.callback import CallbackState
from shared.jobstore.outbox import Outbox
from tests.integration.callbacks.attacks import Attack, attacks
from tests.support import jobs
from tests.support.doorstep import Doorstep, MappedNames
from tests.support.stores import running_store

ATTACKS = tuple(attacks())
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.fixture
def doorstep() -> Iterator[Doorstep]:
    """Listeners on loopback."""
    with Doorstep() as listening:
        yield listening


def rules_for(doorstep: Doorstep) -> CallbackRules:
    """Let callbacks go to the port of the listeners, so that it is the host that decides."""
    return CallbackRules(takes_http=True, ports=(range(80, 81), range(doorstep.port, doorstep.port + 1)))


def names_for(attack: Attack, url: str) -> MappedNames:
    """Look the host up as the attacker's name servers would."""
    try:
        host = URL(url).raw_host
    except ValueError:
        host = None
    return MappedNames({host: [attack.leads_to]} if host and attack.leads_to else {})


def target_of(url: str) -> CallbackTarget:
    """Take a URL as the HTTP client reads it, as if nobody had judged its text. Raises ValueError."""
    parsed = URL(url)
    host = parsed.raw_host or ""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    return CallbackTarget(url, host, parsed.port or 80, address)


async def send(target: CallbackTarget, rules: CallbackRules, names: MappedNames) -> Reception:
    """Send a callback with the processor's own client."""
    return await post(target.url, b"{}", {}, connector=guarded_connector(target, rules, names))


def test_the_table_is_as_long_as_it_was_meant_to_be() -> None:
    assert len(set(ATTACKS)) == len(ATTACKS) > 400


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: ascii(attack.url))
async def test_no_attack_is_sent_anywhere(attack: Attack, doorstep: Doorstep) -> None:
    url = attack.url.replace("{port}", str(doorstep.port))
    rules = rules_for(doorstep)

    with contextlib.suppress(CallbackUrlRefused, CallbackAddressRefused):
        reception = await send(read_target(url, rules), rules, names_for(attack, url))
        assert reception.trouble is Trouble.NO_ADDRESS

    assert doorstep.visitors() == 0


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: ascii(attack.url))
async def test_no_attack_is_sent_anywhere_although_nobody_has_judged_its_text(
    attack: Attack, doorstep: Doorstep
) -> None:
    url = attack.url.replace("{port}", str(doorstep.port))
    reached: Reception | None = None

    unreadable = () if attack.is_plain else (ValueError,)
    with contextlib.suppress(CallbackAddressRefused, *unreadable):
        reached = await send(target_of(url), rules_for(doorstep), names_for(attack, url))

    # What the client cannot read, or finds no address for, it reports without having called anybody.
    assert reached is None or reached.trouble in (Trouble.NO_ADDRESS, Trouble.URL_REFUSED)
    assert doorstep.visitors() == 0


async def test_no_attack_that_stands_in_a_record_is_sent_anywhere(redis_url: str, doorstep: Doorstep) -> None:
    """The whole way from the outbox on, for each URL as if no gateway had looked at it."""
    async with running_store(redis_url, partitions=1) as store:
        outbox, metrics = Outbox(store), DeliveryMetrics(NoOpMeter("test"))
        for attack in ATTACKS:
            url = attack.url.replace("{port}", str(doorstep.port))
            job_id = await jobs.create(store, callback_url=url)
            await jobs.cancel(store, job_id)
            courier = Courier(Terms(rules_for(doorstep)), names_for(attack, url))
            deliverer = Deliverer(outbox, courier, metrics, processor="p1", schedule_seconds=(0, 604_800))
            async with asyncio.TaskGroup() as group:
                assert await deliverer.look(group) == 1, url

            assert doorstep.visitors() == 0, url
            [callback] = await outbox.deliveries(job_id)
            assert callback.state is CallbackState.WAITING, url
            assert callback.tries[0].error in (
                "The URL is not one that callbacks go to.",
                "The URL's host leads to no address that callbacks go to.",
            ), url


def test_without_a_guard_many_attacks_reach_a_listener(doorstep: Doorstep) -> None:
    reached = 0
    for attack in ATTACKS:
        url = attack.url.replace("{port}", str(doorstep.port))
        for address in led_to_loopback(attack, url):
            socket.create_connection((address, doorstep.port), timeout=5).close()
            reached += doorstep.visitors()

    assert reached > 50


def led_to_loopback(attack: Attack, url: str) -> Iterator[str]:
    """Give the addresses of this machine to which an attack leads a client that asks nobody."""
    try:
        found = names_for(attack, url).look_up(URL(url).raw_host or "")
    except (ValueError, OSError):
        return
    yield from (address for address in found if address in ("0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:7f00:1"))


# Those that lead to one address: the others would have a public one called.
PLAIN = tuple(attack for attack in ATTACKS if attack.is_plain and len(attack.leads_to) < 2)


@pytest.mark.parametrize("attack", PLAIN, ids=lambda attack: attack.url)
async def test_an_allowed_network_is_called_and_nothing_beside_it(attack: Attack, doorstep: Doorstep) -> None:
    url = attack.url.replace("{port}", str(doorstep.port))
    rules = rules_for(doorstep)._replace(networks=LOOPBACK)
    [leads_to] = attack.leads_to or [read_as_text(url)]

    async with doorstep.answering() as called:
        with contextlib.suppress(CallbackUrlRefused, CallbackAddressRefused):
            await send(read_target(url, rules), rules, names_for(attack, url))

    assert called == ([leads_to] if leads_to in doorstep.addresses else [])


def read_as_text(url: str) -> str:
    """Give the host of a URL as it is written."""
    return url.removeprefix("http://").rpartition(":")[0].strip("[]")


@pytest.mark.parametrize(
    "attack",
    [attack for attack in PLAIN if attack.leads_to in (("127.0.0.1",), ("::1",))],
    ids=lambda attack: attack.url,
)
async def test_an_allowed_name_is_called_wherever_it_leads(attack: Attack, doorstep: Doorstep) -> None:
    url = attack.url.replace("{port}", str(doorstep.port))
    rules = rules_for(doorstep)._replace(hosts=("*.attacker.example",))

    async with doorstep.answering() as called:
        reception = await send(read_target(url, rules), rules, names_for(attack, url))

    assert (reception.status, called) == (204, list(attack.leads_to))


async def test_a_network_that_operators_refuse_is_not_called_by_an_allowed_name_either(doorstep: Doorstep) -> None:
    rules = rules_for(doorstep)._replace(hosts=("allowed.example.org",), refused=(ip_network("127.0.0.0/8"),))
    target = read_target(f"http://allowed.example.org:{doorstep.port}/", rules)

    async with doorstep.answering() as called:
        reception = await send(target, rules, MappedNames({target.host: [["127.0.0.1"]]}))

    assert (reception.trouble, called) == (Trouble.NO_ADDRESS, [])
    assert "an address that the service's operators refuse; callbacks do not go there." in reception.details


class Bare(MappedNames):
    """Knows names as hosts file and search domains do, which are not asked for whole ones; `asked` are all of them."""

    def __init__(self, answers: dict[str, Sequence[Sequence[str]]], whole: int = socket.EAI_NONAME) -> None:
        """Make one that says `whole` (EAI_…) of names with a dot at their end."""
        super().__init__(answers)
        self.asked: list[str] = []
        self._whole = whole

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up what has no dot at its end."""
        self.asked.append(host)
        if host.endswith("."):
            raise socket.gaierror(self._whole, "as DNS says it")
        return await super().resolve(host, port, family)


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        (CallbackRules(), ["hooks.example.org."]),
        (CallbackRules(hosts=("*.example.org",)), ["hooks.example.org"]),
        (CallbackRules(networks=LOOPBACK), ["hooks.example.org.", "hooks.example.org"]),
    ],
    ids=["nothing allowed", "its name allowed", "a network allowed"],
)
async def test_search_domains_are_tried_only_where_operators_allow_a_name_or_a_network(
    rules: CallbackRules, asked: list[str]
) -> None:
    names = Bare({})

    told = await send(read_target("https://hooks.example.org/", rules), rules, names)

    assert (told.trouble, names.asked) == (Trouble.NO_ADDRESS, asked)


@pytest.mark.parametrize(
    ("whole", "asked"),
    [
        (socket.EAI_NONAME, ["shop.acme.example.", "shop.acme.example"]),
        (socket.EAI_NODATA, ["shop.acme.example.", "shop.acme.example"]),
        (socket.EAI_AGAIN, ["shop.acme.example."]),
        (socket.EAI_FAIL, ["shop.acme.example."]),
    ],
    ids=["no such name", "no address", "away for a moment", "broken"],
)
async def test_search_domains_are_tried_only_when_dns_has_said_that_there_is_no_such_name(
    whole: int, asked: list[str], doorstep: Doorstep
) -> None:
    rules = rules_for(doorstep)._replace(networks=LOOPBACK)
    names = Bare({"shop.acme.example": [["127.0.0.1"]]}, whole)
    target = read_target(f"http://shop.acme.example:{doorstep.port}/", rules)

    async with doorstep.answering() as called:
        told = await send(target, rules, names)

    assert (names.asked, len(called)) == (asked, len(asked) - 1)
    assert (told.trouble is Trouble.NO_ADDRESS) == (len(asked) == 1)


async def test_a_name_of_the_hosts_file_is_called_in_a_network_that_operators_allow(doorstep: Doorstep) -> None:
    rules = rules_for(doorstep)._replace(networks=LOOPBACK)
    target = CallbackTarget(f"http://localhost:{doorstep.port}/", "localhost", doorstep.port, None)

    async with doorstep.answering() as called:
        told = await post(target.url, b"{}", {}, connector=guarded_connector(target, rules, NameLookUp()))

    assert (told.status, len(called)) == (204, 1)


async def test_a_name_of_the_hosts_file_that_leads_out_of_the_allowed_networks_is_not_called(
    doorstep: Doorstep,
) -> None:
    rules = rules_for(doorstep)._replace(networks=(ip_network("127.0.0.2"),))
    target = read_target(f"http://hooks.example.org:{doorstep.port}/", rules)

    told = await send(target, rules, Bare({target.host: [["127.0.0.2", "127.0.0.1"]]}))

    assert (told.trouble, doorstep.visitors()) == (Trouble.NO_ADDRESS, 0)
    assert "127.0.0.1, a loopback address" in told.details


async def test_a_name_that_leads_elsewhere_at_the_next_try_is_judged_anew(doorstep: Doorstep) -> None:
    rules = rules_for(doorstep)._replace(networks=(ip_network("127.0.0.1"),))
    names = MappedNames({"moving.attacker.example": [["127.0.0.1"], ["::1"]]})
    target = read_target(f"http://moving.attacker.example:{doorstep.port}/", rules)

    async with doorstep.answering() as called:
        first = await send(target, rules, names)
        second = await send(target, rules, names)

    assert (first.status, second.trouble, called) == (204, Trouble.NO_ADDRESS, ["127.0.0.1"])


async def test_a_client_that_is_kept_looks_the_name_up_for_each_call(doorstep: Doorstep) -> None:
    """Neither an address nor a connection outlives the call for which it was judged."""
    rules = rules_for(doorstep)._replace(networks=(ip_network("127.0.0.1"),))
    names = MappedNames({"moving.attacker.example": [["127.0.0.1"], ["::1"]]})
    target = read_target(f"http://moving.attacker.example:{doorstep.port}/", rules)
    connector = guarded_connector(target, rules, names)

    async with (
        doorstep.answering() as called,
        # A connection that is kept gives no second answer.
        ClientSession(connector=connector, timeout=ClientTimeout(total=3)) as client,
    ):
        await client.post(target.url)
        with pytest.raises(CallbackAddressRefused):
            await client.post(target.url)

    assert called == ["127.0.0.1"]


async def test_a_name_is_looked_up_once_for_a_call_so_that_what_is_judged_is_what_is_called(doorstep: Doorstep) -> None:
    rules = rules_for(doorstep)._replace(networks=(ip_network("127.0.0.1"),))
    names = MappedNames({"moving.attacker.example": [["127.0.0.1"], ["::1"]]})
    target = read_target(f"http://moving.attacker.example:{doorstep.port}/", rules)

    async with doorstep.answering():
        await send(target, rules, names)

    assert names.look_up("moving.attacker.example") == ["::1"]


@pytest.mark.parametrize("leads_to", [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
async def test_one_refused_address_among_allowed_ones_refuses_the_name(
    leads_to: tuple[str, ...], doorstep: Doorstep
) -> None:
    rules = rules_for(doorstep)._replace(networks=(ip_network("127.0.0.1"),))
    target = read_target(f"http://mixed.attacker.example:{doorstep.port}/", rules)

    async with doorstep.answering() as called:
        reception = await send(target, rules, MappedNames({target.host: [leads_to]}))

    assert (reception.trouble, called) == (Trouble.NO_ADDRESS, [])
    assert "::1, the loopback address" in reception.details


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int, doorstep: Doorstep) -> None:
    rules = rules_for(doorstep)._replace(networks=LOOPBACK)
    target = read_target(f"http://127.0.0.1:{doorstep.port}/", rules)
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: http://[::1]:{doorstep.port}/".encode()

    async with doorstep.answering(head) as called:
        reception = await send(target, rules, MappedNames({}))

    assert (reception.status, called) == (status, ["127.0.0.1"])


async def test_proxies_of_the_environment_are_not_asked(doorstep: Doorstep, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = rules_for(doorstep)._replace(networks=LOOPBACK)
    target = read_target(f"http://127.0.0.1:{doorstep.port}/", rules)
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://[::1]:{doorstep.port}")

    async with doorstep.answering() as called:
        reception = await send(target, rules, MappedNames({}))

    assert (reception.status, called) == (204, ["127.0.0.1"])


async def test_a_client_that_goes_astray_meets_the_guard_of_its_target(doorstep: Doorstep) -> None:
    """Whatever makes it call another host than that of its target: a redirect that is followed, a wrong URL."""
    rules = rules_for(doorstep)._replace(hosts=("allowed.example.org",))
    target = read_target(f"http://allowed.example.org:{doorstep.port}/", rules)
    names = MappedNames({target.host: [["127.0.0.1"]], "other.example.org": [["127.0.0.1"]]})

    async with doorstep.answering() as called:
        for astray in ("127.0.0.1", "other.example.org", "[::1]"):
            reception = await send(target._replace(url=f"http://{astray}:{doorstep.port}/"), rules, names)
            assert "was about to go to" in reception.details

    assert called == []


async def test_of_many_addresses_only_the_first_few_are_tried(doorstep: Doorstep) -> None:
    rules = rules_for(doorstep)._replace(networks=LOOPBACK)
    deaf = [f"127.9.9.{number}" for number in range(1, 1 + limits.CALLBACK_ADDRESSES_TRIED)]
    target = read_target(f"http://many.example.org:{doorstep.port}/", rules)

    async with doorstep.answering() as called:
        reception = await send(target, rules, MappedNames({target.host: [[*deaf, "127.0.0.1"]]}))

    assert (reception.status, called) == (None, [])
