"""Pods: a network namespace each, with an address and a real `/etc/resolv.conf`, around a node that has DNS.

Law: nothing outside the namespaces changes; a `resolv.conf` is mounted over the machine's for one command.
Links are point to point, as network plugins make them, so that addresses are free to choose. Needs root.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers import running

SERVICE = ("10.96.0.53", "fd00:96::35")
"""Where pods find fedns: addresses of the node."""
LISTENER = "10.96.1.53"
"""One more address of the node."""
SEARCH = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")
GATEWAY = ("169.254.1.1", "fe80::1")
MOUNTED = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class Told(NamedTuple):
    """What became of a command: exit status and what it printed."""

    status: int
    text: str

    @property
    def lines(self) -> tuple[str, ...]:
        """Each once, sorted."""
        return tuple(sorted({line for line in self.text.splitlines() if line}))


class Pod(NamedTuple):
    """A namespace and its `resolv.conf`."""

    namespace: str
    resolv: Path

    def command(self, *words: str) -> list[str]:
        """The words, to be run in here."""
        return ["ip", "netns", "exec", self.namespace, "sh", "-c", MOUNTED, str(self.resolv), *words]

    def run(self, *words: str) -> Told:
        done = subprocess.run(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=running.LONG,
            check=False,
        )
        return Told(done.returncode, done.stdout)

    def configure(self, nameservers: Sequence[str], search: Sequence[str] = SEARCH, ndots: int = 5) -> None:
        """As the kubelet writes it."""
        lines = [f"search {' '.join(search)}", *(f"nameserver {each}" for each in nameservers)]
        self.resolv.write_text("\n".join([*lines, f"options ndots:{ndots}", ""]))


class Node:
    """The namespace in the middle. What listens on `SERVICE` runs in `self.pod`."""

    def __init__(self, home: Path) -> None:
        self._home, self._count = home, 0
        self.pod = self._namespace("node")
        lines = [f"ip address add {address} dev lo" for address in (*SERVICE, LISTENER)]
        self._inside(self.pod, *lines, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")

    def attach(self, name: str, addresses: Sequence[str]) -> Pod:
        """A pod with these addresses, one of each family at most; it asks `SERVICE` by each."""
        pod, link = self._namespace(name), f"link{self._count}"
        node = self.pod.namespace
        _sh(f"ip -n {node} link add {link} type veth peer name eth0 netns {pod.namespace}")
        self._inside(self.pod, f"ip address add {GATEWAY[0]} dev {link}", f"ip link set {link} up")
        self._inside(self.pod, f"ip address add {GATEWAY[1]}/64 dev {link} nodad")
        self._inside(pod, "ip link set eth0 up", f"ip route add {GATEWAY[0]} dev eth0")
        for address in addresses:
            gateway, more = (GATEWAY[1], " nodad") if ":" in address else (GATEWAY[0], "")
            self._inside(pod, f"ip address add {address} dev eth0{more}")
            self._inside(pod, f"ip route add default via {gateway} dev eth0")
            self._inside(self.pod, f"ip route add {address} dev {link}")
        pod.configure([each for each in SERVICE if any((":" in each) == (":" in one) for one in addresses)])
        return pod

    def close(self) -> None:
        for number in range(self._count):
            subprocess.run(["ip", "netns", "delete", self._name(number)], check=False)

    def _name(self, number: int) -> str:
        return f"fedns-{os.getpid()}-{number}"

    def _namespace(self, name: str) -> Pod:
        pod = Pod(self._name(self._count), self._home / f"{name}.resolv.conf")
        _sh(f"ip netns add {pod.namespace}")
        self._count += 1
        pod.resolv.write_text("")
        self._inside(pod, "ip link set lo up")
        return pod

    @staticmethod
    def _inside(pod: Pod, *lines: str) -> None:
        _sh(f"ip netns exec {pod.namespace} sh -ec '{chr(10).join(lines)}'")


@contextmanager
def node(home: Path) -> Iterator[Node]:
    """A node without pods; all namespaces vanish at the end of the block."""
    made = Node(home)
    with ExitStack() as closing:
        closing.callback(made.close)
        yield made


@contextmanager
def at_work(pod: Pod, log: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that runs in a pod until the end of the block."""
    with log.open("ab") as told:
        process = subprocess.Popen(pod.command(*words), stdin=subprocess.DEVNULL, stdout=told, stderr=told)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(running.LONG)


def obstacle() -> str:
    """Why there can be no namespaces here; empty where there can."""
    if os.geteuid():
        return "network namespaces need root"
    tried = subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, text=True, check=False)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


def _sh(command: str) -> None:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
