"""What officials do with the files of a broadcast. Synchronous: call it from a thread. The bytes are kept elsewhere."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from broadcast_api.application.broadcasts import Broadcasts
from broadcast_api.application.filenames import clean
from broadcast_api.application.ports import Store
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Call
from broadcast_contracts import File


@dataclass(frozen=True, slots=True)
class Limits:
    """`types` are media types, `file_bytes` those of one file, `files` those of one broadcast."""

    file_bytes: int
    files: int
    types: Collection[str]


class Attachments:
    """Every command answers the broadcast as it stands afterwards; see `Broadcasts` for `expected` and the errors.

    A file is known by the SHA-256 of its bytes, and a broadcast holds it once.
    """

    def __init__(self, store: Store, broadcasts: Broadcasts, limits: Limits) -> None:
        self._store, self._broadcasts, self.limits = store, broadcasts, limits

    def expect(self, id: UUID, call: Call) -> None:
        """Before bytes are read that nobody would keep: raises what `attach` would, as far as it is known by now."""
        broadcast = self._store.broadcast(id)
        call.scope.require(broadcast.bot, "broadcast", id)
        if call.key not in broadcast.handled:
            broadcast.room_for_file(self.limits.files)

    def attach(self, id: UUID, file: File, call: Call, expected: int | None = None) -> Broadcast:
        """Put a file behind the others; its bytes are in the store by now."""
        return self._broadcasts.obey(
            id, lambda broadcast: broadcast.attach(file, self.limits.files, call), call, expected
        )

    def rename(self, id: UUID, sha256: str, name: str, call: Call, expected: int | None = None) -> Broadcast:
        """What recipients see; the name is cleaned as at the upload."""

        def decide(broadcast: Broadcast) -> None:
            broadcast.rename_file(sha256, clean(name, broadcast.file(sha256).media_type), call)

        return self._broadcasts.obey(id, decide, call, expected)

    def remove(self, id: UUID, sha256: str, call: Call, expected: int | None = None) -> Broadcast:
        """Take a file away."""
        return self._broadcasts.obey(id, lambda broadcast: broadcast.remove_file(sha256, call), call, expected)

    def order(self, id: UUID, order: list[str], call: Call, expected: int | None = None) -> Broadcast:
        """Show the files in this order."""
        return self._broadcasts.obey(id, lambda broadcast: broadcast.order_files(order, call), call, expected)
