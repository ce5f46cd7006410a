"""proxy/admin/answers.py."""

import json
from typing import Any

from proxy.admin.answers import problem, said


def read(answer: Any) -> Any:
    """Its JSON."""
    return json.loads(answer.body)


def test_what_is_said_is_json():
    """With its status."""
    answer = said(503, {"a": [1, None]})

    assert (answer.status, answer.content_type) == (503, "application/json")
    assert read(answer) == {"a": [1, None]}


def test_a_problem_says_more_where_more_is_known():
    """RFC 9457; without a detail there is no empty one."""
    plain, told = problem(404, "Not Found"), problem(403, "Forbidden", "go away")

    assert plain.content_type == "application/problem+json"
    assert read(plain) == {"type": "about:blank", "title": "Not Found", "status": 404}
    assert read(told)["detail"] == "go away"
