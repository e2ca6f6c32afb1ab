"""What the configuration says of DNSSEC: which zones are signed, with which keys, and all the times.

Law: times may be as short as seconds; what would break caches whatever the keys do is refused.
"""

from typing import Literal

from msgspec import Struct, structs

from fedns import schema
from fedns.dns import rollover
from fedns.values import Algorithm, File, Host, Life, TtlSeconds


class KeyFile(Struct, frozen=True):
    """A private key made elsewhere (PKCS#8 PEM), and what it is for; `zone` is the federated one by default.
    Keys that are given are never rolled by themselves: `state` says how far each is."""

    file: File
    role: Literal["csk", "ksk", "zsk"] = "csk"
    zone: Host = ""
    state: Literal["published", "ready", "active", "retired"] = "active"


class Settings(Struct, frozen=True):
    """Which zones are signed, and the times of their keys and signatures. `keys`: one key for all (`csk`) or
    two, of which one signs the other (`ksk+zsk`). `max_ttl`: the longest TTL in these zones; `parent_ttl`: of
    their DS sets; `propagation`: until every server has a change."""

    zones: tuple[Host, ...] = ()
    algorithm: Algorithm = 13
    keys: Literal["csk", "ksk+zsk"] = "csk"
    files: tuple[KeyFile, ...] = ()
    validity: Life = 14 * 86400
    key_ttl: TtlSeconds = 3600
    max_ttl: TtlSeconds = 86400
    parent_ttl: TtlSeconds = 86400
    propagation: Life = 300
    zsk_lifetime: Life = 90 * 86400


def completed(told: Settings, domain: str) -> Settings:
    """With the federated zone where a key's zone is not named."""
    files = tuple(structs.replace(one, zone=one.zone or domain) for one in told.files)
    return structs.replace(told, files=files)


def check(told: Settings, domain: str, reader: schema.Reader) -> None:
    """What one value cannot say about itself."""
    path: schema.Path = ("dns", "dnssec")
    for index, zone in enumerate(told.zones):
        if zone in told.zones[:index]:
            reader.bad((*path, "zones", index), f"dns.dnssec.zones: {zone} is written twice")
    for index, file in enumerate(told.files):
        zone = file.zone or domain
        if zone not in told.zones:
            reader.bad((*path, "files", index), f"a key of {zone}, which is not signed", "add it to `zones`")
    for zone in sorted({file.zone or domain for file in told.files}):
        acting = {
            file.role for file in told.files if (file.zone or domain) == zone and file.state == "active"
        }
        if "csk" not in acting and not {"ksk", "zsk"} <= acting:
            reader.bad((*path, "files"), f"the keys of {zone} do not make a chain",
                       "an active csk, or an active ksk and an active zsk")  # fmt: skip
    if told.validity < 2 * (told.key_ttl + told.propagation):
        hint = "signatures are renewed at half of their life; caches must be able to keep keys meanwhile"
        reader.bad((*path, "validity"), "dns.dnssec.validity is less than twice key_ttl + propagation", hint)


def rolling(told: Settings) -> rollover.Settings:
    """How keys live."""
    return rollover.Settings(
        algorithm=told.algorithm,
        split=told.keys == "ksk+zsk",
        key_ttl=told.key_ttl,
        max_ttl=told.max_ttl,
        parent_ttl=told.parent_ttl,
        propagation=told.propagation,
        zsk_lifetime=told.zsk_lifetime,
    )
