"""Settings: all problems at once, each with its variable and an example; secrets never shown."""

from ipaddress import ip_network

import pytest

from shared.callbacks.target import CallbackRules
from shared.environment import load
from shared.errors import SettingsError
from shared.gateway_settings import GatewaySettings
from shared.processor_settings import ProcessorSettings
from shared.programs import PROGRAMS
from shared.settings import CommonSettings, RedisSettings


def problems_of(kind: type[CommonSettings], **environment: str) -> tuple[str, ...]:
    """Load settings that must be refused."""
    with pytest.raises(SettingsError) as caught:
        load(kind, environment)
    return caught.value.problems


def test_defaults_run_on_one_machine() -> None:
    settings = load(GatewaySettings, {})

    assert (settings.host, settings.port, settings.partitions) == ("127.0.0.1", 8080, 1)


def test_variables_are_read() -> None:
    settings = load(ProcessorSettings, {"REDIS_URL": "redis://h:1/0", "WAYBILL_SLOTS": "7", "WAYBILL_LEASE_MS": ""})

    assert (settings.redis_url, settings.slots, settings.lease_ms) == ("redis://h:1/0", 7, 15_000)


def test_every_wrong_variable_is_named_with_its_value_and_an_example() -> None:
    problems = problems_of(GatewaySettings, WAYBILL_PORT="eighty", REDIS_URL="http://x", WAYBILL_PARTITIONS="0")

    assert len(problems) == 3
    assert "WAYBILL_PORT='eighty': it must be a whole number from 0 to 65,535. Example: WAYBILL_PORT=8080" in problems


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "301", "3s", "3,5", " ", "\n"])
def test_numbers_out_of_range_and_other_texts_are_refused(text: str) -> None:
    [problem] = problems_of(GatewaySettings, WAYBILL_DRAIN_SECONDS=text)

    assert problem.startswith(f"WAYBILL_DRAIN_SECONDS={text!r}: it must be a number from 0 to 300 seconds")


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_problem_is_one_line(program: str) -> None:
    for problem in problems_of(PROGRAMS[program], REDIS_URL="a\nb", WAYBILL_PARTITIONS="1\n2"):
        assert "\n" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@h",
        "http://user:hunter2@h:6379/0",
        "http://user:hun/ter2@hunter2@h",
        "user:hunter2@h",
        ":hunter2@h:6379",
        "redis:/:hunter2@h",
        "http://h/0?password=hunter2",
        "http://h?a=b&sentinel_password=hunter2&c=d",
        "s3x://bucket?secret_access_key=hunter2",
        "http://h?session_token=hunter2#f",
    ],
)
def test_passwords_inside_urls_are_hidden(url: str) -> None:
    [problem] = problems_of(GatewaySettings, REDIS_URL=url)

    assert "hunter2" not in problem
    assert "***" in problem


def test_lease_that_one_late_renewal_would_lose_is_refused_with_both_names() -> None:
    [problem] = problems_of(ProcessorSettings, WAYBILL_LEASE_MS="1000", WAYBILL_RENEW_EVERY_MS="900")

    assert problem.startswith("WAYBILL_RENEW_EVERY_MS=900 must be at most half of WAYBILL_LEASE_MS=1000, or")


def test_a_drain_that_the_platform_would_cut_is_refused_with_both_names() -> None:
    [problem] = problems_of(GatewaySettings, WAYBILL_DRAIN_SECONDS="26")

    assert "WAYBILL_DRAIN_SECONDS=26 must be at least 5 seconds less than WAYBILL_STOP_GRACE_SECONDS=30" in problem
    assert load(GatewaySettings, {"WAYBILL_DRAIN_SECONDS": "26", "WAYBILL_STOP_GRACE_SECONDS": "31"}).drain_seconds


