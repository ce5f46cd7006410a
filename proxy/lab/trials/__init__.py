"""Tests of policies: a call and what came before it, and what the policies are to make of it.

They run the real pipeline before an upstream that answers from a script, on a clock that is theirs:
an hour passes in no time. `docs/policy-tests.md` is the manual of what a file may say.
"""
