"""The journal: the one durable thing. Append-only lines, chained, in a tree, signed.

`Journal` (`journal.py`) is what the rest of Holdfast holds. docs/journal.md has the format.
"""
