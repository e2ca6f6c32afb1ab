"""What becomes of annotations, for who moves here."""

from fedns.gateway import report
from tests.gateway.ingresses import ingress


def test_each_annotation_once_with_all_who_carry_it() -> None:
    found = report.lines(
        (
            ingress("a", annotations={"enable-cors": "true", "server-snippet": "x", "limit-rps": "1"}),
            ingress("b", annotations={"enable-cors": "maybe", "mse.ingress.kubernetes.io/limit-rps": "1"}),
            ingress("c", annotations={"other.io/enable-cors": "true", "fedns.io/wat": ""}),
        )
    )
    assert [(line.status, line.annotation.rpartition("/")[2], line.ingresses) for line in found] == [
        ("unknown", "wat", ("shop/c",)),
        ("unknown", "limit-rps", ("shop/b",)),
        ("ignored", "server-snippet", ("shop/a",)),
        ("different", "limit-rps", ("shop/a",)),
        ("supported", "enable-cors", ("shop/a", "shop/b")),
    ]
    assert all(line.words for line in found if line.status != "supported")
    assert report.lines(()) == ()