def test_a_drain_is_what_the_time_of_a_stop_leaves_and_too_little_for_handing_back_is_refused() -> None:
    [problem] = problems_of(ProcessorSettings, WAYBILL_STOP_GRACE_SECONDS="14")

    assert problem.startswith("WAYBILL_STOP_GRACE_SECONDS='14': it must be a number from 15 to 3,600 seconds")
    assert load(ProcessorSettings, {}).drain_seconds == 15
    assert load(ProcessorSettings, {"WAYBILL_STOP_GRACE_SECONDS": "600"}).drain_seconds == 585
    assert load(ProcessorSettings, {"WAYBILL_STOP_GRACE_SECONDS": "15"}).drain_seconds == 0


def test_two_servers_on_one_port_are_refused_with_both_names_but_not_two_free_ones() -> None:
    [problem] = problems_of(GatewaySettings, WAYBILL_PORT="9090")

    assert "WAYBILL_PORT=9090 must differ from WAYBILL_ADMIN_PORT=9090" in problem
    assert load(GatewaySettings, {"WAYBILL_PORT": "0", "WAYBILL_ADMIN_PORT": "0"}).port == 0


def test_contradictions_come_together_with_wrong_values() -> None:
    problems = problems_of(ProcessorSettings, WAYBILL_SLOTS="many", WAYBILL_LEASE_MS="1000")

    assert [problem.split("=")[0] for problem in problems] == ["WAYBILL_SLOTS", "WAYBILL_RENEW_EVERY_MS"]


def test_a_wrong_value_is_not_blamed_for_a_contradiction_with_its_default() -> None:
    [problem] = problems_of(ProcessorSettings, WAYBILL_LEASE_MS="1 minute", WAYBILL_RENEW_EVERY_MS="20000")

    assert problem.startswith("WAYBILL_LEASE_MS='1 minute'")


def test_redis_is_where_the_url_says_and_its_password_may_stand_apart() -> None:
    environment = {"REDIS_URL": "redis://h:1/2", "REDIS_USERNAME": "anna", "REDIS_PASSWORD": "pw"}

    location = load(GatewaySettings, environment).redis_location()

    assert (location.addresses, location.db, location.credentials) == ((("h", 1),), 2, ("anna", "pw"))


def test_each_store_has_keys_of_its_own() -> None:
    environment = {
        "WAYBILL_SOURCES_URL": "s3://originals",
        "WAYBILL_SOURCES_ACCESS_KEY_ID": "reader",
        "WAYBILL_SOURCES_SECRET_ACCESS_KEY": "r",
        "WAYBILL_OBJECTS_URL": "s3://bundles",
        "WAYBILL_OBJECTS_ACCESS_KEY_ID": "writer",
        "WAYBILL_OBJECTS_SECRET_ACCESS_KEY": "w",
    }

    settings = load(ProcessorSettings, environment)

    found = [(store.access_key_id, store.secret_access_key) for store in (settings.sources, settings.objects)]  # type: ignore[union-attr]
    assert found == [("reader", "r"), ("writer", "w")]


def test_half_a_pair_of_keys_and_keys_of_a_directory_are_refused_together() -> None:
    problems = problems_of(
        ProcessorSettings,
        WAYBILL_SOURCES_URL="s3://originals",
        WAYBILL_SOURCES_ACCESS_KEY_ID="hunter2",
        WAYBILL_OBJECTS_SECRET_ACCESS_KEY="hunter2",
    )

    assert len(problems) == 2
    assert "WAYBILL_SOURCES_ACCESS_KEY_ID is set without WAYBILL_SOURCES_SECRET_ACCESS_KEY" in problems[0]
    assert "WAYBILL_OBJECTS_SECRET_ACCESS_KEY is set, and WAYBILL_OBJECTS_URL names no S3 bucket" in problems[1]
    assert "hunter2" not in "".join(problems)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org", "::", "127.0.0.1.evil"])
def test_gateway_without_authentication_listens_on_loopback_only(host: str) -> None:
    [problem] = problems_of(GatewaySettings, WAYBILL_HOST=host)

    assert problem.startswith(f"WAYBILL_HOST={host} must be a loopback address with WAYBILL_AUTH=none")


