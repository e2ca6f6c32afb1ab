"""Who asks, and the settings that go through the tables."""

from fedns.dns import client


def test_settings_go_through_octets() -> None:
    server = client.Server(nsid="a", identity="b", version="", idle=2.5)
    assert client.decode(client.encode(server)) == server
    assert client.decode(None) == client.Server()


def test_settings_of_another_version_are_read_as_far_as_they_are_known() -> None:
    assert client.decode(b'{"nsid": "a", "unheard": 1}') == client.Server(nsid="a")


def test_nobody_has_no_address() -> None:
    assert client.NOBODY.address() == b"" and not client.NOBODY.stream
