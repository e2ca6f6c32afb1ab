"""The mailbox types of RFC 1035 (MB, MG, MR, MINFO), which the library does not read and old zones hold.

Law: one such record must not cost its zone.
"""

import sys

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.RP
import dns.rdtypes.nsbase


class MB(dns.rdtypes.nsbase.UncompressedNS):
    """The host of a mailbox."""


class MG(dns.rdtypes.nsbase.UncompressedNS):
    """A member of a mail group."""


class MR(dns.rdtypes.nsbase.UncompressedNS):
    """The new name of a mailbox."""


class MINFO(dns.rdtypes.ANY.RP.RP):
    """Who answers for a list, and who gets its errors: two names, as in RP."""


_TYPES = {MB: 7, MG: 8, MR: 9, MINFO: 14}


def learn() -> None:
    """Make the library read and write these types, unless it has learnt to by itself."""
    for one, number in _TYPES.items():
        rtype = dns.rdatatype.RdataType.make(number)
        known = dns.rdata.get_rdata_class(dns.rdataclass.IN, rtype)  # type: ignore[no-untyped-call]
        if known is dns.rdata.GenericRdata:
            dns.rdata.register_type(sys.modules[__name__], rtype, one.__name__)
