"""`python -m deploy.contract` writes docs/contract anew from the code; `… release` keeps it as a released version."""

import argparse
import sys

from deploy.contract.compatibility import breaks
from deploy.contract.files import write
from deploy.contract.history import record


def main() -> None:
    """Exit code 1 where the code breaks an earlier release; the files are written all the same."""
    parser = argparse.ArgumentParser(prog="python -m deploy.contract", description=__doc__)
    parser.add_argument("action", nargs="?", choices=["write", "release"], default="write")
    action = parser.parse_args().action
    for name in write():
        print(f"docs/contract/{name}")
    if broken := breaks():
        sys.exit("\n".join(["This breaks the contract:", *broken]))
    if action == "release":
        try:
            print(record())
        except FileExistsError as error:
            sys.exit(f"{error.filename} is released already: raise `version` in libs/contracts/pyproject.toml first.")


if __name__ == "__main__":
    main()
