"""Who may pass: by name and password, by the word of somebody else, or by both.

Law: the password first, since it costs less; one that was right does not go on to the backend. Where either
is enough, the second is asked only when the first was not.
"""

from typing import NamedTuple

from fedns.gateway.head import Head
from fedns.gateway.options import Options
from fedns.proxy import passwords
from fedns.proxy.aside import Aside
from fedns.proxy.external import Externals, Verdict
from fedns.proxy.passwords import Busy, Passwords

_KNOWN = Verdict(0, removed=frozenset((b"authorization",)))


class Case(NamedTuple):
    """One request. `wire`: the head that its backend would get."""

    options: Options
    rule: bytes
    head: Head
    wire: bytes


class Admission:
    """One worker's."""

    def __init__(self, aside: Aside) -> None:
        self.passwords, self._externals = Passwords(), Externals(aside)

    async def judge(self, case: Case) -> Verdict:
        options = case.options
        verdict = Verdict(0)
        if options.basic is not None:
            verdict = await self._known(options, case.head)
            if options.external is None or bool(verdict.status) != options.either:
                return verdict
        if options.external is None:
            return verdict
        other = await self._externals.ask(options.external, case.rule, case.head, case.wire)
        return other._replace(removed=other.removed | verdict.removed)

    async def _known(self, options: Options, head: Head) -> Verdict:
        assert options.basic is not None
        try:
            right = await self.passwords.right(options.basic, head.get(b"authorization") or b"")
        except Busy:
            return Verdict(503, ((b"Retry-After", b"1"),))
        if right:
            return _KNOWN
        return Verdict(401, ((b"WWW-Authenticate", passwords.challenge(options.basic.realm)),))