@pytest.mark.parametrize(
    "text",
    ["/srv/c.jsonl", "hook.jsonl", "templates/c", "template:{file_id}", "template:{owner}/{file_id}.bin", "hook:a.b:c"],
)
def test_the_three_kinds_of_catalogue_are_accepted(text: str) -> None:
    assert load(GatewaySettings, {"WAYBILL_CATALOGUE": text}).catalogue == text


@pytest.mark.parametrize(
    "text", ["template:", "template:files/{id}", "hook:", "hook:module", "hook:a/b.py:c", "hook:a:1"]
)
def test_a_catalogue_that_names_no_file_is_refused(text: str) -> None:
    [problem] = problems_of(GatewaySettings, WAYBILL_CATALOGUE=text)

    assert f"WAYBILL_CATALOGUE={text!r}: it must be the path of a manifest, template:" in problem


@pytest.mark.parametrize(
    ("sources", "objects"),
    [
        ({"SOURCES_DIR": "/srv/w"}, {"OBJECTS_DIR": "/srv/w/"}),
        ({"SOURCES_DIR": "/srv/w/objects/in"}, {"OBJECTS_DIR": "/srv/w/objects"}),
        ({"SOURCES_URL": "file:///srv/w/a/../b"}, {"OBJECTS_DIR": "/srv/w/b"}),
        ({"SOURCES_URL": "s3://box/files"}, {"OBJECTS_URL": "s3://box/files"}),
        ({"SOURCES_URL": "s3://box/files"}, {"OBJECTS_URL": "s3://box?region=eu-central-1"}),
        ({"SOURCES_URL": "s3://box/w/in"}, {"OBJECTS_URL": "s3://box/w"}),
    ],
)
def test_sources_among_the_archives_are_a_contradiction(sources: dict[str, str], objects: dict[str, str]) -> None:
    given = {f"WAYBILL_{name}": value for name, value in (sources | objects).items()}

    [problem] = problems_of(ProcessorSettings, **given)

    assert all(f"{name}={value}" in problem for name, value in given.items())
    assert "must lie outside of" in problem


@pytest.mark.parametrize(
    ("sources", "objects"),
    [
        ({"SOURCES_DIR": "/srv/w"}, {"OBJECTS_DIR": "/srv/w/bundles"}),
        ({"SOURCES_DIR": "/srv/objects-old"}, {"OBJECTS_DIR": "/srv/objects"}),
        ({"SOURCES_URL": "s3://box"}, {"OBJECTS_URL": "s3://box/bundles"}),
        ({"SOURCES_URL": "s3://box/files-old"}, {"OBJECTS_URL": "s3://box/files"}),
        ({"SOURCES_URL": "s3://box?endpoint=http://one"}, {"OBJECTS_URL": "s3://box?endpoint=http://two"}),
        ({"SOURCES_DIR": "/srv/w"}, {"OBJECTS_URL": "s3://srv/w"}),
    ],
)
def test_archives_below_the_sources_or_beside_them_are_fine(sources: dict[str, str], objects: dict[str, str]) -> None:
    given = {f"WAYBILL_{name}": value for name, value in (sources | objects).items()}

    settings = load(ProcessorSettings, given)

    assert settings.sources != settings.objects


@pytest.mark.parametrize(
    "url",
    [
        "http://ops.example.org",
        "https://user:secret@ops.example.org:8443/hooks/x?a=b#c",
        "https://[::1]:65535/",
        "http://127.0.0.1:1",
    ],
)
def test_an_admin_callback_is_an_http_url(url: str) -> None:
    assert load(ProcessorSettings, {"WAYBILL_ADMIN_CALLBACK_URL": url}).admin_callback_url == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hunter2",
        "hunter2",
        "http://",
        "http:///hunter2",
        "http://h:65536/hunter2",
        "http://h:/hunter2",
        "http://h /",
    ],
)
def test_what_is_no_admin_callback_is_refused_without_showing_it(url: str) -> None:
    [problem] = problems_of(ProcessorSettings, WAYBILL_ADMIN_CALLBACK_URL=url)

    assert problem.startswith("WAYBILL_ADMIN_CALLBACK_URL='***': it must be an http:// or https:// URL.")
    assert "hunter2" not in problem


