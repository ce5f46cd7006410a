"""Secrets that tests plant, ways to spell them, and all readings of what came out."""

import base64
import json
import re
from urllib.parse import unquote

from hypothesis import strategies as st

BODY = "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8"
HEX = "0123456789abcdef0123456789abcdef"
KEYS = (
    f"sk-ant-api03-{BODY}", f"sk-proj-{BODY}", f"sk-{BODY}", f"sk_live_{BODY}",
    "AKIAIOSFODNN7REAL123",
    f"ghp_{BODY}", f"github_pat_{BODY}_{BODY}", f"glpat-{BODY}", "xoxb-123456789012-abcdefABCDEF",
    f"AIzaSy{BODY}", f"npm_{BODY}", f"hf_{BODY}", f"gsk_{BODY}", f"xai-{BODY}", f"pplx-{BODY}",
    f"SG.{BODY}.{BODY}", f"dapi{HEX}", f"dop_v1_{HEX}{HEX}", f"shpat_{HEX}", f"hvs.{BODY}",
    f"key-{HEX}", f"{HEX}-us12", f"123456789:AA{BODY}", f"whsec_{BODY}", f"nvapi-{BODY}",
    f"https://hooks.slack.com/services/T0001/B0001/{BODY}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{BODY}",
)  # fmt: skip
CARDS = (
    "4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005",
    "3782 822463 10005", "6011000990139424", "4222222222222", "6304000000000000",
)  # fmt: skip
MAILS = ("jane.doe+x@example.com", "o_brien@mail.example.co.uk", "root@a.io")
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END RSA PRIVATE KEY-----"
PASSWORDS = ("hunter2", "Tr0ub4dor&3", "correct horse battery", 'quo"te\\d', "пароль1")
NAMES = (
    "password", "PASSWORD", "userPassword", "db_passwd", "api_key", "X-Api-Key", "apiKey", "secret",
    "client_secret", "access_token", "Authorization", "AUTHORIZATION", "authToken", "private_key",
    "cookie", "Set-Cookie", "pwd", "DB_PASS", "jwt", "credentials",
)  # fmt: skip
BY_FORM = (*KEYS, *CARDS, *MAILS)


@st.composite
def spelled(draw: st.DrawFn, text: str) -> str:
    """A string of JSON that says this, each character in any of its spellings."""
    out = []
    for sign in text:
        if draw(st.booleans()) or ord(sign) > 0xFFFF:
            out.append(json.dumps(sign)[1:-1])
        else:
            code = f"{ord(sign):04x}"
            out.append("\\u" + (code.upper() if draw(st.booleans()) else code))
    return '"' + "".join(out) + '"'


def readings(text: str, depth: int = 3) -> set[str]:
    """What a receiver may make of it."""
    found = {text}
    if depth:
        more = {unquote(text), re.sub(r"\\u([0-9a-fA-F]{4})", _sign, text).replace("\\", "")}
        for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", text):
            try:
                padded = run.replace("-", "+").replace("_", "/") + "=" * (-len(run) % 4)
                more.add(base64.b64decode(padded).decode())
            except ValueError:
                continue
        for reading in more - {text}:
            found |= readings(reading, depth - 1)
    return found


def _sign(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
