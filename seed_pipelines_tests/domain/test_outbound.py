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

REFUSED = {
    "a real host": "https://api.kyc.example",
    "a public address": "http://93.184.216.34:4010",
    "the metadata service": "http://169.254.169.254/latest/meta-data",
    "a private address": "http://10.0.0.7:4010",
    "an allowed name as a prefix": "http://localhost.evil.com:4010",
    "an allowed name as a suffix": "http://evil-localhost:4010",
    "an allowed name as a subdomain": "http://prism.evil.com:4010",
    "an allowed name as a parent": "http://evil.prism:4010",
    "an allowed address as a prefix": "http://127.0.0.1.evil.com:4010",
    "an allowed address in a name": "http://127.0.0.1.nip.io:4010",
    "credentials": "http://localhost@evil.com:4010",
    "credentials with a password": "http://user:secret@localhost:4010",
    "an empty user": "http://@localhost:4010",
    "a port that is a password": "http://prism:80@evil.com:443",
    "two at signs": "http://a@evil.com@localhost:4010",
    "an at sign in the path": "http://localhost:4010/@evil.com",
    "a backslash before the at sign": "http://localhost\\@evil.com:4010",
    "a backslash after the host": "http://localhost:4010\\.evil.com",
    "a backslash for the slashes": "http:\\\\localhost:4010",
    "a backslash in the path": "http://localhost:4010/a\\b",
    "a short address": "http://127.1:4010",
    "a shorter address": "http://0:4010",
    "three parts": "http://127.0.1:4010",
    "a decimal address": "http://2130706433:4010",
    "a hexadecimal address": "http://0x7f000001:4010",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1:4010",
    "an octal address": "http://017700000001:4010",
    "octal parts": "http://0177.0.0.1:4010",
    "leading zeros": "http://127.000.000.001:4010",
    "a part beyond 255": "http://127.0.0.257:4010",
    "another loopback address": "http://127.0.0.2:4010",
    "the unspecified address": "http://0.0.0.0:4010",
    "the unspecified IPv6 address": "http://[::]:4010",
    "an IPv4-mapped address": "http://[::ffff:127.0.0.1]:4010",
    "an IPv4-mapped metadata address": "http://[::ffff:169.254.169.254]:4010",
    "an IPv4-mapped address in hexadecimal": "http://[::ffff:7f00:1]:4010",
    "an IPv4-compatible address": "http://[::127.0.0.1]:4010",
    "a 6to4 address": "http://[2002:7f00:1::]:4010",
    "a NAT64 address": "http://[64:ff9b::a9fe:a9fe]:4010",
    "loopback written out": "http://[0:0:0:0:0:0:0:1]:4010",
    "loopback half written out": "http://[::0:1]:4010",
    "a zone": "http://[::1%lo]:4010",
    "an encoded zone": "http://[::1%25lo]:4010",
    "a link-local address with a zone": "http://[fe80::1%25eth0]:4010",
    "brackets around a name": "http://[localhost]:4010",
    "brackets around an IPv4 address": "http://[127.0.0.1]:4010",
    "IPv6 without brackets": "http://::1:4010",
    "a bracket that stays open": "http://[::1:4010",
    "a name after the brackets": "http://[::1]evil.com:4010",
    "a trailing dot": "http://localhost.:4010",
    "two trailing dots": "http://localhost..:4010",
    "a trailing dot of an address": "http://127.0.0.1.:4010",
    "a leading dot": "http://.localhost:4010",
    "full-width dots": "http://127\N{IDEOGRAPHIC FULL STOP}0\N{IDEOGRAPHIC FULL STOP}0\N{IDEOGRAPHIC FULL STOP}1:4010",
    "full-width digits": "http://\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}\N{FULLWIDTH DIGIT SEVEN}.0.0.1:4010",
    "full-width letters": "http://\N{FULLWIDTH LATIN SMALL LETTER L}ocalhost:4010",
    "circled letters": "http://\N{CIRCLED LATIN SMALL LETTER L}ocalhost:4010",
    "a long s": "http://\N{LATIN SMALL LETTER LONG S}tub:4010",
    "a dotless i": "http://pr\N{LATIN SMALL LETTER DOTLESS I}sm:4010",
    "a Cyrillic letter": "http://\N{CYRILLIC SMALL LETTER ER}rism:4010",
    "punycode": "http://xn--prsm-5oa:4010",
    "a soft hyphen": "http://local\u00adhost:4010",
    "a zero-width space": "http://local\u200bhost:4010",
    "a zero-width joiner": "http://localhost\u200d:4010",
    "a byte order mark": "\ufeffhttp://localhost:4010",
    "a right-to-left override": "http://localhost\u202e:4010",
    "a tab in the host": "http://local\thost:4010",
    "a tab in the scheme": "ht\ttp://localhost:4010",
    "a newline in the host": "http://localhost\n.evil.com:4010",
    "a newline at the end": "http://localhost:4010\n",
    "a carriage return": "http://localhost:4010\r\nHost: evil.com",
    "a zero byte": "http://localhost\0.evil.com:4010",
    "a blank at the end": "http://localhost:4010 ",
    "a blank at the beginning": " http://localhost:4010",
    "a blank in the host": "http://localhost .evil.com:4010",
    "a line separator": "http://localhost:4010\u2028",
    "an encoded dot": "http://localhost%2eevil.com:4010",
    "an encoded slash": "http://evil.com%2f@localhost:4010",
    "an encoded host": "http://%6cocalhost:4010",
    "an encoded at sign": "http://localhost%40evil.com:4010",
    "an encoded newline": "http://localhost:4010/%0d%0aHost:%20evil.com",
    "an encoded zero byte": "http://localhost%00.evil.com:4010",
    "upper case": "http://LOCALHOST:4010",
    "a scheme in upper case": "HTTP://localhost:4010",
    "no scheme": "localhost:4010",
    "no scheme, but slashes": "//localhost:4010",
    "one slash": "http:/localhost:4010",
    "three slashes": "http:///localhost:4010",
    "a file": "file:///etc/passwd",
    "a file of localhost": "file://localhost/etc/passwd",
    "gopher": "gopher://localhost:4010/_",
    "FTP": "ftp://localhost:4010",
    "a web socket": "ws://localhost:4010",
    "a socket's path": "http+unix://localhost:4010",
    "JavaScript": "javascript://localhost:4010",
    "a URL in a URL": "url:http://localhost:4010",
    "data": "data:text/plain,hello",
    "a fragment that hides a host": "http://evil.com#@localhost:4010",
    "a fragment": "http://localhost:4010#.evil.com",
    "a query that hides a host": "http://evil.com?@localhost:4010",
    "a query": "http://localhost:4010?to=evil.com",
    "a semicolon in the host": "http://localhost;evil.com:4010",
    "a comma in the host": "http://localhost,evil.com:4010",
    "an underscore": "http://local_host:4010",
    "no port after the colon": "http://localhost:",
    "two ports": "http://localhost:4010:4011",
    "port zero": "http://localhost:0",
    "a port with a leading zero": "http://localhost:04010",
    "a port beyond 65535": "http://localhost:65546",
    "a port that overflows": "http://localhost:4294971306",
    "a port with a sign": "http://localhost:+4010",
    "a negative port": "http://localhost:-1",
    "a port in other digits": "http://localhost:401\N{ARABIC-INDIC DIGIT ZERO}",
    "a port that is no number": "http://localhost:http",
    "a port that no stub has": "http://localhost:8200",
    "a name in place of a port": "http://localhost:evil.com",
    "dots in the path": "http://localhost:4010/../admin",
    "a dot in the path": "http://localhost:4010/./v1",
    "dots at the end of the path": "http://localhost:4010/v1/..",
    "two slashes in the path": "http://localhost:4010//evil.com/v1",
    "nothing": "",
    "a scheme alone": "http://",
    "no end": "http://localhost:4010/" + "a" * 2048,
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


@pytest.mark.parametrize("trick", REFUSED)
def test_everything_else_is_refused_with_a_reason_and_without_the_address(trick: str) -> None:
    with pytest.raises(ExternalCallsBlocked) as refusal:
        endpoint_of("SEED_KYC_URL", REFUSED[trick])
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
