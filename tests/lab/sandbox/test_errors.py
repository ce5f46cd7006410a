"""proxy/lab/sandbox/errors.py"""

from proxy.lab.sandbox.errors import GatewayError, invalid


def test_body_has_code_and_message() -> None:
    """An error goes out as one object with a code and a message."""
    error = GatewayError(404, "wallet_not_found", "no such wallet")
    assert error.body() == {"error": {"code": "wallet_not_found", "message": "no such wallet"}}


def test_invalid_names_the_field() -> None:
    """A wrong field is a 400 that says which field and what is allowed."""
    error = invalid("amount", "required")
    assert (error.status, error.code, error.message) == (
        400,
        "invalid_input",
        "input.amount: required",
    )
