"""Where fedns and its peers answer differently, and the text that decides it: one row per reason.

Law: a rule holds for one question and two replies, and explains the fields it names, no others. What no
rule explains is a finding. docs/conformance.md shows this table; a test compares them.
"""

from collections.abc import Callable
from typing import NamedTuple

from fedns.dns import wire
from tests.conformance import questions, replies

QTYPES = range(128, 256)
"""Types that are for questions only (RFC 6895 section 3.1)."""
_TRANSFERS, _MAIL, _ANY = (251, 252), (253, 254), 255
_BESIDE_ALIAS = (24, 25, 30, 46, 47, 50)  # SIG, KEY, NXT, RRSIG, NSEC, NSEC3
_TARGETS = {"NS": 0, "MX": 2, "SRV": 6, "SVCB": 2, "HTTPS": 2}  # where the rdata names a host
_PLACEHOLDER = ("TYPE65280", b"\0")
_EDE, _ECS, _COOKIE = 15, 8, 10


class Case(NamedTuple):
    """One question, our reply and a peer's (None: silence)."""

    peer: str
    question: questions.Question
    ours: replies.Reply
    theirs: replies.Reply | None

    def codes(self, ours: str, *theirs: str) -> bool:
        return self.theirs is not None and self.ours.rcode == ours and self.theirs.rcode in theirs


class Rule(NamedTuple):
    """`fields` differ because of `why`, which `source` decides, whenever `holds`."""

    id: str
    why: str
    source: str
    fields: tuple[str, ...]
    holds: Callable[[Case], bool]


def explain(case: Case) -> tuple[list[str], tuple[str, ...]]:
    """The rules that were needed, and the differing fields that they leave."""
    used, left = [], differing(case)
    for rule in RULES:
        if left.intersection(rule.fields) and rule.holds(case):
            left.difference_update(rule.fields)
            used.append(rule.id)
    return used, tuple(sorted(left))


def differing(case: Case) -> set[str]:
    theirs = case.theirs
    if theirs is None:
        return set(FIELDS)
    return {each for each in FIELDS if getattr(case.ours, each) != getattr(theirs, each)}


def _bits(case: Case) -> bool:
    """Ours are as they must be: cleared, RD copied."""
    ours = case.ours
    return not (ours.cd or ours.ad or ours.z or ours.ra) and ours.rd == bool(case.question.packet[2] & 1)


def _optional(case: Case) -> bool:
    """The additional sections hold addresses of hosts that the reply names, equal where both do."""
    if case.theirs is None:
        return False
    kept = []
    for reply in (case.ours, case.theirs):
        hosts = {_target(row) for row in (*reply.answer, *reply.authority) if row[1] in _TARGETS}
        if any(
            row[1] not in ("A", "AAAA") or replies.wire_name(row[0]) not in hosts for row in reply.additional
        ):
            return False
        kept.append(set(reply.additional))
    both = {row[:2] for row in kept[0]} & {row[:2] for row in kept[1]}
    same = [{row for row in rows if row[:2] in both} for rows in kept]
    return same[0] == same[1] and _glue(case.ours) and _glue(case.theirs)


def _target(row: replies.Row) -> bytes:
    """The host that a record names; its owner where that is "." (RFC 9460 section 2.5)."""
    at = _TARGETS[row[1]]
    name = row[3][at : wire.skip_name(row[3], at)]
    return replies.wire_name(row[0]) if name == wire.ROOT else name.lower()


def _glue(reply: replies.Reply) -> bool:
    """A referral has addresses of all its hosts that are below the cut."""
    if reply.aa or not reply.authority:
        return True
    cuts = [(row[0], row[3]) for row in reply.authority if row[1] == "NS"]
    below = {host for owner, host in cuts if host.endswith(replies.wire_name(owner))}
    return below <= {replies.wire_name(row[0]) for row in reply.additional}


def _apex_ns(case: Case) -> bool:
    theirs = case.theirs
    if theirs is None or not case.ours.answer or not theirs.aa:
        return False
    more = set(theirs.authority) - set(case.ours.authority)
    return set(case.ours.authority) < set(theirs.authority) and all(row[1] == "NS" for row in more)