def test_a_command_reads_where_redis_is_and_nothing_else() -> None:
    settings = load(RedisSettings, {"REDIS_URL": "redis://h:1/0", "WAYBILL_PARTITIONS": "many", "WAYBILL_SLOTS": "x"})

    assert settings.redis_location().shown == "redis://h:1/0"


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"WAYBILL_AUTH": "jwt"}, "WAYBILL_AUTH=jwt needs WAYBILL_JWT_SECRETS or WAYBILL_JWT_JWKS, and not both"),
        ({"WAYBILL_AUTH": "jwt", "WAYBILL_JWT_SECRETS": "hunter2" * 5, "WAYBILL_JWT_JWKS": "/k"}, "and not both"),
        ({"WAYBILL_JWT_SECRETS": "hunter2" * 5}, "means nothing with WAYBILL_AUTH=none"),
        ({"WAYBILL_AUTH": "keys", "WAYBILL_JWT_JWKS": "/k"}, "means nothing with WAYBILL_AUTH=keys"),
        ({"WAYBILL_AUTH": "jwt", "WAYBILL_JWT_JWKS": "/k", "WAYBILL_JWT_ISSUER": "i"}, "WAYBILL_JWT_AUDIENCE= must"),
        ({"WAYBILL_AUTH": "jwt", "WAYBILL_JWT_JWKS": "/k", "WAYBILL_JWT_AUDIENCE": "a"}, "WAYBILL_JWT_ISSUER= must"),
        ({"WAYBILL_AUTH": "jwt", "WAYBILL_JWT_SECRETS": "hunter2"}, "of 32 characters or more"),
        ({"WAYBILL_AUTH": "jwt", "WAYBILL_JWT_SECRETS": "hunter2" * 5 + " hunter2"}, "of 32 characters or more"),
        ({"WAYBILL_AUTH": "jwt,keys"}, "WAYBILL_AUTH='jwt,keys'"),
        ({"WAYBILL_AUTH": ""}, "WAYBILL_AUTH is there, and empty"),
        ({"WAYBILL_JWT_ISSUER": "i"}, "means nothing with WAYBILL_AUTH=none"),
        (
            {"WAYBILL_AUTH": "jwt", "WAYBILL_JWT_SECRETS": "EXAMPLE-of-random-text-of-32-characters-or-more"},
            "the example of the documentation",
        ),
        ({"WAYBILL_TICKET_SECRETS": "hunter2" * 5}, "WAYBILL_TICKET_SECRETS='***': it must be keyid:secret"),
        ({"WAYBILL_TICKET_SECRETS": "k1:" + "hunter2" * 4}, "secrets of 32 characters or more"),
        ({"WAYBILL_TICKET_SECRETS": "k 1:" + "hunter2" * 5}, "ids of 1 to 16 letters, digits, - and _"),
        ({"WAYBILL_TICKET_SECRETS": f"k1:{'hunter2' * 5} k1:{'2hunter' * 5}"}, "has an id twice"),
        (
            {"WAYBILL_TICKET_SECRETS": "k1:EXAMPLE-of-random-text-of-32-characters-or-more"},
            "WAYBILL_TICKET_SECRETS holds the example of the documentation",
        ),
        (
            {"REDIS_URL": "rediss://r:6379/0", "REDIS_PASSWORD": "EXAMPLE-change-me-gateway"},
            "REDIS_PASSWORD holds the example of the documentation",
        ),
        (
            {"REDIS_URL": "rediss://gateway:EXAMPLE-change-me-gateway@r:6379/0"},
            "REDIS_URL holds the example of the documentation",
        ),
        ({"WAYBILL_JWT_JWKS": "http://localhost:x@evil.example/k", "WAYBILL_AUTH": "jwt"}, "WAYBILL_JWT_JWKS="),
        ({"WAYBILL_JWT_JWKS": "http://127.0.0.1:80@evil.example/k", "WAYBILL_AUTH": "jwt"}, "WAYBILL_JWT_JWKS="),
    ],
)
def test_settings_of_authentication_that_do_not_fit_together(environment: dict[str, str], problem: str) -> None:
    told = "\n".join(problems_of(GatewaySettings, **environment))

    assert problem in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "place",
    ["http://id.example.org/k", "http://127.0.0.1.evil.org/k", "ftp://h/k", "https://", "file:///k", "https:// h"],
)
def test_keys_of_an_issuer_are_not_fetched_where_others_may_change_them(place: str) -> None:
    told = "\n".join(problems_of(GatewaySettings, WAYBILL_AUTH="jwt", WAYBILL_JWT_JWKS=place))

    assert f"WAYBILL_JWT_JWKS={place!r}" in told


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "waybill.example.org"])
def test_gateway_with_authentication_listens_where_it_is_told(host: str) -> None:
    assert load(GatewaySettings, {"WAYBILL_AUTH": "keys", "WAYBILL_HOST": host}).host == host


