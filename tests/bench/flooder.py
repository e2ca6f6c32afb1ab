"""A random-subdomain flood from one network: `python flooder.py PORT ZONE RATE SECONDS`.

Law: like whoever forges addresses it never reads a reply; each question is for a name that nobody asked
before. It keeps to its rate as far as the machine lets it, and prints what it achieved: queries and seconds.
"""

import socket
import struct
import sys
import time

SOURCES = 64  # addresses of one /24, each with its port: every worker gets its part
NETWORK = "127.66.0"
STEP = 0.001  # seconds between bursts
BEHIND = 0.05  # seconds: what could not be sent for longer is left out, it would only come as one burst
_OPT = struct.pack(">BHHHHH", 0, 41, 1232, 0, 0x8000, 0)


def sockets(port: int) -> list[socket.socket]:
    found = []
    for number in range(SOURCES):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.bind((f"{NETWORK}.{number + 1}", 0))
        sock.connect(("127.0.0.1", port))
        found.append(sock)
    return found


def flood(port: int, zone: str, rate: int, seconds: float) -> tuple[int, float]:
    """(queries sent, seconds)."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in zone.split("."))
    tail = labels + struct.pack(">BHH", 0, 1, 1) + _OPT
    senders = [sock.send for sock in sockets(port)]
    begun = time.monotonic()
    stamp = int(begun * 1000) & 0xFFFFFF
    sent, skipped = 0, 0.0
    while (passed := time.monotonic() - begun) < seconds:
        due = int((passed - skipped) * rate)
        if due - sent > BEHIND * rate:
            skipped += (due - sent) / rate
            continue
        for number in range(sent, due):
            head = struct.pack(">6HB", number & 0xFFFF, 0, 1, 0, 0, 1, 16)
            senders[number % SOURCES](head + b"%06x-%09x" % (stamp, number) + tail)
        sent = due
        time.sleep(STEP)
    return sent, time.monotonic() - begun


if __name__ == "__main__":
    print(*flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
