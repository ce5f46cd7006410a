"""Makes the price list of models that is shipped, proxy/config/prices.json, of the library
genai-prices as it is installed.

`--check` writes nothing. Exit 0: fine, 1: the library has another list.
"""

import sys

from proxy.cli.price_table import newest
from proxy.config.price_list import SHIPPED


def main() -> int:
    """Write it if it is stale, or only say so."""
    made = newest()
    if SHIPPED.exists() and SHIPPED.read_bytes() == made:
        return 0
    if "--check" in sys.argv:
        print(f"{SHIPPED.name} is stale: run .ci/prices.py", file=sys.stderr)
        return 1
    SHIPPED.write_bytes(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
