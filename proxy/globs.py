"""Globs: patterns in which `*` stands for anything, as policies and kills write them."""


def holds(glob: str, text: str) -> bool:
    """Does the text match?"""
    # By hand and not by a regular expression: agents choose the text, and three stars with `.*`
    # take cubic time. Taking each literal where it comes first is enough, and linear.
    first, *middle = glob.split("*")
    if not middle:
        return text == first
    last = middle.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first):
        return False
    at, end = len(first), len(text) - len(last)
    for literal in middle:
        at = text.find(literal, at, end) + len(literal)
        if at < len(literal):  # -1 was found: it is not there
            return False
    return text.endswith(last)
