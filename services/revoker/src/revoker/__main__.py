"""`python -m revoker`: run one revoker until it is told to stop."""

from broadcast_telegram.run import run
from revoker.app import build

if __name__ == "__main__":
    run("revoker", build)
