"""proxy/protocols/standard_webhooks.py"""

import base64

import pytest

from proxy.protocols.standard_webhooks import headers, key

OLD = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NEW = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"
# Of OLD and NEW, as the reference library of Standard Webhooks signs (standardwebhooks 1.1.0).
BY_OLD = "v1,SXH+qmndEVuxj7BqXHHmdBfxQS+7TlPQ2/Ojqu9B6AE="
BY_NEW = "v1,MwDKhJXOVNWg3GiIsmr5eyqy9sjE8jipIajrrq42lBc="
BODY = '{"a":"é"}'.encode()


def test_a_post_is_signed_as_everybody_signs() -> None:
    """The id, the whole second of the try, and a signature that others come to as well."""
    assert headers([key(OLD)], "msg_1", 1_700_000_000.9, BODY) == (
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", BY_OLD),
    )


def test_two_secrets_sign_while_one_is_replaced() -> None:
    """Whoever has either finds his own."""
    lines = dict(headers([key(NEW), key(OLD)], "msg_1", 1_700_000_000.0, BODY))
    assert lines["webhook-signature"] == f"{BY_NEW} {BY_OLD}"


def test_without_a_secret_nothing_is_signed() -> None:
    """It has an id and a time all the same."""
    names = [name for name, _ in headers([], "msg_1", 1.0, BODY)]
    assert names == ["webhook-id", "webhook-timestamp"]


def test_base64_may_be_without_its_padding() -> None:
    """Some tools leave it out."""
    assert key(OLD.rstrip("=")) == key(OLD) == bytes(range(32))


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("hunter2hunter2hunter2hunter2", "expected a secret that begins with whsec_"),
        ("whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "expected a secret that begins with whsec_"),
        ("whsec_not base64", "expected base64 after whsec_"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "expected 24 to 64 bytes after whsec_, "
         "found 23"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "expected 24 to 64 bytes after whsec_, "
         "found 65"),
    ],
)  # fmt: skip
def test_what_is_no_secret(secret: str, why: str) -> None:
    """Said without quoting it."""
    with pytest.raises(ValueError) as raised:
        key(secret)
    assert str(raised.value) == why