def _endless(case: Case) -> bool:
    """Our chain comes back to a name that it had, or its DNAME leads below itself."""
    answer, theirs = case.ours.answer, case.theirs
    owners = {replies.wire_name(row[0]) for row in answer if row[1] == "CNAME"}
    returns = bool(owners) and {row[3] for row in answer if row[1] == "CNAME"} <= owners
    grows = any(row[1] == "DNAME" and row[3].endswith(replies.wire_name(row[0])) for row in answer)
    return (returns or grows) and theirs is not None and set(answer) <= set(theirs.answer)


def _only(field: str, rtype: str) -> Callable[[Case], bool]:
    """Ours has all of theirs, and records of this type beside them."""

    def holds(case: Case) -> bool:
        ours, theirs = set(getattr(case.ours, field)), set(getattr(case.theirs, field, ()))
        return theirs < ours and all(row[1] == rtype for row in ours - theirs)

    return holds


def _options(*codes: int) -> Callable[[Case], bool]:
    """Nothing else differs in the options than these, and those of them that were asked for."""

    def holds(case: Case) -> bool:
        if case.theirs is None or case.ours.edns is None or case.theirs.edns is None:
            return False
        asked = set(case.question.edns[2] if case.question.edns else ())
        other = set(case.ours.options) ^ set(case.theirs.options)
        return other <= {each for each in codes if each == _EDE or each in asked}

    return holds


def _soa_ttl(case: Case) -> bool:
    if case.theirs is None or case.question.type != 6:
        return False
    flat = [tuple((row[0], row[1], row[3]) for row in each.authority) for each in (case.ours, case.theirs)]
    return flat[0] == flat[1] and case.peer == "BIND" and all(row[2] == 0 for row in case.theirs.authority)


def _some_of_any(case: Case) -> bool:
    theirs = case.theirs.answer if case.theirs else ()
    return case.question.type == _ANY and {row[0] for row in case.ours.answer} == {row[0] for row in theirs}


