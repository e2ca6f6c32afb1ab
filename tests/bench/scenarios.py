"""What is asked of every server: one row a scenario.

Law: a scenario is a kind of question, a way to put it, and what the server must have for it. Rows with the
same needs stand together, since the servers are started anew where these change.
"""

from typing import NamedTuple

import peers
import questions
import recipes

_PIPELINED = ("-c", "10", "-q", "400")  # ten connections, forty questions under way on each
_ONE_SHOT = ("-c", "50", "-q", "50", "-O", "num-queries-per-conn=1")


class Scenario(NamedTuple):
    """`port` names one of the server's ports; `timed`: latency at half load is measured too."""

    name: str
    title: str
    kind: questions.Kind
    transport: str = "udp"
    options: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    timed: bool = False

    @property
    def port(self) -> str:
        return recipes.TLS if self.transport == "dot" else ""

    @property
    def load(self) -> tuple[str, ...]:
        return ("-m", self.transport, *self.options)

    @property
    def setup(self) -> peers.Setup:
        return peers.Setup(self.features)


_COOKIES, _SIGNED, _TLS = (frozenset((each,)) for each in (recipes.COOKIES, recipes.SIGNED, recipes.TLS))

TABLE = (
    Scenario("mix", "ordinary mix, 10 % NXDOMAIN", questions.mix, timed=True),
    Scenario("nxdomain", "random names, all NXDOMAIN", questions.absent),
    Scenario("case", "random letter case", questions.shouted),
    Scenario("ecs", "client subnet", questions.subnet),
    Scenario("tcp", "TCP, pipelined", questions.mix, "tcp", _PIPELINED),
    Scenario("tcp-once", "TCP, a connection per question", questions.mix, "tcp", _ONE_SHOT),
    Scenario("cookie", "server cookies", questions.cookie, features=_COOKIES),
    Scenario("cookie-ecs", "cookie and client subnet", questions.cookie_and_subnet, features=_COOKIES),
    Scenario("dnssec", "signed zone", questions.mix, features=_SIGNED),
    Scenario("dnssec-nxdomain", "signed zone, all NXDOMAIN", questions.absent, features=_SIGNED),
    Scenario("dot", "DNS over TLS, pipelined", questions.mix, "dot", _PIPELINED, _TLS),
)
