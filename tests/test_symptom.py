"""The words of policies for what went wrong."""

import msgspec
import pytest

from proxy.reply import Failure
from proxy.symptom import Symptom, symptom_of, symptoms
from tests.fakes import make_reply


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (Failure.CONNECT, "connect"),
        (Failure.OVERLOADED, "connect"),
        (Failure.CERTIFICATE, "certificate"),
        (Failure.DISCONNECT, "disconnect"),
        (Failure.BAD_RESPONSE, "disconnect"),
        (Failure.TIMEOUT, "timeout"),
        (Failure.TRUNCATED, "truncated"),
        (Failure.CANCELLED, "cancelled"),
        (Failure.BAD_REQUEST, "bad_request"),
    ],
)
def test_every_failure_has_its_word(failure: Failure, word: str) -> None:
    """A failure of the network is named by what it means for who would repeat the call."""
    assert symptom_of(make_reply(failure)) == word


def test_no_failure_is_without_a_word() -> None:
    """A failure that is added later cannot be forgotten here."""
    assert {symptom_of(make_reply(failure)) for failure in Failure}


def test_an_answer_is_named_by_its_status() -> None:
    """503 is 503, and a failure goes before the status of the answer that it cut."""
    assert symptom_of(make_reply(503)) == "503"
    assert symptom_of(make_reply(200, failure=Failure.TRUNCATED)) == "truncated"


def test_numbers_and_texts_are_the_same() -> None:
    """YAML has 503 as a number, or as a text where somebody quoted it."""
    assert symptoms((503, "503", "connect")) == {"503", "connect"}


@pytest.mark.parametrize(
    "written", [200, 600, "200", "5xx", "Connect", "cancelled", "certificate", ""]
)
def test_other_words_are_refused(written: object) -> None:
    """Certificates and cancellations cannot be named, nor anything that is no error."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(written, Symptom)
