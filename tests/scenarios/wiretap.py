"""Every DNS reply over UDP that leaves a network namespace from port 53.

`python wiretap.py FILE` appends to FILE until it is stopped: `ready`, then for each a line `ADDRESS NAME TYPE
RCODE ANSWERS`. Law: it only listens, so that what is asked and answered is as it would be without it.
"""

import socket
import sys
from ipaddress import IPv4Address, IPv6Address

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

EVERYTHING, OUTGOING = 3, 4  # ETH_P_ALL, PACKET_OUTGOING
UDP, DNS = 17, 53


def reply(packet: bytes) -> tuple[str, bytes]:
    """Where an IP packet goes, and the DNS message in it; empty where it holds none from port 53."""
    if packet[0] >> 4 == 4:
        protocol, start, target = packet[9], 4 * (packet[0] & 15), str(IPv4Address(packet[16:20]))
    else:
        protocol, start, target = packet[6], 40, str(IPv6Address(packet[24:40]))
    if protocol != UDP or int.from_bytes(packet[start : start + 2], "big") != DNS:
        return target, b""
    return target, packet[start + 8 :]


def line(target: str, message: dns.message.Message) -> str:
    question = message.question[0]
    kind, rcode = dns.rdatatype.to_text(question.rdtype), dns.rcode.to_text(message.rcode())
    return f"{target} {question.name.to_text(True).lower()} {kind} {rcode} {len(message.answer)}"


def main(path: str) -> None:
    with (
        open(path, "a", buffering=1, encoding="ascii") as out,
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING)) as wire,
    ):
        print("ready", file=out)
        while True:
            packet, (_, _, kind, *_) = wire.recvfrom(65535)
            target, message = reply(packet) if kind == OUTGOING and len(packet) > 48 else ("", b"")
            try:
                parsed = dns.message.from_wire(message)
            except dns.exception.DNSException:
                continue
            if parsed.question:
                print(line(target, parsed), file=out)


if __name__ == "__main__":
    main(sys.argv[1])
