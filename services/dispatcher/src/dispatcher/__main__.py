"""`python -m dispatcher`: run one dispatcher until it is told to stop."""

from broadcast_telegram.run import run
from dispatcher.app import build

if __name__ == "__main__":
    run("dispatcher", build)
