"""Behaviour: what an agent usually does, when it does something else, and how it fares (spec 5.3).

Each finished call is counted for its agent and its task (`watch.py`). What a task came to is a
sample (`work.py`), and samples of a week say what is usual (`baseline.py`). Who is far from it is
told as an anomaly (`judge.py`). How often calls of an agent fail, and how long they take, says how
it fares (`wellness.py`). Nothing here refuses a call.
"""
