"""Load-balancer hostnames asked of a real name server on loopback."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from fedns.sources import hostnames
from fedns.sources.change import HostnameChange
from tests.sources.listening import Listener


class Server(asyncio.DatagramProtocol):
    """Answers from `records` ((name, type) -> addresses); names not there at all do not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.failing = False
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        self.asked += 1
        kind = dns.rdatatype.to_text(question.rdtype)
        found = self.records.get((question.name.to_text(), kind))
        if self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", kind, *found))
        elif not any(name == question.name.to_text() for name, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), source)


def resolving(test: Callable[[Server, hostnames.Resolver, Listener], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        settings = hostnames.Settings(
            shortest=0.05, longest=0.05, retry=0.05, timeout=1.0, nameservers=(f"127.0.0.1:{port}",)
        )
        resolver, listener = hostnames.Resolver(settings), Listener()
        task = asyncio.create_task(resolver.run(listener))
        try:
            await test(server, resolver, listener)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            transport.close()

    asyncio.run(main())


def test_both_families_are_followed_as_they_change() -> None:
    async def test(server: Server, resolver: hostnames.Resolver, listener: Listener) -> None:
        server.records = {
            ("lb.test.", "A"): ["192.0.2.1", "192.0.2.2"],
            ("lb.test.", "AAAA"): ["2001:db8::1"],
        }
        resolver.aim({"lb.test"})
        await listener.until(lambda: listener.all(HostnameChange))
        change = listener.last(HostnameChange)
        assert change.hostnames["lb.test"].addresses == ("192.0.2.1", "192.0.2.2", "2001:db8::1")
        assert change.touched == {"lb.test"}
        server.records = {("lb.test.", "A"): ["192.0.2.3"]}
        await listener.until(lambda: len(listener.all(HostnameChange)) == 2)
        assert listener.last(HostnameChange).hostnames["lb.test"].addresses == ("192.0.2.3",)

    resolving(test)


def test_a_failure_keeps_the_last_good_addresses_and_says_why() -> None:
    async def test(server: Server, resolver: hostnames.Resolver, listener: Listener) -> None:
        server.records = {("lb.test.", "A"): ["192.0.2.1"]}
        resolver.aim({"lb.test", "none.test"})
        await listener.until(lambda: len(listener.all(HostnameChange)) == 2)
        known = listener.last(HostnameChange).hostnames
        assert known["none.test"].error == "there is no such name"
        assert (known["lb.test"].addresses, known["lb.test"].error) == (("192.0.2.1",), "")
        server.failing = True
        await listener.until(lambda: listener.last(HostnameChange).hostnames["lb.test"].error)
        assert listener.last(HostnameChange).hostnames["lb.test"].addresses == ("192.0.2.1",)
        server.failing = False
        await listener.until(lambda: not listener.last(HostnameChange).hostnames["lb.test"].error)

    resolving(test)


def test_names_no_longer_aimed_at_are_forgotten() -> None:
    async def test(server: Server, resolver: hostnames.Resolver, listener: Listener) -> None:
        server.records = {("lb.test.", "A"): ["192.0.2.1"]}
        resolver.aim({"lb.test"})
        await listener.until(lambda: listener.all(HostnameChange))
        resolver.aim(set())
        await listener.until(lambda: not listener.last(HostnameChange).hostnames)
        assert listener.last(HostnameChange).touched == {"lb.test"}

    resolving(test)
