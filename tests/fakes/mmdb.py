"""Writes small databases in the MaxMind DB format, version 2.0 (maxmind.github.io/MaxMind-DB).

Law: nothing of ours is used, and every record is 32 bits wide. Networks must not hold each other.
"""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
_STRING, _DOUBLE, _MAP, _UINT16, _UINT32, _UINT64, _ARRAY = 2, 3, 7, 5, 6, 9, 11


def database(rows: Mapping[str, Mapping[str, Any]], version: int = 6) -> bytes:
    """Network -> record. In a database of version 6, IPv4 networks are at ::/96."""
    data, places = b"", {}
    for network, record in rows.items():
        places[network] = len(data)
        data += encode(record)
    root: list[Any] = [None, None]
    nodes = [root]
    for network, at in places.items():
        _insert(nodes, _bits(ip_network(network), version), at)
    number = {id(node): index for index, node in enumerate(nodes)}
    tree = b"".join(struct.pack(">II", *(_pointer(side, number) for side in node)) for node in nodes)
    return tree + bytes(16) + data + MARKER + encode(_metadata(len(nodes), version))


def _bits(network: IPv4Network | IPv6Network, version: int) -> str:
    whole = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    return "0" * 96 + whole if version == 6 and network.version == 4 else whole


def _insert(nodes: list[list[Any]], bits: str, at: int) -> None:
    node = nodes[0]
    for bit in map(int, bits[:-1]):
        if node[bit] is None:
            node[bit] = [None, None]
            nodes.append(node[bit])
        node = node[bit]
    node[int(bits[-1])] = at


def _pointer(side: Any, number: Mapping[int, int]) -> int:
    if side is None:
        return len(number)
    return number[id(side)] if isinstance(side, list) else len(number) + 16 + int(side)


def _metadata(nodes: int, version: int) -> dict[str, Any]:
    return {
        "node_count": (_UINT32, nodes),
        "record_size": (_UINT16, 32),
        "ip_version": (_UINT16, version),
        "database_type": "Test-City",
        "languages": ["en"],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1_800_000_000),
        "description": {"en": "test"},
    }


def encode(value: Any) -> bytes:
    """One value of the data section; a number of a certain kind is (type, number)."""
    if isinstance(value, str):
        return _control(_STRING, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return _control(_DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, tuple):
        raw = value[1].to_bytes((value[1].bit_length() + 7) // 8, "big")
        return _control(value[0], len(raw)) + raw
    if isinstance(value, Mapping):
        parts = (encode(key) + encode(each) for key, each in value.items())
        return _control(_MAP, len(value)) + b"".join(parts)
    return _control(_ARRAY, len(value)) + b"".join(map(encode, value))


def _control(kind: int, size: int) -> bytes:
    assert size < 29 + 256
    more = bytes((size - 29,)) if size >= 29 else b""
    head = min(size, 29)
    return (bytes((kind << 5 | head,)) if kind < 8 else bytes((head, kind - 7))) + more


def city(
    country: str, continent: str, subdivisions: tuple[str, ...] = (), at: tuple[float, float] | None = None
) -> dict[str, Any]:
    """A record as the City databases have them."""
    record: dict[str, Any] = {
        "continent": {"code": continent},
        "country": {"iso_code": country, "names": {"en": country}},
        "subdivisions": [{"iso_code": each} for each in subdivisions],
    }
    return record if at is None else {**record, "location": {"latitude": at[0], "longitude": at[1]}}