@pytest.mark.parametrize("kind", [RedisSettings, *PROGRAMS.values()])
def test_the_repr_of_settings_shows_no_secret(kind: type[RedisSettings]) -> None:
    assert "hunter2" not in repr(load(kind, {"REDIS_PASSWORD": "hunter2"}))


EDGE = {
    "WAYBILL_HOSTS": ["downloads.example.org", "a.example, b.example [2001:db8::1] 10.0.0.1", ""],
    "WAYBILL_CORS_ORIGINS": ["https://a.example", "https://a.example:8443, http://localhost:3000", "http://[::1]:3000"],
    "WAYBILL_TRUSTED_PROXIES": ["10.0.0.0/8", "10.1.2.3, 2001:db8::/32 ::1", ""],
}
NO_EDGE = {
    "WAYBILL_HOSTS": ["a.example:80", "https://a.example", "*.example", "a b!", "a/b"],
    "WAYBILL_CORS_ORIGINS": [
        "a.example", "https://a.example/", "https://A.example", "https://*.a.example", "null", "https://a@b", "*, https://a",
        "https://a.example *", "ftp://a.example",
    ],
    "WAYBILL_TRUSTED_PROXIES": ["10.0.0.1/8", "nginx", "10.0.0.0/33", "*", "10.0.0.0/8, many", "300.1.1.1"],
}  # fmt: skip


@pytest.mark.parametrize(("variable", "text"), [(name, text) for name, texts in EDGE.items() for text in texts])
def test_names_origins_and_proxies_are_listed_with_spaces_or_commas(variable: str, text: str) -> None:
    load(GatewaySettings, {variable: text})


@pytest.mark.parametrize(("variable", "text"), [(name, text) for name, texts in NO_EDGE.items() for text in texts])
def test_name_origin_or_proxy_that_is_none_is_refused_with_its_variable(variable: str, text: str) -> None:
    [problem] = problems_of(GatewaySettings, **{variable: text})

    assert problem.startswith(variable)


def test_pages_of_everybody_are_let_in_with_authentication_alone() -> None:
    load(GatewaySettings, {"WAYBILL_CORS_ORIGINS": "*", "WAYBILL_AUTH": "keys"})

    [problem] = problems_of(GatewaySettings, WAYBILL_CORS_ORIGINS="*")

    assert "WAYBILL_AUTH=none" in problem


def test_callbacks_go_by_https_to_public_addresses_unless_an_operator_says_otherwise() -> None:
    rules = load(GatewaySettings, {}).callback_rules

    assert rules == CallbackRules()
    assert not rules.takes_http


