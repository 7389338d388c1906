"""`python -m deploy.nats --bots main,hr` prints the server's configuration, with `--helm` the values of its chart."""

import argparse
import json

from deploy.nats.config import helm_values, server_file


def main() -> None:
    """To standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", required=True, help="names, with commas between them")
    parser.add_argument("--helm", action="store_true")
    given = parser.parse_args()
    bots = [bot.strip() for bot in given.bots.split(",")]
    print(json.dumps(helm_values(bots), indent=2) if given.helm else server_file(bots))


if __name__ == "__main__":
    main()
