from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from gateway.outbound import AddressPolicy, policy_for


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "192.0.0.8",
        "fec0::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "5f00::1",
        "3fff::1",
        "100:0:0:1::1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "198.18.0.1",
    ],
)
def test_an_address_inside_is_refused_unless_named(address: str) -> None:
    assert not AddressPolicy().permits(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "20.190.128.1", "::ffff:8.8.8.8"])
def test_a_public_address_is_permitted(address: str) -> None:
    assert AddressPolicy().permits(ip_address(address))


def test_a_listed_network_is_permitted_and_its_neighbour_is_not() -> None:
    policy = policy_for(["https://login.example.com"], [ip_network("10.0.0.0/8")])
    assert policy.permits(ip_address("10.1.2.3"))
    assert policy.permits(ip_address("::ffff:10.1.2.3"))
    assert not policy.permits(ip_address("11.0.0.1")) or ip_address("11.0.0.1").is_global
    assert not policy.permits(ip_address("172.16.0.1"))
    assert not policy.permits(ip_address("127.0.0.1"))


def test_an_address_that_the_configured_url_names_is_permitted_alone() -> None:
    policy = policy_for(["https://10.1.2.3/realms/corp"])
    assert policy.permits(ip_address("10.1.2.3"))
    assert not policy.permits(ip_address("10.1.2.4"))
    assert not policy.loopback


@pytest.mark.parametrize("url", ["http://localhost:9310", "http://127.0.0.1:9310", "http://[::1]:9310"])
def test_a_configured_loopback_url_permits_loopback(url: str) -> None:
    policy = policy_for([url])
    assert policy.permits(ip_address("127.0.0.1"))
    assert policy.http
    assert not policy.permits(ip_address("10.0.0.1"))


def test_https_on_loopback_does_not_permit_http() -> None:
    assert not policy_for(["https://localhost:9310"]).http
