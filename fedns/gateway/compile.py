"""Ingresses -> the route table, the pools it leads to, and the problems on the way.

Law: pure. Ingresses are taken oldest first, so that the first to claim a path keeps it; what cannot be
compiled is a problem and takes nothing else with it. All comparing is done here, once: keys of the table are
canonical, patterns proven, options shared.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from fedns.errors import Problem
from fedns.gateway import annotations, normal, route, site
from fedns.gateway.endpoints import Wanted
from fedns.model.ingress import Backend, Ingress, IngressClass, Path, Rule

CONTROLLER = "fedns.io/gateway"


class Settings(Struct, frozen=True):
    """`classes`: names of classes that are ours without an IngressClass object saying so."""

    classes: tuple[str, ...] = ("fedns",)


class Input(Struct, frozen=True):
    """What the fleet says."""

    ingresses: Sequence[Ingress] = ()
    classes: Sequence[IngressClass] = ()


class Output(Struct, frozen=True):
    """`wanted` are the pools that `table` leads to, by key."""

    table: route.Table
    wanted: Mapping[bytes, Wanted]
    problems: tuple[Problem, ...]


class _Job(NamedTuple):
    """One Ingress while it is compiled."""

    ingress: Ingress
    asked: annotations.Asked
    options: int


def table(given: Input, settings: Settings) -> Output:
    """The route table of everything that is ours."""
    work = _Work()
    ours = sorted(_ours(given, settings, work), key=lambda each: (each.created, each.key))
    jobs = [work.job(ingress) for ingress in ours]
    for job in jobs:
        for rule in job.ingress.rules:
            work.rule(job, rule)
    bare = [job for job in jobs if job.ingress.default is not None]
    bare.sort(key=lambda job: bool(job.ingress.rules))
    default = work.default(bare[0]) if bare else None
    return Output(work.table(default), work.wanted, tuple(sorted(set(work.problems))))


def _ours(given: Input, settings: Settings, work: "_Work") -> Iterable[Ingress]:
    """Those of our classes, and those of none unless another class is the default."""
    known = {each.name: each for each in given.classes}
    others = any(each.default and each.controller != CONTROLLER for each in given.classes)
    for ingress in given.ingresses:
        klass = known.get(ingress.klass)
        if klass is not None:
            if klass.controller == CONTROLLER:
                yield ingress
        elif ingress.klass in settings.classes or (not ingress.klass and not others):
            yield ingress
        elif ingress.klass:
            hint = f"classes served here: {', '.join(settings.classes)}"
            work.problem(ingress, f"ingress class {ingress.klass} is not known, so it is not served", hint)


class _Work:
    """What compiling gathers."""

    def __init__(self) -> None:
        self.drafts: dict[str, site.Draft] = {}
        self.wanted: dict[bytes, Wanted] = {}
        self.problems: list[Problem] = []
        self.options: dict[route.Options, int] = {route.Options(): 0}
        self.owners: dict[bytes, Ingress] = {}

    def problem(self, ingress: Ingress, what: str, hint: str = "") -> None:
        self.problems.append(Problem(ingress.where or f"Ingress {ingress.key}", what, hint))

    def job(self, ingress: Ingress) -> _Job:
        asked, problems = annotations.read(ingress)
        self.problems += problems
        options = route.Options(rewrite=asked.get("rewrite-target", "").encode())
        return _Job(ingress, asked, self.options.setdefault(options, len(self.options)))

    def rule(self, job: _Job, rule: Rule) -> None:
        name = self.name(job.ingress, rule.host)
        if name is None:
            return
        draft = self.drafts.setdefault(name, site.Draft())
        if job.ingress.default is not None and draft.default is None:
            draft.default = self.default(job, name)
        for path in rule.paths:
            self.path(job, name, path)

    def name(self, ingress: Ingress, host: str) -> str | None:
        """The host in canonical form; the star of a wildcard stands for a whole label."""
        wild, bare = ("*.", host[2:]) if host.startswith("*.") else ("", host)
        try:
            raw = bare.encode() if bare.isascii() else bare.encode("idna")
            return wild + normal.host(raw).decode() if host else ""
        except (normal.Rejected, UnicodeError):
            self.problem(ingress, f"host {host!r} is no host name", "a.example.com, or *.example.com")
            return None

    def path(self, job: _Job, name: str, path: Path) -> None:
        regex = bool(job.asked.get("use-regex") or job.asked.get("rewrite-target"))
        where = f"path {path.path!r} of host {name or '*'}"
        text = site.escaped(path.path or "/")
        try:
            text = text if regex else site.canonical(text)
        except normal.Rejected as bad:
            self.problem(job.ingress, f"{where} is not served: {bad.why}")
            return
        claim = site.Claim(
            text, path.kind, regex, self.location(job, f"{name or '*'}{path.path}", path.backend, text)
        )
        other = self.drafts[name].claim(claim)
        if other is not None:
            owner = other.location.rule.decode()
            self.problem(job.ingress, f"{where} belongs to {owner}, which is older")

    def default(self, job: _Job, name: str = "") -> route.Location:
        assert job.ingress.default is not None
        return self.location(job, f"{name or '*'} default", job.ingress.default, b"")

    def location(self, job: _Job, what: str, backend: Backend, path: bytes) -> route.Location:
        """`what` is host and path as people know them."""
        service = f"{job.ingress.namespace}/{backend.service}"
        key = f"{service}/{backend.port}".encode()
        self.wanted.setdefault(key, Wanted(key, service, backend.port))
        rule = f"{job.ingress.key} {what}".encode()
        self.owners[rule] = job.ingress
        return route.Location(rule, path, key, job.options)

    def table(self, default: route.Location | None) -> route.Table:
        hosts = {name: self.host(name, draft) for name, draft in self.drafts.items()}
        named = {name.encode(): host for name, host in hosts.items() if name and not name.startswith("*.")}
        wild = {name[1:].encode(): host for name, host in hosts.items() if name.startswith("*.")}
        return route.Table(named, wild, hosts.get(""), default, tuple(self.options))

    def host(self, name: str, draft: site.Draft) -> route.Host:
        host, bad = draft.built()
        for claim, reason in bad:
            where = f"path {claim.text.decode()!r} of host {name or '*'}"
            hint = "patterns are RE2's: no look-around, no back-references"
            self.problem(self.owners[claim.location.rule], f"{where} is not served: {reason}", hint)
        return host
