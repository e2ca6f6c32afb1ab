"""The decision about one request: what takes it, what is answered here, and which pool serves it.

Law: host before path, and no way back: what the rules of a host do not take goes to its default backend.
Refusals come before all else, then what needs no backend, then canaries. One function for the data path and
for `explain`, which passes a list to be told each step.
"""

from collections.abc import Callable

from msgspec import Struct, structs

from fedns.gateway import affinity as affinities
from fedns.gateway import answer, canary, matching, normal, rewrite, route, variables
from fedns.gateway.balance import Want
from fedns.gateway.head import Head
from fedns.gateway.options import Field, Options
from fedns.gateway.route import Canary, Host, Location, Table

Steps = list[str]


class Decision(Struct, gc=False):
    """`status` 0: `target` (path and query) is sent to `pool`; else it is answered here, with `fields`.

    `options` apply to the request and to its answer. `authenticate`: by `options.basic` or `.external` before
    anything is sent. `want` goes to `balance.choose`; None: `balance.pick` will do. `tag` is what a new
    affinity cookie is bound to."""

    status: int
    fields: tuple[Field, ...] = ()
    location: Location | None = None
    options: Options | None = None
    canary: Canary | None = None
    pool: bytes = b""
    tag: bytes = b""
    target: bytes = b""
    authenticate: bool = False
    want: Want | None = None


def everybody(pool: bytes) -> bool:
    """For when nothing is known of pools: each has endpoints."""
    return True


def decide(
    table: Table,
    head: Head,
    draw: float = 0.0,
    alive: Callable[[bytes], bool] = everybody,
    steps: Steps | None = None,
) -> Decision:
    """Where this request goes. `draw` is from [0, 1); `alive` says whether a pool has endpoints, and is asked
    only where there are canaries or a fallback; `steps`: to be told why. normal.Rejected: it goes nowhere."""
    host = table.hosts.get(head.host)
    if host is None or steps is not None:
        host = _host(table, head.host, steps)
    location = None
    if host is not None:
        if host.root or host.elsewhere:
            sent = answer.host(host, head)
            if sent is not None:
                _told(steps, "the host itself sends it elsewhere: {}", sent.status)
                return Decision(sent.status, sent.fields)
        location = locate(host, head, steps) or _default(host.default, "of the host", steps)
    if location is None:
        location = _default(table.default, "of all hosts", steps)
        if location is None:
            _told(steps, "no rule and no default backend takes it: 404")
            return Decision(404)
    if head.others and host is not None:
        _unmistaken(host, head, location)
    options = table.options[location.options]
    if location.options == 0 and not location.canaries:
        return Decision(
            0, location=location, options=options, pool=location.pool, tag=location.tag, target=head.target
        )
    case = canary.Case(head, draw, alive, steps, (b"", b""))
    return _wished(table, location, options, case)


def _unmistaken(host: Host, head: Head, location: Location) -> None:
    """Rejected where a backend might take the path for one that another rule is for."""
    for path in head.others:
        other = locate(host, structs.replace(head, path=path, others=(), found=None))
        if other is not None and (other.pool, other.options) != (location.pool, location.options):
            raise normal.Rejected(
                400, "the path is another rule's to who reads escaped slashes or parameters"
            )


def _wished(table: Table, location: Location, options: Options, case: canary.Case) -> Decision:
    """What annotations make of it."""
    head, steps = case.head, case.steps
    sent = answer.local(options, head)
    if sent is not None:
        _told(steps, "answered here: {} ({})", sent.status, sent.why)
        return Decision(sent.status, sent.fields, location, options)
    made = Decision(0, location=location, options=options, pool=location.pool, tag=location.tag)
    made.authenticate = answer.guarded(options, head)
    if options.affinity is not None:
        case = case._replace(bound=affinities.bound(options.affinity, head))
    if location.canaries:
        chosen = canary.choose(location, options, case)
        if chosen is not None:
            made.canary, made.pool, made.tag = chosen, chosen.pool, chosen.tag
            made.options = options = table.options[chosen.options]
        _told(steps, "it goes to {}", "the canary" if chosen is not None else "the location's own pool")
    if options.fallback and not case.alive(made.pool):
        _told(steps, "nobody serves in {}: the default backend of the location does", made.pool.decode())
        made.pool, made.tag = options.fallback, b""
    if options.affinity is not None or options.hash is not None or options.member_header:
        made.want = _want(options, case, made.tag)
    made.target = rewrite.target(options.rewrite, head) if options.rewrite else head.target
    if options.rewrite:
        _told(steps, "the target is rewritten to {}", made.target.decode("latin-1"))
    return made


