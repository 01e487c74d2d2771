"""Typed values: parsing, the words for what is wrong, and text again."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from encap_compile.common import values
from encap_compile.common.values import ValueProblem


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("ipv4", "192.0.2.1", bytes([192, 0, 2, 1])),
        ("ipv6", "2001:db8::1", ip_address("2001:db8::1").packed),
        ("ip", "192.0.2.1", values.MAPPED + bytes([192, 0, 2, 1])),
        ("ip", "2001:DB8::1", ip_address("2001:db8::1").packed),
        ("mac", "02:00:5E:10:00:01", bytes.fromhex("02005e100001")),
        ("u8", 255, 255),
        ("u24", "0xFFFFFF", 0xFFFFFF),
        ("u32", "0", 0),
        ("port", "65535", 65535),
        ("dscp", "EF", 46),
        ("dscp", 63, 63),
        ("protocol", "icmpv6", 58),
        ("protocol", 255, 255),
    ],
)
def test_right(type_: str, value: int | str, expected: int | bytes) -> None:
    parsed = values.parse(type_, value)
    assert parsed == expected
    assert values.parse(type_, values.format_value(type_, parsed)) == expected


@pytest.mark.parametrize(
    ("type_", "value", "code", "help"),
    [
        ("ipv4", "192.0.2.01", "E414", "192.0.2.1"),
        ("ipv4", "192.0.2", "E411", "like"),
        ("ipv4", "0x7f.1", "E411", "like"),
        ("ipv4", "3232235777", "E411", "like"),
        ("ipv4", 3232235777, "E411", "like"),
        ("ipv4", "1.2.3.4 ", "E411", "like"),
        ("ipv4", "1.2.3.\u0664", "E411", "like"),
        ("ipv4", "2001:db8::1", "E425", "`ip`"),
        ("ipv4", "255.255.255.255", "E418", "unicast"),
        ("ipv6", "192.0.2.1", "E425", "`ip`"),
        ("ipv6", "::", "E418", "unicast"),
        ("ipv6", "::ffff:192.0.2.1", "E416", "192.0.2.1"),
        ("ipv6", "fe80::1%eth0", "E417", "%"),
        ("ipv6", "2001:db8:::1", "E411", "like"),
        ("ip", "::ffff:1.2.3.4", "E416", "1.2.3.4"),
        ("ip", "example.com", "E411", "not resolved"),
        ("ip", True, "E411", "like"),
        ("ip", "1.2.3.4/24", "E424", "1.2.3.4"),
        ("mac", "02-00-5e-10-00-01", "E411", "02:00:5e:10:00:01"),
        ("mac", "2:0:5e:10:0:1", "E411", "six pairs"),
        ("mac", 2, "E411", "six pairs"),
        ("u8", 256, "E412", "0 to 255"),
        ("u8", -1, "E412", "0 to 255"),
        ("u8", "-1", "E414", ""),
        ("u8", "+1", "E414", "write 1"),
        ("u8", "\u0661", "E411", "decimal"),
        ("u16", "1_0", "E414", "write 10"),
        ("u16", "1,0", "E411", "[1, 0]"),
        ("u16", "", "E411", "decimal"),
        ("u32", False, "E411", ""),
        ("u32", "0x", "E411", "hexadecimal"),
        ("u32", "9" * 5000, "E411", ""),
        ("port", 0, "E412", "1 to 65535"),
        ("dscp", "af44", "E411", "af43"),
        ("dscp", 64, "E412", "0 to 63"),
        ("protocol", "tpc", "E411", "tcp"),
    ],
)
def test_wrong(type_: str, value: int | str, code: str, help: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        values.parse(type_, value)
    assert caught.value.code == code
    assert help in caught.value.help


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3", "::/0", "2001:db8::/32", "2001:db8::1"])
def test_prefix(text: str) -> None:
    assert values.prefix(text) == ip_network(text)


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("10.0.0.1/8", "E415", "10.0.0.0/8"),
        ("2001:db8::1/64", "E415", "2001:db8::/64"),
        ("10.0.0.0/33", "E412", "0 to 32"),
        ("::/129", "E412", "0 to 128"),
        ("10.0.0.0/", "E412", "0 to 32"),
        ("10.0.0.0/08", "E412", "0 to 32"),
        ("10.0.0.0/-1", "E412", "0 to 32"),
        ("10.0.0.0/8/8", "E412", "0 to 32"),
        ("10.0.0.0/255.0.0.0", "E411", "10.0.0.0/8"),
        ("10.0.0.0/255.0.255.0", "E412", "0 to 32"),
        ("10/8", "E411", "10.0.0.0/8"),
        ("10.1/16", "E411", "10.1.0.0/16"),
        ("any", "E411", "0.0.0.0/0"),
        ("010.0.0.0/8", "E414", "10.0.0.0"),
        ("::ffff:0:0/96", "E416", "IPv4"),
        ("fe80::%1/64", "E417", "%"),
        ("", "E411", "like"),
    ],
)
def test_wrong_prefix(text: str, code: str, help: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        values.prefix(text)
    assert caught.value.code == code
    assert help in caught.value.help


def test_ranges() -> None:
    assert values.number_range("8000-8999", 65535, "port") == (8000, 8999)
    assert values.number_range("0x1000 - 0x1fff", 0xFFFFFFFF, "mark") == (0x1000, 0x1FFF)
    assert values.number_range(7, 65535, "port") == (7, 7)
    for wrong, code in (("9-8", "E422"), ("1-2-3", "E411"), ("1-", "E411"), ("-", "E411"), ("1-70000", "E412")):
        with pytest.raises(ValueProblem) as caught:
            values.number_range(wrong, 65535, "port")
        assert caught.value.code == code, wrong
