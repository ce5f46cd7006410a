"""The tokens file: who may ask what on the admin side, and which credential is which agent's."""

import enum


class Role(enum.StrEnum):
    """What a token is good for. Each of them may read; `approver` and `operator` do not hold each
    other: who runs the proxy does not by that approve what it spends."""

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"
