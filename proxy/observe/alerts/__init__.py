"""Alerts: what people are called for, from its first sign to the word that it is over.

Sources say what is so (`condition.py`). Of that the machine makes alerts that fire and are resolved
(`machine.py`), which are told to receivers over a queue that outlives the process.
"""