FIELDS = tuple(each for each in replies.Reply._fields if each != "size")
_CONTENT = ("rcode", "aa", "answer", "authority", "additional", "owners")
TRUNCATED = Rule(
    "truncated",
    "one reply was too large for its datagram, ours or theirs; asked again over TCP they are compared",
    "RFC 2181 section 9",
    ("tc",),
    lambda case: not case.question.stream,
)
FOLLOWED = Rule(
    "followed",
    "the alias leads into another of our zones: fedns follows it in the same reply; the peer's is put "
    "together from its replies to each name of the chain",
    "RFC 1034 section 4.3.2, steps 2 and 3a",
    _CONTENT,
    lambda case: True,
)
RULES: tuple[Rule, ...] = (
    Rule(
        "owner case",
        "names are written as they were asked, or as they stand in the zone",
        "RFC 4343 section 4.1",
        ("owners",),
        lambda case: True,
    ),
    Rule(
        "opcode",
        "an opcode that is not done here is NOTIMP, whatever else the message holds",
        "RFC 8906 section 3.1.4",
        FIELDS,
        lambda case: case.question.opcode != 0 and case.ours.rcode == "NOTIMP",
    ),
    Rule(
        "class",
        "no data of other classes is held, and class ANY is not answered as IN",
        "RFC 1035 section 4.1.1",
        FIELDS,
        lambda case: case.question.klass != 1 and case.ours.rcode == "REFUSED",
    ),
    Rule(
        "cd cleared",
        "an authoritative reply has AD and CD clear",
        "RFC 4035 section 3.1.6",
        ("cd", "ad", "z", "rd"),
        _bits,
    ),
    Rule(
        "options",
        "EDNS options that a server may give or leave out: cookies, client subnet, keepalive, NSID, EDE",
        "RFC 6891 section 6.1.2; RFC 5001, 7828, 7871, 7873, 8914",
        ("options",),
        _options(3, _ECS, 9, _COOKIE, 11, 12, 13, _EDE),
    ),
    Rule(
        "name servers",
        "the peer names the zone's servers beside a positive answer; that is optional",
        "RFC 1034 section 4.3.2",
        ("authority",),
        _apex_ns,
    ),
    Rule(
        "additional",
        "addresses of named hosts are optional, apart from glue, which both give",
        "RFC 1034 section 4.3.2, step 6; RFC 9471",
        ("additional",),
        _optional,
    ),
    Rule(
        "ds",
        "a DS set at a delegation goes into a referral for DO, be the zone itself signed or not",
        "RFC 4035 section 3.1.4",
        ("authority",),
        _only("authority", "DS"),
    ),
    Rule(
        "soa ttl",
        "BIND gives a negative answer to an SOA question the TTL 0 (`zero-no-soa-ttl`)",
        "RFC 2308 section 3",
        ("authority",),
        _soa_ttl,
    ),
    Rule(
        "any",
        "a question for ANY gets one RRset over UDP, all over TCP",
        "RFC 8482 section 4.1",
        ("answer", "additional"),
        _some_of_any,
    ),
    Rule(
        "any below a dname",
        "the synthesised CNAME answers the question for ANY: the chain ends there",
        "RFC 1034 section 4.3.2, step 3a; RFC 8482 section 4.1",
        _CONTENT,
        lambda case: case.question.type == _ANY and any(row[1] == "DNAME" for row in case.ours.answer),
    ),
    Rule(
        "placeholder",
        "a name that exists without data is transferred with a record of a private type, which fedns itself "
        "does not show",
        "RFC 8020 section 2; RFC 6895 section 3.1",
        ("answer", "authority", "additional", "owners"),
        lambda case: case.theirs is not None and {row[1::2] for row in case.theirs.answer} == {_PLACEHOLDER},
    ),
    Rule(
        "transfer",
        "who may not have the zone is refused",
        "RFC 5936 section 2.2.1",
        FIELDS,
        lambda case: case.question.type in _TRANSFERS and case.ours.rcode in ("REFUSED", "NOTAUTH"),
    ),
    Rule(
        "opt",
        "OPT and NXNAME must not be asked for",
        "RFC 6891 section 6.1.1; RFC 9824 section 3.5",
        FIELDS,
        lambda case: case.question.type in (41, 128) and case.ours.rcode == "FORMERR",
    ),
    Rule(
        "unknown type",
        "a type that is unknown, or has no data by its nature, is a type without data",
        "RFC 8906 section 3.1.2",
        _CONTENT,
        lambda case: (
            (case.question.type in QTYPES or not case.question.type)
            and case.ours.rcode in ("NOERROR", "NXDOMAIN", "REFUSED")
            and case.theirs is not None
            and case.theirs.rcode in ("FORMERR", "NOTIMP")
        ),
    ),
    Rule(
        "beside an alias",
        "an alias is followed for every type but CNAME; no zone here holds types that may stand beside it",
        "RFC 1034 section 4.3.2, step 3a",
        _CONTENT,
        lambda case: (
            case.question.type in _BESIDE_ALIAS and any(row[1] == "CNAME" for row in case.ours.answer)
        ),
    ),
    Rule(
        "loop",
        "aliases that lead in a circle, or grow for ever, are shown as they stand, and nothing fails",
        "RFC 1034 section 3.6.2; RFC 6672 section 2.2",
        _CONTENT,
        _endless,
    ),
    Rule(
        "too long",
        "a name that a DNAME makes too long denies nothing, so there is no SOA",
        "RFC 6672 section 3.2, step 3c",
        ("authority",),
        lambda case: case.codes("YXDOMAIN", "YXDOMAIN"),
    ),
    Rule(
        "version",
        "the reply to another EDNS version: BADVERS, and DO copied",
        "RFC 6891 section 6.1.3; RFC 3225 section 3",
        ("flags", "question", "tc", "ra", "cd", "z", "aa", "answer", "authority", "additional"),
        lambda case: case.codes("BADVERS", "BADVERS"),
    ),
    Rule(
        "code in a question",
        "the response code means nothing in a question and is not looked at",
        "RFC 1035 section 4.1.1",
        FIELDS,
        lambda case: (
            case.theirs is not None and bool(case.question.packet[3] & 15) and case.theirs.rcode == "FORMERR"
        ),
    ),
)
ALL = (TRUNCATED, FOLLOWED, *RULES)
