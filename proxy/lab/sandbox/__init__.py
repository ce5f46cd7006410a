"""A tool gateway with state, money and errors on demand, to stand in for the real one."""
