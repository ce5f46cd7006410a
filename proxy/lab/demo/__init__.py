"""The demo's play: an agent calls a gateway that fails on cue, and each promise is checked.

It knows the proxy only as its agent and its operators do, by its two addresses, and the gateway as
the sandbox that it scripts. Who wires them together (`proxy/cli/demo.py`) hands in how policies are
loaded. `acts.py` has the acts in their order; each can be played alone.
"""
