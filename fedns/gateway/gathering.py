"""All Ingresses put together, step by step: certificates, hosts, claims of paths, canaries, then the table.

Law: each step needs only the ones before it, and no step asks in which order Ingresses come but `claims`,
where the first wins. It lives for one compilation.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from msgspec import structs

from fedns.errors import Problem
from fedns.gateway import (
    annotations,
    canaries,
    certificates,
    choice,
    demands,
    guards,
    normal,
    options,
    route,
    site,
)
from fedns.gateway.annotations import Asked
from fedns.gateway.choice import Choice
from fedns.gateway.endpoints import Wanted
from fedns.gateway.options import Match, Options
from fedns.gateway.route import Canary, Host, Location
from fedns.gateway.translation import CHALLENGE, MODES, translate
from fedns.gateway.wishes import Site, Wishes
from fedns.model.ingress import Backend, Ingress, Path, Secret, Tls

ANY = Choice()


class Job(NamedTuple):
    """One Ingress and what it asks for: of its options, of clusters, and of requests."""

    ingress: Ingress
    asked: Asked
    chosen: Choice = ANY
    match: Match = Match()

    @property
    def regex(self) -> bool:
        return bool(self.asked.get("use-regex") or self.asked.get("rewrite-target"))

    @property
    def canary(self) -> bool:
        return bool(self.asked.get("canary", False))


class Gathering:
    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self.wanted: dict[bytes, Wanted] = {}
        self.problems: list[Problem] = []
        self._secrets = secrets
        self._drafts: dict[str, site.Draft] = {}
        self._tls: dict[str, options.Tls] = {}
        self._unnamed = ""
        self._aliases: dict[str, str] = {}
        self._www: dict[str, str] = {}
        self._options: dict[Options, int] = {Options(): 0}
        self._made: dict[tuple[str, Site, bytes], int] = {}
        self._owners: dict[bytes, Ingress] = {}
        self._default: tuple[Job, Location] | None = None

    def job(self, ingress: Ingress) -> Job:
        asked, problems = annotations.read(ingress)
        self.problems += problems
        if canaries.disabled(asked):
            self._problem(ingress, "it speaks of canaries but is none", 'say canary: "true"')
        job = Job(ingress, asked, choice.asked(asked))
        return job._replace(match=demands.match(self._wishes(job, Site(), b"")))

    def tls(self, job: Job) -> None:
        """Hosts that have certificates."""
        ingress = job.ingress
        asking = (Tls(),) if "auth-tls-secret" in job.asked else ()
        for block in ingress.tls or asking:
            secret = f"{ingress.namespace}/{block.secret}" if block.secret else ""
            wrong = certificates.wrong(self._secrets.get(secret)) if secret else ""
            if wrong:
                self._problem(ingress, f"secret {secret} {wrong}", "its hosts get the default certificate")
                continue
            for text in block.hosts or tuple(rule.host for rule in ingress.rules) or ("",):
                name = self._name(ingress, text)
                if name == "" and secret:
                    self._spare(ingress, secret)
                if name and name not in self._tls:
                    self._tls[name] = certificates.host(self._wishes(job, Site(name), b""), secret)

    def _spare(self, ingress: Ingress, secret: str) -> None:
        """The default certificate: the one that is for no host."""
        self._unnamed = self._unnamed or secret
        if self._unnamed != secret:
            self._problem(ingress, f"the default certificate is that of secret {self._unnamed}", "say hosts")

    def sites(self, job: Job) -> None:
        """Hosts, and what counts for all of their paths."""
        for rule in () if job.canary else job.ingress.rules:
            name = self._name(job.ingress, rule.host)
            if name is None:
                continue
            draft = self._drafts.setdefault(name, site.Draft())
            draft.access = draft.access or guards.domain(self._wishes(job, Site(name), b""))
            draft.regex = draft.regex or job.regex
            draft.root = draft.root or job.asked.get("app-root", b"")
            for alias in job.asked.get("server-alias", ()):
                owner = self._aliases.setdefault(alias, name)
                if owner != name:
                    self._problem(job.ingress, f"alias {alias} belongs to host {owner}")
            if job.asked.get("from-to-www-redirect", False) and name and not name.startswith("*."):
                self._www.setdefault(name[4:] if name.startswith("www.") else f"www.{name}", name)

    def claims(self, job: Job) -> None:
        """Paths, the oldest first."""
        ingress = job.ingress
        if job.canary:
            return
        if ingress.default is not None and (
            self._default is None or (self._default[0].ingress.rules and not ingress.rules)
        ):
            self._default = job, self._location(job, "", "default", ingress.default, b"")
        for rule in ingress.rules:
            name = self._name(ingress, rule.host)
            if name is None:
                continue
            draft = self._drafts[name]
            if ingress.default is not None and draft.default is None:
                draft.default = self._location(job, name, "default", ingress.default, b"")
            for path in rule.paths:
                self._claim(job, name, path)

    def canaries(self, job: Job) -> None:
        """Other pools of paths that somebody has."""
        ingress = job.ingress
        if not job.canary:
            return
        if ingress.default is not None and not ingress.rules:
            self._attach_default(job, ingress.default)
        for rule in ingress.rules:
            name = self._name(ingress, rule.host)
            for path in rule.paths if name is not None else ():
                self._attach(job, name or "", path)

    def table(self) -> route.Table:
        hosts = {name: self._host(name, draft) for name, draft in self._drafts.items()}
        for alias, name in self._aliases.items():
            if alias in self._drafts:
                self._problem(None, f"alias {alias} of host {name} is a host with rules of its own")
            else:
                hosts[alias] = hosts[name]
                if certificates.covers(self._tls, name):
                    self._tls.setdefault(
                        alias, self._tls.get(name) or self._tls["*." + name.partition(".")[2]]
                    )
        for other, name in self._www.items():
            hosts.setdefault(other, Host(elsewhere=name.encode()))
        named = {name.encode(): host for name, host in hosts.items() if name and not name.startswith("*.")}
        wild = {name[1:].encode(): host for name, host in hosts.items() if name.startswith("*.")}
        tls = {name.encode(): each for name, each in self._tls.items()}
        default = self._default[1] if self._default is not None else None
        return route.Table(named, wild, hosts.get(""), default, tuple(self._options), tls)

    def certificates(self) -> dict[bytes, route.Certificate]:
        """Those that the table leads to, by `namespace/name`; empty: the default one."""
        names = certificates.used(self._tls.values(), self._options)
        found = {name.encode(): certificates.entry(self._secrets[name]) for name in sorted(names)}
        if self._unnamed:
            found[b""] = certificates.entry(self._secrets[self._unnamed])
        return found

    def _claim(self, job: Job, name: str, path: Path) -> None:
        where = f"path {path.path!r} of host {name or '*'}"
        try:
            text = self._drafts[name].text(normal.escaped(path.path or "/"))
        except normal.Rejected as bad:
            self._problem(job.ingress, f"{where} is not served: {bad.why}")
            return
        location = self._location(job, name, path.path, path.backend, text)
        other = self._drafts[name].claim(site.Claim(text, path.kind, job.regex, location))
        if other is not None:
            self._problem(job.ingress, f"{where} belongs to {other.location.rule.decode()}, which is older")

    def _location(self, job: Job, name: str, path: str, backend: Backend, text: bytes) -> Location:
        rule = f"{job.ingress.key} {name or '*'}{' ' if path == 'default' else ''}{path}".encode()
        self._owners[rule] = job.ingress
        number = self._optioned(job, name, text)
        shares = job.asked.get("destination", ())
        if not shares:
            pool = self._backend(job, backend)
            return Location(rule, text, pool, tagged(pool), number, match=job.match)
        pools = [self._pool(job.ingress, share.service, share.port) for share in shares]
        total = sum(share.percent for share in shares)
        others = tuple(
            Canary(rule + b" destination", pool, tagged(pool), number, weight=share.percent, total=total)
            for share, pool in list(zip(shares, pools, strict=True))[1:]
        )
        return Location(rule, text, pools[0], tagged(pools[0]), number, others, job.match)

    def _optioned(self, job: Job, name: str, path: bytes) -> int:
        """The index of the location's options; Ingresses with many paths are translated once."""
        draft = self._drafts.get(name, site.Draft())
        known = Site(name, certificates.covers(self._tls, name), draft.access)
        special = path.startswith(CHALLENGE) or path == job.asked.get("rewrite-target")
        key = (job.ingress.key, known._replace(name=""), path if special else b"")
        if key not in self._made:
            made = translate(self._wishes(job, known, path))
            self._made[key] = self._options.setdefault(made, len(self._options))
        return self._made[key]

    def _attach(self, job: Job, name: str, path: Path) -> None:
        where = f"canary for path {path.path!r} of host {name or '*'}"
        draft = self._drafts.get(name)
        text = normal.escaped(path.path or "/")
        joining = draft.find(text, path.kind, job.match) if draft is not None else ()
        if draft is None or not joining:
            hint = "host, path and pathType are to be those of a rule that is no canary"
            self._problem(job.ingress, f"{where} gets no traffic: there is no such rule", hint)
            return
        for claim in joining:
            found = self._canary(job, claim.location, f"{name or '*'}{path.path}", path.backend)
            if found is not None:
                draft.replace(claim, self._joined(job, claim.location, found))

    def _attach_default(self, job: Job, backend: Backend) -> None:
        if self._default is None:
            self._problem(job.ingress, "canary of the default backend: there is none", "it gets no traffic")
            return
        found = self._canary(job, self._default[1], "* default", backend)
        if found is not None:
            self._default = self._default[0], self._joined(job, self._default[1], found)

    def _joined(self, job: Job, location: Location, canary: Canary) -> Location:
        """The location with one more canary. Whose order decides is the location's word, else that of the
        oldest canary that says it."""
        own = tuple(self._options)[location.options]
        mode = MODES[job.asked.get("canary-mode", "fedns")]
        number = location.options
        if own.mode == options.FEDNS and mode != own.mode:
            number = self._options.setdefault(structs.replace(own, mode=mode), len(self._options))
        elif own.mode == options.STRICT and location.canaries:
            first = location.canaries[0]
            self._problem(
                job.ingress, f"canary {canary} gets no traffic: the order is strict, and {first} is older"
            )
        return structs.replace(location, options=number, canaries=(*location.canaries, canary))

    def _canary(self, job: Job, location: Location, what: str, backend: Backend) -> Canary | None:
        pool = self._backend(job, backend)
        if pool == location.pool:
            self._problem(job.ingress, f"canary for {what} is the very service of the rule: ignored")
            return None
        inherited = tuple(self._options)[location.options]
        wishes = self._wishes(job, Site(), location.path)
        rule = f"{job.ingress.key} {what}".encode()
        made = canaries.canary(wishes, rule, (pool, tagged(pool)), inherited.mode)
        own = canaries.own(inherited, wishes)
        return structs.replace(made, options=self._options.setdefault(own, len(self._options)))

    def _backend(self, job: Job, backend: Backend) -> bytes:
        """The pool of a rule's Service, as the annotations choose among clusters."""
        service = f"{job.ingress.namespace}/{backend.service}"
        return self._pool(job.ingress, service, backend.port, job.chosen)

    def _pool(self, ingress: Ingress, service: str, port: str, chosen: Choice = ANY) -> bytes:
        key = f"{service}/{port}/{chosen.digest}".rstrip("/").encode()
        self.wanted.setdefault(key, Wanted(key, service, port, chosen, annotations.where(ingress)))
        return key

    def _wishes(self, job: Job, known: Site, path: bytes) -> Wishes:
        return Wishes(
            job.ingress,
            job.asked,
            known,
            path,
            lambda service, port: self._pool(job.ingress, service, port),
            self._secrets.get,
            lambda what, hint: self._problem(job.ingress, what, hint),
        )

    def _host(self, name: str, draft: site.Draft) -> Host:
        host, bad = draft.built()
        for claim, why in bad:
            where = f"path {claim.text.decode()!r} of host {name or '*'}"
            hint = "patterns are RE2's: no look-around, no back-references"
            self._problem(self._owners[claim.location.rule], f"{where} is not served: {why}", hint)
        return host

    def _name(self, ingress: Ingress, host: str) -> str | None:
        """The host in canonical form; the star of a wildcard stands for a whole label."""
        wild, bare = ("*.", host[2:]) if host.startswith("*.") else ("", host)
        try:
            raw = bare.encode() if bare.isascii() else bare.encode("idna")
            return wild + normal.host(raw).decode() if host else ""
        except (normal.Rejected, UnicodeError):
            self._problem(ingress, f"host {host!r} is no host name", "a.example.com, or *.example.com")
            return None

    def _problem(self, ingress: Ingress | None, what: str, hint: str = "") -> None:
        where = annotations.where(ingress) if ingress is not None else "Ingresses"
        self.problems.append(Problem(where, what, hint))


def tagged(pool: bytes) -> bytes:
    """A pool's name in cookies."""
    return blake2b(pool, digest_size=4).hexdigest().encode()
