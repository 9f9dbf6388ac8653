"""URLs by which somebody might have a callback go where it must not; `{port}` is that of listeners on loopback.

Every name leads to an address that is refused. So each layer that is taken away can be seen to hold, or not, alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

GOOD_NAME = "good.example.org"
"""A name of an attacker's, like every other here: it leads to loopback."""


class Attack(NamedTuple):
    """A URL, and what its host leads to when it is a name. `is_plain`: its host is written as it should be."""

    url: str
    leads_to: tuple[str, ...] = ()
    is_plain: bool = False


IPV4 = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.254 100.64.0.1 100.100.100.200 100.127.255.254 127.0.0.1 127.0.0.2 127.1.2.3
127.255.255.254 168.63.129.16 169.254.0.1 169.254.42.42 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.254
192.0.0.1 192.0.0.9 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.168.255.254
192.175.48.1 198.18.0.1 198.19.255.254 198.51.100.7 203.0.113.7 224.0.0.1 233.252.0.1 239.255.255.250 240.0.0.1
255.255.255.254 255.255.255.255
""".split()

IPV6 = """
:: ::1 ::2 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 ::127.0.0.1 ::10.0.0.1
::8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254
64:ff9b::8.8.8.8 64:ff9b:1::127.0.0.1 64:ff9b:1:fffe::10.0.0.1 100::1 100:0:0:1::1 200::1 2001::1 2001:0:7f00:1::
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1::1 2001:2::1 2001:10::1 2001:1f:ffff::1 2001:20::1 2001:2f:ffff::1
2001:30::1 2001:1ff::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 2002:808:808:: 2620:4f:8000::1 3fff::1
3fff:fff::1 4000::1 5f00::1 8000::1 e000::1 fc00::1 fd00:ec2::254 fd00:ec2::23 fd12:3456:789a::1 fd20:ce::254 fe80::1
febf::1 fec0::1 feff::1 ff01::1 ff02::1 ff0e::1 2600::5efe:127.0.0.1 2600::200:5efe:10.0.0.1 2600::5efe:8.8.8.8
""".split()

# What the C library, a browser or a careless parser takes for 127.0.0.1 or 0.0.0.0, and what is no address at all.
ODD_IPV4 = """
127.1 127.0.1 0177.0.0.1 0177.1 0x7f.0.0.1 0x7f.1 0X7f.0.0.1 0x7f000001 0X7F000001 2130706433 017700000001 0177.0.0.0x1
127.0.0.01 127.0.00.1 0127.0.0.1 127.0.0.0x1 127.0.0.1. 127.0.0.1.. 127.1. 2130706433. 0x7f000001. 0 00 0x0 0x 0.0
127.0.0 127.0.0.1.0 127.0.0.256 256.0.0.1 4294967296 6425673729 1e3.0.0.1 127.0.0.1.0x .127.0.0.1 127..0.1
127.0.0.-1 +127.0.0.1 １２７.０.０.１ 127。0。0。1 127．0．0．1 127｡0｡0｡1 ①②⑦.⓪.⓪.① 𝟏𝟐𝟕.𝟎.𝟎.𝟏 ١٢٧.٠.٠.١
127%2e0%2e0%2e1 %31%32%37.0.0.1 127.0.0.1%00 127.0.0.1%20 127.0.0.1%2f 127.0.0.1%09
""".split()

ODD_IPV6 = """
[::1%25lo] [::1%lo] [fe80::1%25eth0] [fe80::1%1] [2600::1%25eth0] [::1 ::1 ::1] [[::1]] [127.0.0.1] [localhost] [v1.a]
[v1.127.0.0.1] [] [:] [:::1] [1::2::3] [::ffff:0x7f.1] [::ffff:127.1] [::ffff:0177.0.0.1] [0:0:0:0:0:0:0:1:1]
[::1].example.org good.example.org[::1] [::１] %5b::1%5d [::1%00] [0:0:0:0:0:0:0:1] [0000:0000::0001]
[0:0:0:0:0:ffff:127.0.0.1] [::FFFF:7F00:0001]
""".split()

ODD_NAMES = """
localhost LOCALHOST LocalHost localhost. localhost.. foo.localhost a.b.localhost localhost.localdomain ｌocalhost
ⓛⓞcalhost localhoſt local­host localhost\u200b loc%61lhost %6c%6f%63alhost localhost%00.example.org
localhost%2eexample.org ip6-localhost ip6-loopback metadata metadata.google.internal instance-data
instance-data.ec2.internal kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local
host.docker.internal gateway.docker.internal printer.local router.home.arpa hidden.onion broken.invalid some.test redis
good.example.org. good..example.org .good.example.org -good.example.org good-.example.org good.example.org%
good!.example.org good,example.org good;example.org good'example.org good(example).org *.example.org good~.example.org
xn--loclhost-hwf.example.org
""".split()

AROUND_THE_HOST = (
    "http://user@127.0.0.1:{port}/",
    "http://user:secret@127.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://:@127.0.0.1:{port}/",
    "http://good.example.org@127.0.0.1:{port}/",
    "http://good.example.org:80@127.0.0.1:{port}/",
    "http://a@b@127.0.0.1:{port}/",
    "http://good.example.org%40127.0.0.1:{port}/",
    "http://127.0.0.1\\@good.example.org:{port}/",
    "http://good.example.org\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\.good.example.org/",
    "http://127.0.0.1:{port}#@good.example.org/",
    "http://good.example.org:{port}#@127.0.0.1:{port}/",
    "http://good.example.org:{port}/#127.0.0.1",
    "http://good.example.org:{port}/#",
    "http://127.0.0.1:{port}?@good.example.org/",
    "http://127.0.0.1:{port};good.example.org/",
    "http://127.0.0.1:{port},good.example.org/",
    "http://127.0.0.1%23.example.org:{port}/",
    "http://127.0.0.1 .example.org:{port}/",
    "http://127.0.\t0.1:{port}/",
    "http://127.0.0.1:{port}\n/",
    "http://127.0.0.1:{port}/\n",
    "http://127.0.0.1:{port}/\r\nHost: good.example.org",
    " http://127.0.0.1:{port}/",
    "\x00http://127.0.0.1:{port}/",
    "http://127.0.0.1\x00.example.org:{port}/",
    "http://\u200b127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "http:////127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "http://http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}:80/",
    "http://good.example.org:{port}:{port}/",
    "http://good.example.org:+{port}/",
    "http://good.example.org:0{port}/",
    "http://good.example.org:-1/",
    "http://good.example.org:/",
    "http://good.example.org:0/",
    "http://good.example.org:65536/",
    "http://good.example.org:８０/",
    "http://good.example.org:22/",
    "http://good.example.org:6379/",
    "http://good.example.org:9200/",
    "http://",
    "http://:{port}/",
    "http://?good.example.org",
    "",
    "https",
    "file:///etc/passwd",
    "file://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_SET%20a%20b",
    "dict://127.0.0.1:{port}/stat",
    "ldap://127.0.0.1:{port}/",
    "tcp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "redis://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "url:http://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}/!/",
    "javascript:fetch('http://127.0.0.1:{port}/')",
    "data:text/plain,hello",
)

MIXED = (
    ("8.8.8.8", "127.0.0.1"),
    ("127.0.0.1", "8.8.8.8"),
    ("2600::1", "::1"),
    ("::1", "2600::1"),
    ("8.8.8.8", "2600::1", "10.0.0.1"),
    ("8.8.8.8", "::ffff:127.0.0.1"),
    ("8.8.8.8", "169.254.169.254"),
)

# What a resolver might give that is no address, and would be looked up once more by the system.
NO_ADDRESSES = ("localhost", "127.1", "0177.0.0.1", "2130706433", "fe80::1%lo", "::1%lo", "127.0.0.1:80", "[::1]", "")


def attacks() -> Iterator[Attack]:
    """Give all of them, each once."""
    for address in IPV4:
        yield Attack(f"http://{address}:{{port}}/", is_plain=True)
    for address in IPV6:
        yield Attack(f"http://[{address}]:{{port}}/", is_plain=True)
    for place, leads_to in enumerate([*zip(IPV4), *zip(IPV6), *MIXED, *zip(NO_ADDRESSES)]):
        yield Attack(f"http://n{place}.attacker.example:{{port}}/", leads_to, is_plain=True)
    for host in ODD_IPV4 + ODD_IPV6:
        yield Attack(f"http://{host}:{{port}}/")
    for host in ODD_NAMES:
        yield Attack(f"http://{host}:{{port}}/", ("127.0.0.1",))
    for url in AROUND_THE_HOST:
        yield Attack(url, ("127.0.0.1",))
