"""Inside the namespaces of `fedns demo pod`: makes the room, hands its sockets out, becomes the command.

`python -m fedns.cli.demo_room FD ROOM COMMAND...`: FD is a socket to whoever serves the sockets, ROOM a
`demo_pod.Room` as JSON. Law: standard library only, since somebody waits for the command to start.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence


def furnish(addresses: Sequence[str], resolv: str) -> None:
    """Addresses on the loopback, and a resolv.conf over the machine's. Raises OSError."""
    steps = [["ip", "link", "set", "lo", "up"]]
    steps += [["ip", "address", "add", f"{each}/32", "dev", "lo"] for each in addresses]
    for step in [*steps, ["mount", "--bind", resolv, "/etc/resolv.conf"]]:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{' '.join(step)}: {done.stderr.strip()}")


def listening(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, kind)
    one.bind((host, port))
    if kind is socket.SOCK_STREAM:
        one.listen()
    return one


def main(words: Sequence[str]) -> None:
    with socket.socket(fileno=int(words[0])) as out:
        addresses, datagrams, streams, resolv = json.loads(words[1])
        try:
            furnish(addresses, resolv)
            sockets = [listening(socket.SOCK_DGRAM, *each) for each in datagrams]
            sockets += [listening(socket.SOCK_STREAM, *each) for each in streams]
        except OSError as error:
            out.send(str(error).encode())
            sys.exit(1)
        socket.send_fds(out, [b"ready"], [each.fileno() for each in sockets])
    for each in sockets:
        each.close()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who started us ignores it
    os.execvp(words[2], list(words[2:]))


if __name__ == "__main__":
    main(sys.argv[1:])
