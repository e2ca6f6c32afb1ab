"""Objects as text: what YAML reads back, in the order in which people read it."""

import yaml

from fedns.distribute import manifest, rights


def test_text_is_the_objects_and_reasons_are_comments() -> None:
    account = rights.reader("fedns")
    given = rights.rights(rights.Needs(member=True, fleet=True, status=True))
    found = (rights.account(account), *rights.granted(account, given))
    text = manifest.text(found, [(rights.rule(one), one.why) for one in given])
    assert list(yaml.safe_load_all(text)) == list(found)
    assert text.startswith("apiVersion: v1\nkind: ServiceAccount\nmetadata:\n")
    for right in given:
        assert f"\n# {right.why}\n- apiGroups:" in text


def test_no_objects_are_no_text() -> None:
    assert manifest.text(()) == ""
