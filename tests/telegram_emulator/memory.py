"""What the emulated Telegram remembers over a restart: the chats and messages of every bot, in one file."""

import pickle
from pathlib import Path

from .emulation import Emulation

REMEMBERED = ("chats", "history", "files", "shelf", "uploaded_bytes", "uploads")


def save(emulation: Emulation, path: Path) -> None:
    """Write the file anew, at once or not at all."""
    bots = {token: {name: getattr(bot, name) for name in REMEMBERED} for token, bot in emulation.world.bots.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(pickle.dumps(bots))
    new.replace(path)


def load(emulation: Emulation, path: Path) -> None:
    """Take back what was saved of the bots that exist; the file is this program's own and trusted."""
    if not path.exists():
        return
    for token, remembered in pickle.loads(path.read_bytes()).items():
        if bot := emulation.world.bots.get(token):
            for name, value in remembered.items():
                setattr(bot, name, value)
