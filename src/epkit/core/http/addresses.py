"""Classifies a host name without the DNS: whether it is an address, and whether it is this machine only."""

import ipaddress


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address; an IPv6 address may have brackets."""
    return _address(host) is not None


def is_loopback(host: str) -> bool:
    """Tell whether a host is only this machine: `localhost`, or an address of the loopback interface.

    Source: RFC 6761, section 6.3 (`localhost`); RFC 1122, section 3.2.1.3 (127.0.0.0/8); RFC 4291, section 2.5.3 (::1).
    """
    address = _address(host)
    if address is None:
        return host.lower() == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        if host.startswith("[") and host.endswith("]"):
            return ipaddress.IPv6Address(host[1:-1])
        return ipaddress.ip_address(host)
    except ValueError:
        return None
