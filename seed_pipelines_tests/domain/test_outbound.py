"""Which addresses a call may go to: every form by which one host is made to look like another is refused."""

from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AnyUrl
from urllib3.util import parse_url

from seed_pipelines.domain.outbound import STUB_HOSTS, STUB_PORTS, Endpoint, endpoint_of, is_near, ports_of
from seed_pipelines.errors import ExternalCallsBlocked
from seed_pipelines_tests.bypasses import BYPASSES

ACCEPTED = {
    "http://127.0.0.1:4010": Endpoint("http", "127.0.0.1", 4010, ""),
    "http://127.0.0.1:4010/": Endpoint("http", "127.0.0.1", 4010, ""),
    "http://localhost:4011/v1": Endpoint("http", "localhost", 4011, "/v1"),
    "http://localhost": Endpoint("http", "localhost", 80, ""),
    "https://prism": Endpoint("https", "prism", 443, ""),
    "http://pact:4012/a/b-c.d/": Endpoint("http", "pact", 4012, "/a/b-c.d"),
    "http://stub:443": Endpoint("http", "stub", 443, ""),
    "https://[::1]:4011": Endpoint("https", "::1", 4011, ""),
}

LETTERS = st.sampled_from(
    [
        *"localhostprismpactstub127.0.0.1:@/\\[]%?#-4010",
        "http://",
        "//",
        "::1",
        "\t",
        "\N{IDEOGRAPHIC FULL STOP}",
        "\u200b",
    ]
)
NEIGHBOURS = st.builds(
    lambda address, place, length, put: address[:place] + put + address[place + length :],
    st.sampled_from(sorted(ACCEPTED)),
    st.integers(0, 30),
    st.integers(0, 3),
    st.lists(LETTERS, max_size=3).map("".join),
)


def parsed(address: str) -> Endpoint | None:
    with suppress(ExternalCallsBlocked):
        return endpoint_of("SEED_KYC_URL", address)
    return None


@pytest.mark.parametrize("address", ACCEPTED)
def test_the_addresses_of_stubs_are_allowed(address: str) -> None:
    assert endpoint_of("SEED_KYC_URL", address) == ACCEPTED[address]


@pytest.mark.parametrize("trick", BYPASSES)
def test_everything_else_is_refused_with_a_reason_and_without_the_address(trick: str) -> None:
    with pytest.raises(ExternalCallsBlocked) as refusal:
        endpoint_of("SEED_KYC_URL", BYPASSES[trick])
    problem = refusal.value.problem()
    assert (problem["code"], problem["status"], problem["exit_code"]) == ("external_calls_blocked", 503, 2)
    assert problem["endpoint"] == "SEED_KYC_URL"
    assert problem["reason"]
    assert "secret" not in str(problem)


@given(st.one_of(st.text(), st.lists(LETTERS).map("".join), NEIGHBOURS))
@example("http://localhost:4010/a:b")
@example("https://[::1]:4011/")
def test_what_is_allowed_is_read_the_same_by_three_other_parsers(address: str) -> None:
    """Disagreement of the standard library, urllib3 or the WHATWG parser of pydantic with ours means refusal."""
    endpoint = parsed(address)
    if endpoint is None:
        return
    standard, third, whatwg = urlsplit(address), parse_url(address), AnyUrl(address)
    readings = (
        (standard.scheme, standard.hostname, standard.port),
        (third.scheme, (third.host or "").strip("[]"), third.port),
        (whatwg.scheme, (whatwg.host or "").strip("[]"), whatwg.port),
    )
    for scheme, host, port in readings:
        assert (scheme, host) == (endpoint.scheme, endpoint.host)
        assert (port or {"http": 80, "https": 443}[endpoint.scheme]) == endpoint.port
    for path in (standard.path, third.path or "", whatwg.path or ""):
        assert path.rstrip("/") == endpoint.path
    for user in (standard.username, third.auth, whatwg.username):
        assert user is None


