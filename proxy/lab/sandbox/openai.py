"""A model behind OpenAI's interface: chat completions, responses, embeddings, models.

Shapes are those of the vendor's reference of November 2026. What a request says beyond what is read
here is ignored. What is answered, and how to wish for figures: llm.py.
"""

from functools import partial

from proxy.lab.sandbox.calls import Calls
from proxy.lab.sandbox.envelope import parse
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.llm import BORN, MODELS, Asked, model_of, read_wish
from proxy.lab.sandbox.openai_chat import read_chat
from proxy.lab.sandbox.openai_embeddings import embed
from proxy.lab.sandbox.openai_errors import ERRORS, headers, refusal
from proxy.lab.sandbox.openai_responses import read_response
from proxy.lab.sandbox.said import Answer, Head, Question, question


class OpenAI:
    """The vendor, on `/v1/…` or without the version."""

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
            raise GatewayError(405, "method_not_supported", f"{head.method} is not answered here")
        if path == "/embeddings":
            document = parse(body)
            model = model_of(document)
            return self._asked(model, partial(embed, self._seed, model, document))
        asked = _read(path, body)
        run = partial(asked.answered, self._seed, read_wish(head))
        return self._asked(asked.prompt.model, run)

    def refusal(self, error: GatewayError) -> Answer:
        """`{"error": {"message", "type", "param", "code"}}`."""
        return refusal(error)


def _read(path: str, body: bytes) -> Asked:
    match path:
        case "/chat/completions":
            return read_chat(parse(body))
        case "/responses":
            return read_response(parse(body))
        case _:
            raise GatewayError(404, "unknown_url", f"there is nothing at POST {path[:64]}")


def _models(name: str) -> Answer:
    shown = {
        model: {"id": model, "object": "model", "created": BORN, "owned_by": "sandbox"}
        for model in MODELS
    }
    if not name:
        return Answer(200, {"object": "list", "data": list(shown.values())}, headers("0" * 24))
    if name not in shown:
        raise GatewayError(404, "model_not_found", f"there is no model {name[:64]!r}")
    return Answer(200, shown[name], headers("0" * 24))
