"""What officials write and attach: everything of a broadcast that can be edited."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from broadcast_api.domain.errors import AlreadyAttached, NotFound, OtherFiles, TooManyFiles
from broadcast_contracts import Content, File, FileKind, ParseMode

FIELDS = (
    "name",
    "text",
    "audience_id",
    "parse_mode",
    "link_preview",
    "silent",
    "pictures_as_files",
    "files",
)


@dataclass(frozen=True, slots=True)
class Draft:
    """`files` have the kinds that suit them; `shown_files` those they are sent as."""

    name: str
    text: str
    audience_id: UUID
    parse_mode: ParseMode = ParseMode.NONE
    link_preview: bool = True
    silent: bool = False
    pictures_as_files: bool = False
    files: tuple[File, ...] = ()

    @property
    def is_empty(self) -> bool:
        """There is nothing to send."""
        return not self.text and not self.files

    @property
    def shown_files(self) -> tuple[File, ...]:
        """As recipients get them: with `pictures_as_files` no photo is shrunk."""
        if not self.pictures_as_files:
            return self.files
        as_document = {"kind": FileKind.DOCUMENT}
        return tuple(
            file.model_copy(update=as_document) if file.kind is FileKind.PHOTO else file for file in self.files
        )

    def file(self, sha256: str) -> File:
        """An attached file; raises `NotFound`."""
        for file in self.files:
            if file.sha256 == sha256:
                return file
        raise NotFound("attachment", sha256)

    def room_for_file(self, most: int) -> None:
        """Raises `TooManyFiles` where there is none."""
        if len(self.files) >= most:
            raise TooManyFiles(most=most)

    def with_file(self, file: File, most: int) -> "Draft":
        """With a file behind the others, `most` files altogether; the same bytes once."""
        for other in self.files:
            if other.sha256 == file.sha256:
                raise AlreadyAttached(name=other.name)
        self.room_for_file(most)
        return replace(self, files=(*self.files, file))

    def with_file_named(self, sha256: str, name: str) -> "Draft":
        """With another name of a file; raises `NotFound`."""
        file = self.file(sha256)
        renamed = file.model_copy(update={"name": name})
        return replace(self, files=tuple(renamed if other is file else other for other in self.files))

    def without_file(self, sha256: str) -> "Draft":
        """Raises `NotFound`."""
        file = self.file(sha256)
        return replace(self, files=tuple(other for other in self.files if other is not file))

    def with_files_in_order(self, order: list[str]) -> "Draft":
        """`order` must name each file once; raises `OtherFiles`."""
        by_id = {file.sha256: file for file in self.files}
        if sorted(order) != sorted(by_id):
            raise OtherFiles(files=list(by_id))
        return replace(self, files=tuple(by_id[id] for id in order))

    def content(self) -> Content:
        """What recipients are sent; raises ValueError where that is nothing."""
        return Content(
            text=self.text,
            parse_mode=self.parse_mode,
            link_preview=self.link_preview,
            silent=self.silent,
            files=self.shown_files,
        )

    def stated(self) -> dict[str, Any]:
        """As events say it: plain values that `read` understands."""
        return {
            "name": self.name,
            "text": self.text,
            "audience_id": str(self.audience_id),
            "parse_mode": self.parse_mode.value,
            "link_preview": self.link_preview,
            "silent": self.silent,
            "pictures_as_files": self.pictures_as_files,
            "files": [file.model_dump(mode="json") for file in self.files],
        }

    @classmethod
    def read(cls, stated: Mapping[str, Any]) -> "Draft":
        """The draft that an event or a row states; what else the mapping holds is left alone."""
        known = {name: stated[name] for name in FIELDS if name in stated}
        files = tuple(File.model_validate(file) for file in known.pop("files", ()))
        audience_id = known.pop("audience_id")
        return cls(
            **{**known, "parse_mode": ParseMode(known["parse_mode"])},
            audience_id=audience_id if isinstance(audience_id, UUID) else UUID(audience_id),
            files=files,
        )
