"""Service level objectives: what is counted of calls and tasks, and what is left of their budgets.

A finished call is one record, and an objective hears of each (`book.py`). What it counts is two
sums, of which old values are kept (`ring.py`), so that each window is one subtraction. How a call
or a task counts is one table (`ends.py`); how fast a budget burns, and what follows, is looked at
every few seconds (`burning.py`).
"""