def _want(options: Options, case: canary.Case, tag: bytes) -> Want:
    """What the request wants of its pool. `tag` is the pool's."""
    want, head = Want(), case.head
    if options.member_header:
        want.member = (head.get(options.member_header) or b"").decode("latin-1")
        want.strict = options.member_strict
        if want.member:
            _told(case.steps, "header {} names member {}", _text(options.member_header), want.member)
    if options.affinity is not None and tag:
        key, bound = case.bound
        want.persistent = options.affinity.persistent
        want.session = key if bound == tag else b""
        if not want.session and not want.persistent:
            want.session = affinities.fresh(case.draw)
    elif options.hash is not None:
        want.key, want.subset = variables.fill(options.hash.by, head), options.hash.subset
        _told(case.steps, "hashed by {}", _text(want.key))
    return want


def locate(host: Host, head: Head, steps: Steps | None = None) -> Location | None:
    """The host's location for a request."""
    if host.regexes:
        found, how = _search(host, head), "the first pattern that matches"
    else:
        found, how = host.exact.get(head.path), "the exact path"
        if found is not None and found.variants:
            found = matching.suited(found, head)
        if found is None:
            found, how = _longest(host, head), "the longest prefix"
    if steps is not None:
        said = "no rule of the host takes it"
        if found is not None:
            said = f"{how} is {_text(found.path)} of {_text(found.rule)}" + _asked(found)
        steps.append(f"path {_text(head.path)}: {said}")
    return found


def _longest(host: Host, head: Head) -> Location | None:
    """By whole elements, or by any beginning where that is longer (a prefix counts with its slash)."""
    length, key, prefix = 0, head.path, host.prefix
    if key[:1] != b"/":
        return None
    if len(key) > host.longest:
        key = key[: host.longest + 1]
        key = key[: key.rfind(b"/")]
    while True:
        found = prefix.get(key)
        if found is not None and found.variants:
            found = matching.suited(found, head)
        if found is not None or not key:
            break
        key = key[: key.rfind(b"/")]
    if found is not None:
        length = len(key) + 1
    for size in host.lengths:
        if size <= length:
            break
        longer = host.starts.get(head.path[:size]) if size <= len(head.path) else None
        if longer is not None and longer.variants:
            longer = matching.suited(longer, head)
        if longer is not None:
            return longer
    return found


def _search(host: Host, head: Head) -> Location | None:
    lower = head.path.lower()
    for each in host.regexes:
        if not lower.startswith(each.literal):
            continue
        location = each.location
        head.found = route.pattern(location.pattern).search(head.path)
        if head.found is not None:
            found = matching.suited(location, head) if location.variants else location
            if found is not None:
                return found
    return None


def _asked(location: Location) -> str:
    """What it asks of a request beside its path, in words."""
    match = location.match
    words = [_text(b"/".join(match.methods))] if match.methods else []
    words += [f"{_text(name)} {how} {_text(value)!r}" for how, name, value in match.headers + match.query]
    return f", which asks for {', '.join(words)}" if words else ""


def _host(table: Table, name: bytes, steps: Steps | None) -> Host | None:
    """The rules for a host: its own, those of a wildcard over its first label, those for any host."""
    found, how = table.hosts.get(name), "its own rules"
    if found is None and b"." in name:
        found, how = table.wild.get(name[name.find(b".") :]), "the rules of a wildcard"
    if found is None:
        found, how = table.anyone, "the rules for any host"
    if steps is not None:
        steps.append(f"host {_text(name)}: {how if found is not None else 'no rule is for it'}")
    return found


def _default(location: Location | None, whose: str, steps: Steps | None) -> Location | None:
    if location is not None:
        _told(steps, "the default backend {} takes it: {}", whose, _text(location.rule))
    return location


def _told(steps: Steps | None, what: str, *about: object) -> None:
    if steps is not None:
        steps.append(what.format(*about))


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")