@pytest.mark.parametrize("kind", [GatewaySettings, ProcessorSettings])
def test_gateway_and_processor_read_the_same_rules_for_callbacks(kind: type[CommonSettings]) -> None:
    environment = {
        "WAYBILL_CALLBACK_HTTP": "true",
        "WAYBILL_CALLBACK_PORTS": "443, 8000-8999",
        "WAYBILL_CALLBACK_NETWORKS": "10.1.0.0/16 fd12::1",
        "WAYBILL_CALLBACK_HOSTS": "Hooks.internal,*.svc.cluster.local",
    }

    assert load(kind, environment).callback_rules == CallbackRules(
        takes_http=True,
        ports=(range(443, 444), range(8000, 9000)),
        networks=(ip_network("10.1.0.0/16"), ip_network("fd12::1/128")),
        hosts=("hooks.internal", "*.svc.cluster.local"),
    )


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("WAYBILL_CALLBACK_PORTS", "https", "it must be one or several ports"),
        ("WAYBILL_CALLBACK_PORTS", "0", "has '0'; ports are from 1 to 65535"),
        ("WAYBILL_CALLBACK_PORTS", "443 65536", "has '65536'; ports are from 1 to 65535"),
        ("WAYBILL_CALLBACK_PORTS", "9000-8000", "has '9000-8000'; ports are from 1 to 65535, the lower one first"),
        ("WAYBILL_CALLBACK_NETWORKS", "10.1.2.3/8", "has '10.1.2.3/8', which is neither an address nor a network"),
        ("WAYBILL_CALLBACK_NETWORKS", "hooks.internal", "has 'hooks.internal', which is neither"),
        ("WAYBILL_CALLBACK_HOSTS", "https://hooks.internal", "it must be one or several names"),
        ("WAYBILL_CALLBACK_HOSTS", "*", "it must be one or several names"),
        ("WAYBILL_CALLBACK_HOSTS", "10.0.0.1", "it must be one or several names"),
        ("WAYBILL_CALLBACK_HOSTS", "*.0.0.1", "it must be one or several names"),
        ("WAYBILL_CALLBACK_SECRETS", "hunter2", "secret 1: it must begin with whsec_."),
        ("WAYBILL_CALLBACK_SECRETS", "whsec_EXAMPLEofBase64OfRandomBytes0123456789abcdef", "which everybody knows"),
    ],
)
def test_a_wrong_setting_of_callbacks_is_told_in_one_sentence(variable: str, text: str, says: str) -> None:
    [problem] = problems_of(ProcessorSettings, **{variable: text})

    assert problem.startswith(variable)
    assert says in problem
    assert "hunter2" not in problem


def test_secrets_of_callbacks_are_read() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    [read] = load(ProcessorSettings, {"WAYBILL_CALLBACK_SECRETS": secret}).signing_secrets

    assert read.text == secret


def test_callbacks_are_tried_for_about_three_days_unless_operators_say_otherwise() -> None:
    assert 3 * 86_400 <= sum(load(ProcessorSettings, {}).schedule_seconds) < 4 * 86_400
    assert load(ProcessorSettings, {"WAYBILL_CALLBACK_SCHEDULE": "0, 5 300"}).schedule_seconds == (0, 5, 300)


@pytest.mark.parametrize("text", ["five", "-1", "0 5 x", "1.5", "604801", " ".join(["0"] * 21), "0 1000000", "5 300"])
def test_a_schedule_of_callbacks_that_is_none_is_refused(text: str) -> None:
    [problem] = problems_of(ProcessorSettings, WAYBILL_CALLBACK_SCHEDULE=text)

    assert problem.startswith("WAYBILL_CALLBACK_SCHEDULE")


def test_the_public_address_is_a_url_that_paths_can_be_put_behind() -> None:
    for url in ("https://downloads.example.org", "http://127.0.0.1:8080/waybill/", ""):
        assert load(ProcessorSettings, {"WAYBILL_PUBLIC_URL": url}).public_url == url
    for url in ("downloads.example.org", "https://a/?b", "https://a#b", "https://user@a"):
        [problem] = problems_of(ProcessorSettings, WAYBILL_PUBLIC_URL=url)
        assert problem.startswith("WAYBILL_PUBLIC_URL")


@pytest.mark.parametrize("kind", PROGRAMS.values())
def test_secrets_of_tickets_are_judged_alike_by_both_programs(kind: type[CommonSettings]) -> None:
    [problem] = problems_of(kind, WAYBILL_TICKET_SECRETS=f"k1:{'hunter2' * 5} k1:{'2hunter' * 5}")

    assert "has an id twice" in problem
