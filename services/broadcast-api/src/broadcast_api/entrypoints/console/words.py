"""The languages of the console: gettext catalogues read from `locale/*.po` at start, numbers and times by Babel."""

import gettext
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from broadcast_api.entrypoints.http.catalogue import Language

LOCALE = Path(__file__).parent / "locale"
LANGUAGES: tuple[Language, ...] = ("ru", "en")


@cache
def catalogue(language: Language) -> gettext.NullTranslations:
    """English is the language of the sources; the others stand in `locale/<language>/LC_MESSAGES/console.po`."""
    if language == "en":
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with (LOCALE / language / "LC_MESSAGES" / "console.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language, abort_invalid=True))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True, slots=True)
class Words:
    """How to say things to one reader: their language and their time zone."""

    language: Language
    zone: ZoneInfo

    def gettext(self, message: str) -> str:
        """The translation, or the message itself."""
        return catalogue(self.language).gettext(message)

    def ngettext(self, one: str, many: str, n: int) -> str:
        """The translation that fits the number."""
        return catalogue(self.language).ngettext(one, many, n)

    def number(self, value: float) -> str:
        """With the separators of the language."""
        return format_decimal(value, "#,##0", locale=self.language)

    def size(self, size: int) -> str:
        """Bytes, as people say it: KB up to a megabyte, then MB with one digit."""
        if size < 1024**2:
            return self.gettext("%(n)s KB") % {"n": self.number(max(1, round(size / 1024)))}
        return self.gettext("%(n)s MB") % {"n": format_decimal(size / 1024**2, "#,##0.#", locale=self.language)}

    def time(self, at: datetime) -> str:
        """In the reader's time zone; UTC, and saying so, until the browser has told which that is."""
        local = at.astimezone(self.zone)
        shown = format_datetime(local, self._pattern(local), locale=self.language)
        return f"{shown} UTC" if self.zone.key == "UTC" else shown

    def day(self, iso: str) -> str:
        """A day of a rule, which no time zone moves; as it stands where somebody typed what is no day."""
        try:
            return format_date(date.fromisoformat(iso), "d MMM y", locale=self.language)
        except ValueError:
            return iso

    def moment(self, at: datetime) -> str:
        """To the second; with the day where it is not today."""
        local = at.astimezone(self.zone)
        day = "" if local.date() == datetime.now(self.zone).date() else "d MMM, "
        shown = format_datetime(local, f"{day}HH:mm:ss", locale=self.language)
        return f"{shown} UTC" if self.zone.key == "UTC" else shown

    def _pattern(self, local: datetime) -> str:
        year = "" if local.year == datetime.now(UTC).year else " y"
        return f"d MMM{year}, HH:mm"

    def countdown(self, span: timedelta) -> str:
        """To the minute, never more than there is."""
        minutes = int(span.total_seconds() // 60)
        hours, rest = divmod(minutes, 60)
        if hours:
            return self.gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest}
        if minutes:
            return self.ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
        return self.gettext("less than a minute")

    def duration(self, span: timedelta) -> str:
        """About how long: seconds, minutes, hours or days, whichever is told in one or two digits."""
        return self.duration_of(round(span.total_seconds()))

    def duration_of(self, seconds: int) -> str:
        """The same of a number of seconds."""
        seconds = max(1, seconds)
        if seconds < 90:
            return self.ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}
        if (minutes := round(seconds / 60)) < 90:
            return self.ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
        if (hours := round(seconds / 3600)) < 72:
            return self.ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
        days = round(seconds / 86_400)
        return self.ngettext("%(n)s day", "%(n)s days", days) % {"n": self.number(days)}
