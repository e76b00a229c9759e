"""Which addresses can be written, and which machines may be dialled."""

from __future__ import annotations

import pytest

from clawgroups.core.addresses import read_address, refusal
from clawgroups.core.errors import Invalid

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "172.15.0.1",
    "100.63.0.1",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.7",
    "192.88.99.1",
    "100.100.100.200",
    "168.63.129.16",
    "::",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "::7f00:1",
    "64:ff9b:1::1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::a9fe:a9fe",
    "4000::1",
    "fe80::1%eth0",
]


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_machine_of_the_world_may_be_dialled(ip: str) -> None:
    assert refusal(ip) == ""


@pytest.mark.parametrize("ip", PRIVATE)
def test_a_machine_in_a_network_may_be_dialled_where_that_is_allowed(ip: str) -> None:
    assert "private network" in refusal(ip)
    assert refusal(ip, private=True) == ""


@pytest.mark.parametrize("ip", [*NEVER, "", "no address", "127.1", "0x7f000001"])
def test_some_are_never_dialled_whoever_allows_what(ip: str) -> None:
    assert "never dialled" in refusal(ip)
    assert "never dialled" in refusal(ip, private=True)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("wss://agent.example.org/acp", "wss://agent.example.org/acp"),
        ("  WSS://Agent.Example.org:443  ", "wss://agent.example.org/"),
        ("wss://agent.example.org:8443/a/b", "wss://agent.example.org:8443/a/b"),
        ("wss://[2606:4700::1111]:1/", "wss://[2606:4700::1111]:1/"),
        ("wss://bücher.example/acp", "wss://xn--bcher-kva.example/acp"),
        ("wss://10.0.0.1/acp", "wss://10.0.0.1/acp"),  # judged when it is dialled
    ],
)
def test_an_address_is_read_and_written_in_one_way(text: str, read: str) -> None:
    assert str(read_address(text)) == read
    assert str(read_address(read)) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is like wss://"),
        ("agent.example.org", "is like wss://"),
        ("https://agent.example.org/acp", "is like wss://"),
        ("file:///etc/passwd", "is like wss://"),
        ("ws://agent.example.org/acp", "Without encryption"),
        ("wss://user:key@agent.example.org/", "no name or key"),
        ("wss://user@agent.example.org/", "no name or key"),
        ("wss://agent.example.org/acp?token=x", "“?”"),
        ("wss://agent.example.org/acp?", "“?”"),
        ("wss://agent.example.org/acp#x", "“?”"),
        ("wss:///acp", "name of the machine"),
        ("wss://-agent/acp", "name of the machine"),
        ("wss://a%00b/acp", "name of the machine"),
        ("wss://127.0.0.1%2f@evil/", "no name or key"),
        ("wss://agent.example.org:0/", "A port is"),
        ("wss://agent.example.org:99999/", "A port is"),
        ("wss://agent.example.org:x/", "A port is"),
        ("wss://[fe80::1%25eth0]/", "IPv6"),
        ("wss://[::1/", "is like wss://"),
        ("wss://agent\\.example.org/", "no spaces"),
        ("wss://agent.example.org/\r\nHost: x", "no spaces"),
        ("wss://agent.example.org/" + "a" * 500, "at most 500"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said.replace("?", r"\?").replace("[", r"\[")) as refused:
        read_address(text)
    assert refused.value.fields["field"] == "address"


def test_without_encryption_only_where_that_is_allowed() -> None:
    assert str(read_address("ws://agent.example.org:80/acp", plain=True)) == "ws://agent.example.org/acp"


def test_a_key_is_for_one_origin() -> None:
    first = read_address("wss://agent.example.org/acp").origin
    assert first == read_address("wss://agent.example.org:443/other").origin
    assert first != read_address("wss://agent.example.org:444/acp").origin
    assert first != read_address("ws://agent.example.org:443/acp", plain=True).origin
