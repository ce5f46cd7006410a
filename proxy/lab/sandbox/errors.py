"""How a tool, or the gateway in front of it, says no."""

from collections.abc import Mapping


class GatewayError(Exception):
    """A call that is turned down: nothing was changed by it.

    `status` is the HTTP status of the answer, `code` a word that programs may compare,
    `message` a sentence for people.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The answer's JSON: `{"error": {"code", "message"}}`."""
        return {"error": {"code": self.code, "message": self.message}}


def invalid(field: str, wanted: str) -> GatewayError:
    """400 for an input field that is missing or wrong; `wanted` says what is allowed."""
    return GatewayError(400, "invalid_input", f"input.{field}: {wanted}")
