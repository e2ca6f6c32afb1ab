"""What is registered is what the reader of registrations takes, and nothing more than was asked for."""

import msgspec

from fedns.distribute import registration
from fedns.sources import registrations

CA = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
FULL = registration.Member(
    name="far",
    server="https://h:6443",
    identity="uid",
    ca=CA,
    server_name="kubernetes",
    region="eu",
    zones=("eu-a",),
    selector="a=b",
    namespaces="team=x",
    exports=True,
)


def read(told: object, resource: registrations.Resource) -> object:
    kind = registrations.KINDS[resource]
    return kind.strip(msgspec.json.decode(msgspec.json.encode(told), type=kind.shape))


def test_the_reader_takes_what_is_written() -> None:
    assert read(registration.member_cluster(FULL), registrations.MEMBERS) == registrations.Registration(
        name="far",
        server="https://h:6443",
        secret=registration.secret_name("far"),
        ca=CA,
        server_name="kubernetes",
        region="eu",
        zones=("eu-a",),
        selector="a=b",
        namespaces="team=x",
        exports=True,
    )
    secret = registration.credentials("far", "fedns", "secret")
    assert read(secret, registrations.SECRETS) == registrations.Credentials(token="secret")
    assert secret["metadata"]["labels"][registrations.LABEL] == registrations.VALUE


def test_only_what_was_asked_for_is_said() -> None:
    told = registration.member_cluster(registration.Member("far", "https://h", "uid"))
    assert told["spec"] == {"server": "https://h", "secretRef": {"name": "member-far"}}
    assert told["metadata"] == {"name": "far", "annotations": {registration.IDENTITY: "uid"}}
    assert registration.with_ca(FULL, "").ca == ""
