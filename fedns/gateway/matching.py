"""Rules that ask for more than host and path: methods, header fields, parameters.

Law: all that a rule asks for must hold. Names of header fields are lower case; values and parameters are
compared as they came.
"""

from fedns.gateway import route
from fedns.gateway.head import Head
from fedns.gateway.options import Compared, Match
from fedns.gateway.route import Location


def suited(location: Location, head: Head) -> Location | None:
    """The variant of a location that takes the request, or the location itself; None: neither does."""
    for each in location.variants:
        if fits(each.match, head):
            return each
    return location if location.pool or not location.variants else None


def fits(match: Match, head: Head) -> bool:
    if match.methods and head.method not in match.methods:
        return False
    return all(_same(each, head.get(each[1])) for each in match.headers) and all(
        _same(each, head.argument(each[1])) for each in match.query
    )


def _same(asked: Compared, value: bytes | None) -> bool:
    how, _, text = asked
    if value is None:
        return False
    if how == "exact":
        return value == text
    if how == "prefix":
        return value.startswith(text)
    return route.matches(text, value)
