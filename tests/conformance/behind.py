"""`python -m tests.conformance.behind LOG PROTOCOL COMMAND... URL`: a client, behind Holdfast.

The command gets the URL of a Holdfast in the place of the last argument. Where the client has to
log in it gets the URL as it is, and the Holdfast as its proxy, for that server only: what a server
says of itself names it, and a client must not take it under another name (RFC 9728 3.3). What
Holdfast leaves open, or says of a bug, goes to LOG.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.conformance.held import Held


def main() -> int:
    """Ends as the command does."""
    log, protocol, *command, url = sys.argv[1:]
    with Held(url, protocol) as held:
        if os.environ.get("MCP_CONFORMANCE_SCENARIO", "").startswith("auth/"):
            environment, to = {**os.environ, "MCP_PROXY": held.url}, url
        else:
            environment, to = dict(os.environ), held.url
        code = subprocess.run([*command, to], check=False, env=environment).returncode
    if held.said:
        with Path(log).open("a") as lines:
            lines.writelines(f"{line}\n" for line in held.said)
    return code


if __name__ == "__main__":
    sys.exit(main())
