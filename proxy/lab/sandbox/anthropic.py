"""A model behind Anthropic's interface: messages, the count of tokens, models.

Shapes are those of the vendor's reference of November 2026. What a request says beyond what is read
here is ignored. What is answered, and how to wish for figures: llm.py.
"""

from collections.abc import Mapping
from functools import partial

from proxy.lab.sandbox.anthropic_errors import ERRORS, headers, refusal
from proxy.lab.sandbox.anthropic_message import read_message, read_of
from proxy.lab.sandbox.calls import Calls
from proxy.lab.sandbox.envelope import parse
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.llm import MODELS, model_of, read_wish
from proxy.lab.sandbox.said import Answer, Head, Question, question
from proxy.lab.sandbox.words import digest, tokens


class Anthropic:
    """The vendor, on `/v1/…`."""

    errors = ERRORS

    def __init__(self, seed: int, calls: Calls) -> None:
        self._seed = seed
        self._asked = partial(question, calls, refusal)

    def read(self, head: Head, body: bytes) -> Question:
        """By its path."""
        path = head.path.removeprefix("/v1")
        if head.method == "GET" and path.startswith("/models"):
            name = path.removeprefix("/models").removeprefix("/")
            return self._asked("models", partial(_models, name))
        if head.method != "POST":
            raise GatewayError(405, "method_not_allowed", f"{head.method} is not answered here")
        match path:
            case "/messages":
                asked = read_message(parse(body))
                run = partial(asked.answered, self._seed, read_wish(head))
                return self._asked(asked.prompt.model, run)
            case "/messages/count_tokens":
                document = parse(body)
                return self._asked(model_of(document), partial(_count, document))
            case _:
                raise GatewayError(404, "not_found", f"there is nothing at POST {head.path[:64]}")

    def refusal(self, error: GatewayError) -> Answer:
        """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
        return refusal(error)


def _count(document: Mapping[str, object]) -> Answer:
    """As many as a message with this body would say that it read."""
    counted = {"input_tokens": tokens(read_of(document))}
    return Answer(200, counted, headers(digest(document).hex()[:24]))


def _models(name: str) -> Answer:
    shown = {
        model: {
            "type": "model",
            "id": model,
            "display_name": model.replace("-", " ").capitalize(),
            "created_at": "2026-06-01T00:00:00Z",
            "lifecycle": "active",
        }
        for model in MODELS
    }
    listed = list(shown.values())
    if not name:
        page = {"data": listed, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
        return Answer(200, page, headers("0" * 24))
    if name not in shown:
        raise GatewayError(404, "not_found", f"there is no model {name[:64]!r}")
    return Answer(200, shown[name], headers("0" * 24))
