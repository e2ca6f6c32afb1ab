"""Answers per CPU-second beside Knot, NSD, BIND, gdnsd and CoreDNS with the same zone (`make bench-dns`).

One zone of 2,000 services in 7 zones; one worker each, on core 0; dnsperf on core 1; rounds interleaved, so
that a busy machine slows all alike. Ratios are what counts. Prints the tables of docs/benchmarks.md.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import agreement
import changes
import estate
import load
import peers
import questions
import recipes
import report
import scaling
import scenarios

SEED = 7
COMPARED = 200  # names of which all must say the same
SCALE, CHANGES = "scale", "changes"  # what is not asked of all servers at once: see the rooms of that name
RESOLVERS = 500  # clients with a cookie of their own


class Effort(NamedTuple):
    """How much is measured: rounds, seconds of each, questions in a file, services in the zone."""

    rounds: int = 5
    seconds: float = 3.0
    queries: int = 200_000
    services: int = 2000


QUICK = Effort(3, 0.7, 20_000, 300)


class Bench:
    """The estates, and who takes part."""

    def __init__(self, home: Path, effort: Effort, only: Sequence[str]) -> None:
        self._home, self._effort, self._only = home, effort, only
        self._plain = estate.Estate(home / "plain", effort.services)
        self._signing = estate.Estate(home / "signing", effort.services, signed=True)
        self.results = report.Results()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """The zone in all its forms, control running."""
        with self._plain.control():
            self._plain.dump()
            self._plain.sign()
            yield

    def run(self, chosen: Sequence[scenarios.Scenario]) -> None:
        for setup, group in groupby(chosen, key=lambda each: each.setup):
            with ExitStack() as running:
                signed = recipes.SIGNED in setup.features
                if signed:
                    running.enter_context(self._signing.control())
                servers = []
                for each in self._able(setup.features):
                    place = self._signing if signed and isinstance(each, peers.Variant) else self._plain
                    servers.append(self._start(each, setup, running, place))
                for scenario in group:
                    self._measure(scenario, servers)

    def scale(self) -> None:
        """One worker and two, of every server in turn."""
        setups = [peers.Setup(workers=len(cores), cores=",".join(cores)) for cores in scaling.WORKERS]
        for each in self._able(frozenset()):
            rounds = scaling.Rounds(each.title, [], [])
            with ExitStack() as running:
                servers = [self._start(each, setup, running, self._plain) for setup in setups]
                for _ in range(self._effort.rounds):
                    for setup, server, told in zip(setups, servers, rounds[1:], strict=True):
                        manner = self._manner(scenarios.TABLE[0], server)
                        manner = manner._replace(options=scaling.options(setup.workers))
                        told.append(load.together(server, manner, self._effort.seconds, scaling.LOADS))
            self.results.scaling.append(rounds)

    def change(self) -> None:
        """Every build of fedns while its fleet changes."""
        effort = self._effort
        place = estate.Estate(self._home / "changing", changes.SERVICES, block=changes.BLOCK)
        with place.control() as control:
            changes.keep_to_load_core(control)
            tide = changes.Tide(place)
            for each in (one for one in self._able(frozenset()) if isinstance(one, peers.Variant)):
                rounds = changes.nothing(each.title)
                with ExitStack() as running:
                    server = self._start(each, peers.Setup(), running, place)
                    manner = self._manner(scenarios.TABLE[0], server)
                    stage = changes.Stage(server, control, tide, changes.Watch(tide, server.port))
                    for _ in range(min(effort.rounds, changes.ROUNDS)):
                        changes.measure(stage, manner, effort.seconds, rounds)
                self.results.changes.append(rounds)

    def _able(self, features: frozenset[str]) -> list[peers.Participant]:
        """Who can take part where these are needed."""
        found = []
        for each in (*peers.OURS, *recipes.PEERS):
            if self._only and each.name not in self._only:
                continue
            reason = each.missing() or each.lacks(features)
            if reason:
                self.results.leave_out(each, features, reason)
            else:
                found.append(each)
        return found

    def _start(
        self,
        who: peers.Participant,
        setup: peers.Setup,
        running: ExitStack,
        place: estate.Estate,
    ) -> peers.Server:
        room = Path(tempfile.mkdtemp(prefix=f"{who.name}-", dir=self._home))
        return running.enter_context(peers.running(who, setup, place, room))

    def _measure(self, scenario: scenarios.Scenario, servers: Sequence[peers.Server]) -> None:
        manners = {each.name: self._manner(scenario, each) for each in servers}
        files = [(each, manners[each.name].file) for each in servers]
        self.results.disagreements[scenario.name] = agreement.disagreements(files, COMPARED)
        for _ in range(self._effort.rounds):
            for each in servers:
                told = load.measure(each, manners[each.name], self._effort.seconds)
                self.results.add(scenario.name, each.name, told)
            for each in servers if scenario.timed else ():
                half = self.results.last(scenario.name, each.name).per_second / 2
                late = load.latency(manners[each.name], self._effort.seconds, half)
                self.results.delayed(scenario.name, each.name, late)

    def _manner(self, scenario: scenarios.Scenario, server: peers.Server) -> load.Manner:
        """The questions for one server: what it told of its own (a cookie) is in them."""
        own = recipes.COOKIES in scenario.features
        path = self._home / f"{scenario.kind.__name__}{server.name if own else ''}.queries"
        if own or not path.exists():
            cookies = [agreement.cookie(server.port, number) for number in range(RESOLVERS if own else 0)]
            crowd = questions.Crowd(random.Random(SEED), self._plain.names(), cookies)
            path.write_bytes(questions.stream(scenario.kind(crowd) for _ in range(self._effort.queries)))
        return load.Manner(path, server.ports[scenario.port], scenario.load)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*(each.name for each in scenarios.TABLE), SCALE, CHANGES]
    parser.add_argument("--scenario", nargs="*", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--only", nargs="*", default=[], help="servers to run; all where none is named")
    parser.add_argument(
        "--quick", action="store_true", help="short rounds over a small zone: not for the record"
    )
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    options = parser.parse_args()
    effort = QUICK if options.quick else Effort()
    effort = effort._replace(rounds=options.rounds or effort.rounds)
    chosen = [each for each in scenarios.TABLE if not options.scenario or each.name in options.scenario]
    with tempfile.TemporaryDirectory(prefix="fedns-bench-") as home:
        bench = Bench(Path(home), effort, options.only)
        with bench.prepared():
            bench.run(chosen)
            if not options.scenario or SCALE in options.scenario:
                bench.scale()
            if not options.scenario or CHANGES in options.scenario:
                bench.change()
    print(report.text(bench.results))
    return report.verdict(bench.results)


if __name__ == "__main__":
    sys.exit(main())
