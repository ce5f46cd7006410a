"""What a secret looks like in a text: the forms, and where in the text they are.

The agent chooses the text, so every search is linear in it: what repeats without a bound is
possessive, and begins only where a run of its own characters begins; all else is bounded. A regular
expression holds the interpreter until it is done, so a long text is searched window by window, and
others get their turn in between.

Own code, because no library fits (looked at in 2026-11): detect-secrets scans files, its newest
release is of 2024, and some of its expressions take cubic time; presidio brings a language model;
secretscreen is one person's, made for settings, and says that it is no security boundary;
google-re2 would make any expression linear, but knows no look-behind, and is 4 MB for that. The
forms of keys are those that the vendors document.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

MARK = "[redacted]"
"""Stands where something was taken out. Found again, it is left as it is."""
WINDOW = 16 << 10
_STEPS = 1024  # one or two milliseconds
_OVERLAP = 8 << 10  # a form that begins in a window is known by so many characters

Span: TypeAlias = tuple[int, int]
Secret: TypeAlias = Callable[[str], bool]
"""Is what has this name a secret?"""
Breathe: TypeAlias = Callable[[], None]


class TooMuch(Exception):
    """It would take too long to look through; the text says why."""


class Budget:
    """How much may still be looked at; and others get their turn now and then."""

    __slots__ = ("_next", "breathe", "left")

    def __init__(self, left: int, breathe: Breathe) -> None:
        self.left = left
        self.breathe = breathe
        self._next = max(0, left - _STEPS)

    def spend(self, count: int) -> None:
        """Raises TooMuch."""
        left = self.left = self.left - count
        if left < self._next:
            if left < 0:
                raise TooMuch("too much to look through")
            self._next = max(0, left - _STEPS)
            self.breathe()


# --- names ------------------------------------------------------------------------------------

_PARTS = (
    "password", "passwd", "passphrase", "passwort", "secret", "apikey", "accesskey", "privatekey",
    "authkey", "accountkey", "signingkey", "sharedkey", "encryptionkey", "masterkey", "sshkey",
    "credential", "authorization", "cookie", "sessionid", "sessid", "sessiontoken", "authtoken",
    "accesstoken", "refreshtoken", "idtoken", "connectionstring", "xsrf", "csrf",
)  # fmt: skip
_WHOLE = frozenset(
    {
        "pass", "pwd", "pw", "auth", "authentication", "bearer", "pin", "pincode", "cvv", "cvv2",
        "cvc", "cvc2", "otp", "totp", "sid", "cred", "creds", "dsn", "sig", "xamzsignature",
        "xgoogsignature",
    }
)  # fmt: skip
_ENDS = ("token", "jwt", "pwd", "passcode")
_LAST = frozenset({"pass", "pin", "otp", "cvv", "cvc", "pw"})
_PLAIN = frozenset(
    {
        "nextpagetoken", "prevpagetoken", "pagetoken", "nexttoken", "continuationtoken",
        "nextsynctoken", "synctoken", "progresstoken", "cursortoken", "stoptoken", "maxtoken",
    }
)  # fmt: skip
_LINES = ("authorization", "cookie")  # headers whose whole line is the secret
_NO_WORD = re.compile(r"[\W_]+")
_LAST_WORD = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+)\d*\Z")
_LONGEST_NAME = 200


def compact(name: str) -> str:
    """A name in the one spelling in which it is compared: letters and digits, in lower case."""
    return _NO_WORD.sub("", name[-_LONGEST_NAME:]).casefold()


def secret_name(name: str) -> bool:
    """Is what is called so a credential, in all likelihood?"""
    return _secret_name(name) if len(name) < _REMEMBERED else _judged(name)


_REMEMBERED = 40


def _judged(name: str) -> bool:
    short = compact(name)
    if short in _PLAIN:
        return False
    if short in _WHOLE or short.endswith(_ENDS) or any(part in short for part in _PARTS):
        return True
    last = _LAST_WORD.search(name[-_LONGEST_NAME:])
    return last is not None and last[0].lower() in _LAST


_secret_name = functools.lru_cache(2048)(_judged)

# --- forms ------------------------------------------------------------------------------------

# In a text that is JSON but for a slip, the letter of an escape stands before a key.
_EDGE = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))"
_RUN_EDGE = r"(?:(?<![\w-])|(?<=\\[bfnrt]))"
_KEYS = {
    "sk-": r"sk-[\w-]{16,}+",  # OpenAI, Anthropic, OpenRouter, DeepSeek, ...
    "k_live_": r"[srp]k_live_\w{10,}+",  # Stripe, Clerk
    "k_test_": r"[srp]k_test_\w{10,}+",
    "whsec_": r"whsec_[\w+/=-]{16,}+",
    "akia": r"AKIA[A-Z0-9]{16}", "asia": r"ASIA[A-Z0-9]{16}",  # AWS
    "ghp_": r"ghp_\w{20,}+", "gho_": r"gho_\w{20,}+", "ghu_": r"ghu_\w{20,}+",
    "ghs_": r"ghs_\w{20,}+", "ghr_": r"ghr_\w{20,}+", "github_pat_": r"github_pat_\w{20,}+",
    "glpat-": r"glpat-[\w.-]{16,}+", "gldt-": r"gldt-[\w-]{16,}+", "glrt-": r"glrt-[\w.-]{16,}+",
    "xox": r"xox[a-z](?:\.xox[a-z])?-[\w.-]{10,}+", "xapp-": r"xapp-[\w-]{10,}+",  # Slack
    "hooks.slack.com": r"hooks\.slack\.com/(?:services|workflows)/[\w/-]{10,}+",
    "discord": r"discord(?:app)?\.com/api/webhooks/[\w/-]{20,}+",
    "aiza": r"AIza[\w-]{30,}+", "ya29.": r"ya29\.[\w-]{20,}+", "gocspx-": r"GOCSPX-[\w-]{20,}+",
    "npm_": r"npm_[A-Za-z0-9]{30,}+", "pypi-": r"pypi-[\w-]{30,}+",
    "hf_": r"hf_[A-Za-z0-9]{20,}+", "gsk_": r"gsk_[A-Za-z0-9]{20,}+", "xai-": r"xai-\w{20,}+",
    "pplx-": r"pplx-\w{20,}+", "r8_": r"r8_\w{20,}+", "nvapi-": r"nvapi-[\w-]{20,}+",
    "tvly-": r"tvly-[\w-]{16,}+", "lsv2_": r"lsv2_[\w-]{20,}+", "dapi": r"dapi[0-9a-f]{32}",
    "sg.": r"SG\.[\w-]{16,}+\.[\w-]{16,}+",
    "key-": r"key-[0-9a-f]{32}",  # Mailgun
    "-us": r"[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    ":aa": r"\d{8,10}:AA[\w-]{32,}+",  # Telegram
    "_v1_": r"do[opr]_v1_[0-9a-f]{32,}+",  # DigitalOcean
    "lin_api_": r"lin_api_\w{20,}+", "ntn_": r"ntn_\w{20,}+", "sq0": r"sq0[a-z]{3}-[\w-]{20,}+",
    "shpat_": r"shpat_\w{16,}+", "shpca_": r"shpca_\w{16,}+", "shppa_": r"shppa_\w{16,}+",
    "hvs.": r"hvs\.[\w-]{20,}+", "hvb.": r"hvb\.[\w-]{20,}+",  # HashiCorp Vault
    "dp.": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.]{20,}+",  # Doppler
    "age-secret-key-1": r"AGE-SECRET-KEY-1[a-z0-9]{20,}+",
    "atatt": r"ATATT[\w=-]{20,}+", "figd_": r"figd_[\w-]{20,}+",
}  # fmt: skip
_KEY = re.compile(_EDGE + "(?:" + "|".join(_KEYS.values()) + ")", re.IGNORECASE)
_KEY_HINT = re.compile("|".join(map(re.escape, _KEYS)))
_SHORT = 200  # up to here one expression is faster than many searches
_JWT = re.compile(_RUN_EDGE + r"eyJ[\w-]{8,}+\.[\w-]{8,}+(?>\.[\w-]*+)*+")
_PEM = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY", re.IGNORECASE)
_PEM_END = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,40}KEY[A-Z ]{0,10}-{0,5}", re.IGNORECASE)
_SCHEME = re.compile(r"(?:bearer|basic)(?>[ \t]|%20|\+){1,8}+([\w.~+/=-]{6,}+)", re.IGNORECASE)
_TOKEN = re.compile(r"[0-9_~+=]|.[A-Z]|[./]\w{3}|.{24}")
_LOGIN = re.compile(r"://([^\s/@:]*+:[^\s@/]++)@")
_MAIL = re.compile(r"(?<![\w.+!#$*^~-])[\w.+!#$*^~-]++@(?:[\w-]++\.)+[^\W\d_]{2,}+")
# Groups of three digits and more, as cards have them; those of two are dates.
_DIGITS = re.compile(
    r"(?<!\d)(?<!\d\.)\d{3,19}+(?!\d)(?>[ \u00a0\u202f-]\d{3,19}+(?!\d))*+", re.ASCII
)
_NAMED = re.compile(
    r"(?<![\w.-])([\w.-]++(?>[ ](?:key|token|secret|password|phrase|code))?+)[\"'\\\]]{0,4}+"
    r"(?:[ \t]{0,8}+(?:=>|:=|[=:>])[ \t]{0,8}+|([ ](?:is|was)[ ]))",
    re.IGNORECASE,
)
_FLAG = re.compile(r"(?<![^\s\"'`])(?:--([\w-]++)|-u)[ \t]++(?!-)")
_SEPARATOR = re.compile(r"[=:>]| is | was ", re.IGNORECASE)
_QUOTED = (
    r""""([^"\\]*+(?>\\.[^"\\]*+)*+)|'([^'\\]*+(?>\\.[^'\\]*+)*+)|"""
    r"""\\++"([^"]*+)|\\++'([^']*+)|"""
)
_VALUE = re.compile(
    _QUOTED + r"`([^`]*+)|((?!\[redacted\])[\[{][^\n\]}]*+)|"
    r"""((?>(?:bearer|basic|digest|token|apikey|negotiate)[ \t]++)?+[^\s&"'`<>]++)""",
    re.IGNORECASE | re.DOTALL,
)
_LINE = re.compile(_QUOTED + r"""([^\r\n"']++)""", re.DOTALL)
_NAME_HINTS = (
    "pass", "pw", "secret", "token", "key", "auth", "cred", "cookie", "sess", "pin", "cv", "otp",
    "connection", "jwt", "bearer", "sid", "dsn", "srf", "sig",
)  # fmt: skip
_PAIR = re.compile(r"[\w.@+-]+:[^\s:/][^\s]*\Z")


def hits(
    text: str, secret: Secret, budget: Budget, hints: tuple[str, ...] = (), cards: bool = True
) -> list[Span]:
    """Where secrets are, in order; spans do not overlap. `hints`: parts of more secret names."""
    if len(text) < 6 or (len(text) < 12 and text.isalpha()):
        return []
    budget.spend(1 + len(text) // 64)
    low = text.lower()
    spans: list[Span] = []
    has = low.__contains__
    if _KEY_HINT.search(low) if len(low) < _SHORT else any(map(has, _KEYS)):
        spans += [found.span() for found in _matches(_KEY, text, budget)]
    if "eyj" in low:
        spans += [found.span() for found in _matches(_JWT, text, budget)]
    if "private key" in low:
        spans += _pems(text)
    if "bearer" in low or "basic" in low:
        spans += [found.span(1) for found in _matches(_SCHEME, text, budget) if _credential(found)]
    if "@" in text:
        spans += [found.span() for found in _matches(_MAIL, text, budget)]
        spans += [found.span(1) for found in _matches(_LOGIN, text, budget)]
    if _SEPARATOR.search(text) and (any(map(has, _NAME_HINTS)) or any(map(has, hints))):
        spans += _named(text, secret, budget)
    if "--" in text or "-u" in text:
        spans += _flags(text, secret, budget)
    if cards:
        spans += _cards(text, budget)
    return _merged(spans)


def splice(text: str, spans: list[Span]) -> str:
    """The text with the mark in place of each."""
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces += (text[at:start], MARK)
        at = end
    return "".join(pieces) + text[at:]


def private_key(text: str) -> str:
    """begin: a private key begins in the text and does not end; end: one ends; else nothing."""
    begins = _PEM.search(text)
    if begins is not None:
        return "" if _PEM_END.search(text, begins.end()) else "begin"
    return "end" if _PEM_END.search(text) else ""


def is_login(text: str) -> bool:
    """Is it what Basic authentication encodes, USER:PASSWORD?"""
    return text.isprintable() and _PAIR.match(text) is not None


def _matches(pattern: re.Pattern[str], text: str, budget: Budget) -> Iterator[re.Match[str]]:
    """As `finditer`, in steps that take no longer than a window does."""
    size, at = len(text), 0
    while at < size:
        found = pattern.search(text, at, min(size, at + WINDOW + _OVERLAP))
        if found is None or found.start() >= at + WINDOW:
            at += WINDOW
            if at < size:
                budget.breathe()
            continue
        budget.spend(1)
        if found.end() >= at + WINDOW:  # it may go on
            found = pattern.match(text, found.start()) or found
        at = found.end()
        yield found


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _pems(text: str) -> Iterator[Span]:
    """From its first line to its last, or to the end of the text."""
    begins = _PEM.search(text)
    while begins is not None:
        ends = _PEM_END.search(text, begins.end())
        end = len(text) if ends is None else ends.end()
        yield begins.start(), end
        begins = _PEM.search(text, end)


def _credential(found: re.Match[str]) -> bool:
    """`Bearer` and `Basic` are words as well: does a credential come after it?"""
    token = found[1]
    if found[0][:2].lower() == "be":
        return _TOKEN.search(token) is not None
    try:
        return b":" in base64.b64decode(token + "=" * (-len(token) % 4), validate=False)
    except binascii.Error:
        return False


def _named(text: str, secret: Secret, budget: Budget) -> Iterator[Span]:
    """Values behind names: `password=...`, `"api_key": "..."`, `<token>...`, a header's line."""
    at = 0
    for found in _matches(_NAMED, text, budget):
        if found.start() < at or not secret(found[1]):
            continue
        line = compact(found[1]).endswith(_LINES)
        value = (_LINE if line else _VALUE).match(text, found.end())
        if value is None or value.lastindex is None:
            continue
        told = value[value.lastindex]
        if told in ("{", "["):  # over more lines, where names are judged by themselves
            continue
        if told.startswith(MARK) and not told.removeprefix(MARK).strip(",;)}]"):
            continue
        # "the password is wrong" tells nobody a password
        if found[2] is None or _DIGIT.search(told):
            at = value.end()
            yield value.span(value.lastindex)


def _flags(text: str, secret: Secret, budget: Budget) -> Iterator[Span]:
    """Values on a command line: `--password ...`, `-u NAME:PASSWORD`."""
    at = 0
    for found in _matches(_FLAG, text, budget):
        if found.start() < at:
            continue
        login = found[1] in (None, "user")
        value = _VALUE.match(text, found.end()) if login or secret(found[1]) else None
        if value is not None and value.lastindex is not None:
            told = value[value.lastindex]
            if told != MARK and (not login or is_login(told)):
                at = value.end()
                yield value.span(value.lastindex)


# --- card numbers -----------------------------------------------------------------------------

_SHORTEST, _LONGEST = 13, 19
_ISSUERS = "2345689"  # no issuer of payment cards begins with 0, 1 or 7 (ISO/IEC 7812); times do
_DOUBLED = str.maketrans("0123456789", "0246813579")
_GROUP = re.compile(r"\d+", re.ASCII)
_DIGIT = re.compile(r"\d")
_HEX_BEFORE = re.compile(r"[0-9a-fA-F]*\Z")
_HEX = re.compile(r"[0-9a-fA-F]*")
_DIGEST = 32  # hexadecimal digits


def _cards(text: str, budget: Budget) -> Iterator[Span]:
    """Groups of digits, parted by one space or dash, that add up to a card's number."""
    if len(text) < _SHORTEST:
        return
    for run in _matches(_DIGITS, text, budget):
        start, end = run.span()
        if end - start < _SHORTEST:
            continue
        groups = [group.span() for group in _GROUP.finditer(text, start, end)]
        budget.spend(len(groups))
        at = 0
        while at < len(groups):
            count = _card(text, groups, at)
            if count:
                yield groups[at][0], groups[at + count - 1][1]
            at += count or 1


def _card(text: str, groups: list[Span], at: int) -> int:
    """How many groups from here on are one; 0: none."""
    digits, found = "", 0
    if text[groups[at][0]] not in _ISSUERS:
        return 0
    for count, (start, end) in enumerate(groups[at : at + _LONGEST], 1):
        digits += text[start:end]
        if len(digits) > _LONGEST:
            break
        if len(digits) >= _SHORTEST and _luhn(digits):
            found = count
    if found == 1 and _in_digest(text, *groups[at]):
        return 0
    return found


def _luhn(digits: str) -> bool:
    """The check digit is right (ISO/IEC 7812-1, annex B)."""
    plain, doubled = digits[::-2], digits[-2::-2].translate(_DOUBLED)
    return sum(map(int, plain)) + sum(map(int, doubled)) in _TENS


_TENS = frozenset(range(0, 200, 10))


def _in_digest(text: str, start: int, end: int) -> bool:
    """One in a hundred digests has digits in it that would pass for a card's."""
    before = _HEX_BEFORE.search(text[max(0, start - _DIGEST) : start])
    after = _HEX.match(text, end, end + _DIGEST)
    left = len(before[0]) if before else 0
    right = len(after[0]) if after else 0
    return (left or right) > 0 and left + (end - start) + right >= _DIGEST