@given(st.text(), st.sampled_from(sorted(ACCEPTED)))
def test_no_text_in_front_of_the_host_leads_elsewhere(text: str, address: str) -> None:
    """Whatever stands between the slashes and the host, the host is one of the list or the address is refused."""
    scheme, rest = address.split("://")
    endpoint = parsed(f"{scheme}://{text}{rest}")
    assert endpoint is None or (endpoint.host in STUB_HOSTS and endpoint.port in STUB_PORTS)


def test_a_deployment_names_other_ports() -> None:
    assert endpoint_of("SEED_KYC_URL", "http://127.0.0.1:40123", {40123}).port == 40123
    with pytest.raises(ExternalCallsBlocked, match="SEED_STUB_PORTS"):
        endpoint_of("SEED_KYC_URL", "http://127.0.0.1:4010", {40123})


@pytest.mark.parametrize(
    ("host", "address", "near"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("localhost", "127.0.0.53", True),
        ("localhost", "10.0.0.1", False),
        ("127.0.0.1", "172.17.0.2", False),
        ("prism", "172.17.0.2", True),
        ("prism", "10.0.0.1", True),
        ("stub", "192.168.1.1", True),
        ("pact", "fd12:3456::1", True),
        ("prism", "127.0.0.1", True),
        ("prism", "172.32.0.1", False),
        ("prism", "93.184.216.34", False),
        ("prism", "2606:2800::1", False),
        ("prism", "169.254.169.254", False),
        ("prism", "fe80::1", False),
        ("prism", "fe80::1%eth0", False),
        ("prism", "::1%lo", False),
        ("prism", "0.0.0.0", False),  # noqa: S104  # refused, not bound
        ("prism", "::", False),
        ("prism", "::ffff:127.0.0.1", False),
        ("prism", "::ffff:169.254.169.254", False),
        ("prism", "100.100.100.200", False),
        ("prism", "168.63.129.16", False),
        ("prism", "fd00:ec2::254", False),
        ("prism", "fd20:ce::254", False),
        ("prism", "224.0.0.1", False),
        ("prism", "255.255.255.255", False),
        ("prism", "evil.com", False),
    ],
)
def test_an_address_is_near_if_it_is_loopback_or_private(host: str, address: str, near: bool) -> None:
    """Never a metadata service, however it is written."""
    assert is_near(host, address) is near


class TestTarget:
    def test_the_path_of_the_endpoint_comes_first(self) -> None:
        endpoint = endpoint_of("SEED_KYC_URL", "http://localhost:4010/stubs")
        assert endpoint.target("/kyc/v1/checks?status=ACTIVE") == "/stubs/kyc/v1/checks?status=ACTIVE"

    @pytest.mark.parametrize(
        "path",
        [
            "checks",
            "//evil.com",
            "/a//b",
            "/../x",
            "/a/..",
            "/a b",
            "/a\r\nHost: evil.com",
            "/a\\b",
            "/@evil",
            "/a#b",
            "/%2e",
            "/..;/admin",
            "/a;b=c",
            "/a?b=c;d=e",
            "/a?b=%",
            "/a?b=%0",
            "/a?b=%zz",
            "",
        ],
    )
    def test_a_path_that_can_be_read_in_two_ways_is_refused(self, path: str) -> None:
        with pytest.raises(ExternalCallsBlocked):
            endpoint_of("SEED_KYC_URL", "http://localhost:4010").target(path)

    def test_the_authority_has_brackets_and_leaves_out_the_port_of_the_scheme(self) -> None:
        assert endpoint_of("x", "http://[::1]:4010").authority == "[::1]:4010"
        assert endpoint_of("x", "https://prism:443").authority == "prism"
        assert endpoint_of("x", "http://prism:443").authority == "prism:443"


def test_ports_are_written_as_numbers_and_ranges() -> None:
    assert ports_of("80, 4010-4012") == {80, 4010, 4011, 4012}
    for text in ("", "0", "http", "4012-4010", "1-65536", "80,", "-1", "\N{ARABIC-INDIC DIGIT FOUR}"):
        with pytest.raises(ValueError, match="port"):
            ports_of(text)
