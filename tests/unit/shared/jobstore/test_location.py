"""REDIS_URL: every kind of it is read, every mistake in it is told with an example, no secret is ever shown."""

import pytest

from shared.errors import SettingsError
from shared.jobstore.location import Address, Credentials, Mode, RedisLocation, Tls, parse_location


def test_a_server() -> None:
    location = parse_location("redis://redis.example.org:6390/3")

    assert (location.mode, location.addresses, location.db, location.tls, location.credentials) == (
        Mode.STANDALONE,
        (Address("redis.example.org", 6390),),
        3,
        None,
        Credentials(),
    )


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", Address("h", 6379)),
        ("redis://h/", Address("h", 6379)),
        ("rediss://127.0.0.1:1/0", Address("127.0.0.1", 1)),
        ("redis://[::1]:6380/0", Address("::1", 6380)),
        ("redis://[fd00::7]", Address("fd00::7", 6379)),
        ("redis+sentinel://s/mymaster", Address("s", 26379)),
        ("redis+cluster://n", Address("n", 6379)),
    ],
)
def test_what_is_left_out_has_a_default(url: str, address: Address) -> None:
    location = parse_location(url)

    assert (location.addresses, location.db) == ((address,), 0)


def test_a_socket() -> None:
    location = parse_location("unix://anna:pw@/run/redis%20x/redis.sock?db=2")

    assert (location.unix_path, location.db, location.addresses) == ("/run/redis x/redis.sock", 2, ())
    assert location.credentials == Credentials("anna", "pw")


def test_sentinels_and_the_master_they_watch() -> None:
    location = parse_location(
        "redis+sentinel://anna:p%40ss@s1:1,s2,[::1]:3/my%20master/4?sentinel_user=bert&sentinel_password=w%26rt"
    )

    assert location == RedisLocation(
        mode=Mode.SENTINEL,
        shown="redis+sentinel://anna:***@s1:1,s2,[::1]:3/my%20master/4?sentinel_user=bert&sentinel_password=***",
        addresses=(Address("s1", 1), Address("s2", 26379), Address("::1", 3)),
        db=4,
        credentials=Credentials("anna", "p@ss"),
        master_name="my master",
        sentinel_credentials=Credentials("bert", "w&rt"),
    )


def test_a_cluster() -> None:
    location = parse_location("rediss+cluster://:pw@n1:7000,n2:7001?verify=none")

    assert (location.mode, location.addresses) == (Mode.CLUSTER, (Address("n1", 7000), Address("n2", 7001)))
    assert (location.credentials, location.tls) == (Credentials(None, "pw"), Tls(verifies_server=False))


def test_tls_has_its_files() -> None:
    location = parse_location("rediss://h?ca_file=/a/ca.pem&cert_file=/a/c.pem&key_file=/a/k.pem&verify=full")

    assert location.tls == Tls("/a/ca.pem", "/a/c.pem", "/a/k.pem", verifies_server=True)


@pytest.mark.parametrize("password", ["p@ss", "a:b", "a/b", "a#b", "ü%"])
def test_an_encoded_password_is_decoded(password: str) -> None:
    from urllib.parse import quote

    location = parse_location(f"redis://anna:{quote(password, safe='')}@h:1/0")

    assert location.credentials == Credentials("anna", password)


def test_user_and_password_may_come_from_elsewhere_and_the_urls_own_win() -> None:
    assert parse_location("redis://h", username="anna", password="pw").credentials == Credentials("anna", "pw")
    assert parse_location("redis://h", password="pw").credentials == Credentials(None, "pw")
    assert parse_location("redis://bert:x@h", username="anna", password="pw").credentials == Credentials("bert", "x")


@pytest.mark.parametrize(
    ("url", "trouble"),
    [
        ("", "does not begin with one of redis://"),
        ("http://h", "does not begin with one of redis://"),
        ("localhost:6379", "does not begin with one of redis://"),
        ("redis:/h", "does not begin with one of redis://"),
        ("redis://", "has '' where host:port belongs"),
        ("redis://h:0", "has 'h:0' where host:port belongs"),
        ("redis://h:65536", "where host:port belongs"),
        ("redis://h:port", "where host:port belongs"),
        ("redis://::1:6379", "where host:port belongs"),
        ("redis://h/zero", "has 'zero' where the number of a database belongs"),
        ("redis://h/-1", "number of a database"),
        ("redis://h/0/1", "number of a database"),
        ("redis://h1,h2", "has several servers"),
        ("redis://secret@h", "has a user without a password"),
        ("redis://h?ca_file=/x", "TLS needs rediss"),
        ("redis://h?socket_timeout=1", "'socket_timeout', but this kind of URL takes no option"),
        ("rediss://h?verify=maybe", "verify=maybe, which is full or none"),
        ("rediss://h?key_file=/x", "key_file without its cert_file"),
        ("rediss://h?cafile=/x", "takes ca_file, cert_file, key_file, verify"),
        ("unix://", "no absolute path"),
        ("unix://run/redis.sock", "no absolute path"),
        ("redis+sentinel://s1,s2", "does not name the master"),
        ("redis+sentinel://s1,s2/", "does not name the master"),
        ("redis+sentinel://s1/m/x", "number of a database"),
        ("redis+sentinel://s1/m/0/0", "does not name the master"),
        ("redis+cluster://n1,/0", "has '' where host:port belongs"),
        ("redis+cluster://n1/1", "a cluster has database 0 only"),
        ("redis+cluster://n1?sentinel_user=x", "has the option 'sentinel_user'"),
    ],
)
def test_a_mistake_is_told_with_an_example(url: str, trouble: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_location(url)

    [problem] = caught.value.problems
    assert problem.startswith(f"REDIS_URL={parse_safely(url)!r}: it ")
    assert trouble in problem
    example = problem.rpartition("Example: REDIS_URL=")[2]
    assert parse_location(example).addresses or "unix" in example


def parse_safely(url: str) -> str:
    """Give what may be shown of the URLs above, of which one has a secret."""
    return url.replace("secret", "***")


@pytest.mark.parametrize(
    "url",
    [
        "redis://anna:s3cret@h:x/0",
        "redis://s3cret@h",
        "redis://:s3cret/0@h",
        "redis://:s3cret?@h",
        "redis://anna:a@s3cret@h/x",
        "redis+sentinel://s1?sentinel_password=s3cret",
        "redis+sentinel://s1/m?sentinel_password=s3cret&sentinel_user=",
        "http://anna:s3cret@h",
    ],
)
def test_no_secret_is_shown(url: str) -> None:
    try:
        shown = repr(parse_location(url))
    except SettingsError as error:
        shown = error.message

    assert "s3cret" not in shown
