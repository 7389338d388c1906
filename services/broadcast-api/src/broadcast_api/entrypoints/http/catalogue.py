"""What a person reads when something is refused, in English and Russian, and the names of the states."""

from typing import Literal

Language = Literal["en", "ru"]

STATUS_LABELS: dict[Language, dict[str, str]] = {
    "en": {
        "created": "created",
        "sending": "sending",
        "stopped": "stopped",
        "recalling": "recalling",
        "sent": "sent",
    },
    "ru": {
        "created": "создана",
        "sending": "идёт отправка",
        "stopped": "остановлена",
        "recalling": "идёт отзыв сообщений",
        "sent": "отправлено",
    },
}

TEXTS: dict[str, dict[Language, tuple[str, str]]] = {
    "malformed": {
        "en": ("Malformed request", "The body is not valid JSON."),
        "ru": ("Запрос не читается", "Тело запроса не является корректным JSON."),
    },
    "invalid": {
        "en": ("Invalid request", "Some fields are missing or wrong: see errors."),
        "ru": ("Неверный запрос", "Некоторые поля отсутствуют или неверны, см. errors."),
    },
    "no_such_page": {
        "en": ("Not found", "There is nothing at this address."),
        "ru": ("Не найдено", "По этому адресу ничего нет."),
    },
    "forbidden": {
        "en": ("Forbidden", "This is not for you."),
        "ru": ("Запрещено", "Этот адрес не для вас."),
    },
    "not_authenticated": {
        "en": ("Sign in first", "Send an API key or a token of your provider: Authorization: Bearer …"),
        "ru": ("Нужен вход", "Передайте ключ API или токен вашего провайдера: Authorization: Bearer …"),
    },
    "bad_token": {
        "en": ("The token opens nothing", "The key or token is unknown, expired or revoked. Get a new one."),
        "ru": ("Токен не действует", "Ключ или токен неизвестен, просрочен или отозван. Получите новый."),
    },
    "forbidden_role": {
        "en": ("Not within your roles", "This needs the role “{role}”. Ask an administrator for it."),
        "ru": ("Нет нужной роли", "Для этого нужна роль «{role}». Обратитесь к администратору."),
    },
    "method_not_allowed": {
        "en": ("Method not allowed", "This address does not take this method."),
        "ru": ("Метод не поддерживается", "Этот адрес не принимает такой метод."),
    },
    "too_large": {
        "en": ("Request too large", "The body may have at most {limit} bytes."),
        "ru": ("Запрос слишком велик", "Тело запроса может занимать не более {limit} байт."),
    },
    "not_found": {
        "en": ("Not found", "There is no such {kind}."),
        "ru": ("Не найдено", "Такого объекта нет: {kind}."),
    },
    "stale": {
        "en": ("Changed meanwhile", "Somebody changed it after you read it. Look at it again before you go on."),
        "ru": ("Уже изменено", "Кто-то изменил объект после того, как вы его открыли. Посмотрите его ещё раз."),
    },
    "if_match_required": {
        "en": ("If-Match is required", "Say which version you are changing: send its ETag in If-Match."),
        "ru": ("Нужен заголовок If-Match", "Укажите, какую версию вы меняете: передайте её ETag в If-Match."),
    },
    "busy": {
        "en": ("Busy", "Too many changes at once. Nothing was changed; try again."),
        "ru": ("Занято", "Слишком много изменений одновременно. Ничего не изменено, повторите попытку."),
    },
    "unavailable": {
        "en": ("Unavailable", "The database does not answer. Try again in a moment."),
        "ru": ("Недоступно", "База данных не отвечает. Повторите попытку чуть позже."),
    },
    "provider_unavailable": {
        "en": ("Sign-in is unavailable", "The sign-in service does not answer. Try again in a moment."),
        "ru": ("Вход недоступен", "Служба входа не отвечает. Повторите попытку чуть позже."),
    },
    "internal": {
        "en": ("Internal error", "Something went wrong on our side; it was logged under this request id."),
        "ru": ("Внутренняя ошибка", "Ошибка на нашей стороне; она записана в журнал с этим номером запроса."),
    },
    "bad_key": {
        "en": ("Bad Idempotency-Key", "An Idempotency-Key is 1 to 200 printable ASCII characters."),
        "ru": ("Неверный Idempotency-Key", "Idempotency-Key — от 1 до 200 печатных символов ASCII."),
    },
    "key_reused": {
        "en": ("Idempotency-Key reused", "This Idempotency-Key was used before, for another request."),
        "ru": ("Idempotency-Key уже использован", "Этот Idempotency-Key уже был передан с другим запросом."),
    },
    "bad_cursor": {
        "en": ("Bad cursor", "The cursor does not come from this list."),
        "ru": ("Неверный курсор", "Этот курсор получен не из этого списка."),
    },
    "not_created": {
        "en": ("Not possible now", "The broadcast is {status}: this is possible only while it is created."),
        "ru": ("Сейчас нельзя", "Состояние рассылки — «{status}»: это возможно только в состоянии «создана»."),
    },
    "not_sending": {
        "en": ("Nothing to stop", "The broadcast is {status}: only what is being sent can be stopped."),
        "ru": ("Нечего останавливать", "Состояние рассылки — «{status}»: остановить можно только идущую отправку."),
    },
    "already_stopping": {
        "en": ("Already stopping", "The broadcast is being stopped already."),
        "ru": ("Уже останавливается", "Отправка уже останавливается."),
    },
    "not_stopped": {
        "en": ("Nothing to resume", "The broadcast is {status}: only a stopped one can be resumed."),
        "ru": ("Нечего продолжать", "Состояние рассылки — «{status}»: продолжить можно только остановленную."),
    },
    "not_recallable": {
        "en": ("Cannot be recalled now", "The broadcast is {status}: only a stopped or sent one can be recalled."),
        "ru": ("Отозвать сейчас нельзя", "Состояние — «{status}»: отозвать можно остановленную или отправленную."),
    },
    "not_at_rest": {
        "en": ("Not possible now", "The broadcast is {status}: this can be decided when it is stopped or sent."),
        "ru": ("Сейчас нельзя", "Состояние — «{status}»: решить это можно, когда рассылка остановлена или отправлена."),
    },
    "not_sent": {
        "en": ("Not possible now", "The broadcast is {status}: only one that was sent can be sent again."),
        "ru": ("Сейчас нельзя", "Состояние — «{status}»: повторить можно только отправленную рассылку."),
    },
    "nobody_unconfirmed": {
        "en": ("Nobody to decide about", "There is nobody unconfirmed about whom nothing was decided yet."),
        "ru": ("Решать не о ком", "Нет неподтверждённых получателей, о которых ещё не принято решение."),
    },
    "not_unconfirmed": {
        "en": ("Not unconfirmed", "These are not, or no longer, unconfirmed in the latest run: {ids}."),
        "ru": ("Уже не «не подтверждено»", "Эти получатели последнего запуска не числятся неподтверждёнными: {ids}."),
    },
    "nobody_to_resend_to": {
        "en": ("Nobody to resend to", "Whoever did not get it cannot be reached now either."),
        "ru": ("Некому отправлять повторно", "Все, кто не получил рассылку, и сейчас недоступны."),
    },
    "approval_needed": {
        "en": (
            "Needs the approval of a second person",
            "More than {above} people would get it. Have it approved by somebody who neither drew it up nor changed "
            "it, and send it then.",
        ),
        "ru": (
            "Нужно согласование второго сотрудника",
            "Получателей больше {above}. Попросите согласовать рассылку сотрудника, который её не создавал и не менял, "
            "и отправьте её после этого.",
        ),
    },
    "approval_void": {
        "en": (
            "Needs to be approved again",
            "The audience was changed after the broadcast had been approved. Have a second person approve it as it is.",
        ),
        "ru": (
            "Нужно согласовать заново",
            "После согласования рассылки изменили её аудиторию. Попросите второго сотрудника согласовать её снова.",
        ),
    },
    "own_approval": {
        "en": (
            "Not your own",
            "You drew it up or changed it, or its audience. Somebody else has to approve it.",
        ),
        "ru": (
            "Своё согласовать нельзя",
            "Вы создавали или меняли эту рассылку либо её аудиторию. Согласовать её должен другой сотрудник.",
        ),
    },
    "not_a_person": {
        "en": (
            "Approved by people only",
            "An API key or a program cannot approve. Somebody with the role “approver” does it in the console.",
        ),
        "ru": (
            "Согласует только человек",
            "Ключ API и программа согласовать не могут. Это делает в консоли сотрудник с ролью «approver».",
        ),
    },
    "approval_of_another": {
        "en": ("Changed meanwhile", "It was changed after you had seen it. Look at it again before you approve it."),
        "ru": ("Уже изменено", "Рассылку изменили после того, как вы её открыли. Посмотрите её ещё раз и согласуйте."),
    },
    "not_approved": {
        "en": ("Nothing to withdraw", "The broadcast is not approved."),
        "ru": ("Отзывать нечего", "Рассылка не согласована."),
    },
    "audience_empty": {
        "en": ("Audience is empty", "The audience is empty: nobody would get the broadcast."),
        "ru": ("Аудитория пуста", "Аудитория пуста: рассылку никто не получит."),
    },
    "audience_archived": {
        "en": ("Audience is archived", "The audience was archived: choose another one."),
        "ru": ("Аудитория в архиве", "Аудитория убрана в архив: выберите другую."),
    },
    "unknown_bot": {
        "en": ("Unknown bot", "There is no bot named {bot}."),
        "ru": ("Неизвестный бот", "Бота с именем {bot} нет."),
    },
    "unknown_audience": {
        "en": ("Unknown audience", "There is no such audience."),
        "ru": ("Неизвестная аудитория", "Такой аудитории нет."),
    },
    "unknown_recipients": {
        "en": ("Unknown recipients", "These are not in the directory of the bot: {ids}."),
        "ru": ("Неизвестные получатели", "Их нет в справочнике бота: {ids}."),
    },
    "not_connected": {
        "en": ("Not connected", "They have not pressed /start yet: without a chat somebody can only be not_started."),
        "ru": ("Не подключён", "Человек ещё не нажал /start: без чата возможно только состояние not_started."),
    },
    "import_under_way": {
        "en": ("An import is under way", "Another file of this bot is being read: wait until it is finished."),
        "ru": ("Импорт уже идёт", "Другой файл этого бота ещё загружается: дождитесь окончания."),
    },
    "bad_encoding": {
        "en": ("Unknown encoding", "The file is neither UTF-8 nor UTF-16 nor Windows-1251."),
        "ru": ("Неизвестная кодировка", "Файл не в UTF-8, UTF-16 или Windows-1251."),
    },
    "empty_file": {
        "en": ("No file", "There is nothing in the file."),
        "ru": ("Нет файла", "Файл пуст."),
    },
    "unknown_columns": {
        "en": ("Unknown columns", "These columns are not known: {columns}. Known: {known}."),
        "ru": ("Неизвестные столбцы", "Эти столбцы неизвестны: {columns}. Известные: {known}."),
    },
    "repeated_columns": {
        "en": ("Repeated columns", "These columns are there more than once: {columns}."),
        "ru": ("Повторяющиеся столбцы", "Эти столбцы встречаются несколько раз: {columns}."),
    },
    "no_identity_column": {
        "en": ("Nobody could be told apart", "A file of people needs the column chat_id or external_id."),
        "ru": ("Людей не различить", "В файле нужен столбец chat_id или external_id."),
    },
    "nothing_to_send": {
        "en": ("Nothing to send", "The broadcast has neither a text nor a file."),
        "ru": ("Нечего отправлять", "В рассылке нет ни текста, ни файлов."),
    },
    "too_many_files": {
        "en": ("Too many files", "A broadcast may have at most {most} files: take one away first."),
        "ru": ("Слишком много файлов", "В рассылке может быть не более {most} файлов: сначала уберите один из них."),
    },
    "already_attached": {
        "en": ("Already attached", "This very file is attached already, as {name}."),
        "ru": ("Уже прикреплён", "Точно такой же файл уже прикреплён под именем {name}."),
    },
    "other_files": {
        "en": ("Other files", "The order must name every attached file once. Look at the broadcast again."),
        "ru": ("Другие файлы", "Порядок должен назвать каждый прикреплённый файл один раз. Откройте рассылку заново."),
    },
    "storage_full": {
        "en": ("No room for files", "The storage for files is full. Nothing was kept; tell an administrator."),
        "ru": ("Нет места для файлов", "Хранилище файлов заполнено. Ничего не сохранено; сообщите администратору."),
    },
    "storage_away": {
        "en": ("Files are unavailable", "The storage for files does not answer. Try again in a moment."),
        "ru": ("Файлы недоступны", "Хранилище файлов не отвечает. Повторите попытку чуть позже."),
    },
    "file_too_large": {
        "en": ("File too large", "A file may have at most {megabytes} MB ({limit} bytes). Nothing was kept."),
        "ru": (
            "Файл слишком велик",
            "В файле может быть не более {megabytes} МБ ({limit} байт). Он не сохранён.",
        ),
    },
    "file_empty": {
        "en": ("Empty file", "There is nothing in the file."),
        "ru": ("Пустой файл", "В файле ничего нет."),
    },
    "file_runs": {
        "en": ("Programs cannot be attached", "This is a program or a script, or holds one, whatever it is called."),
        "ru": (
            "Программы нельзя прикреплять",
            "Это программа или сценарий, либо они внутри, как бы файл ни назывался.",
        ),
    },
    "file_macros": {
        "en": ("Macros cannot be attached", "The document holds macros. Save it without them and attach it again."),
        "ru": (
            "Макросы нельзя прикреплять",
            "В документе есть макросы. Сохраните его без них и прикрепите снова.",
        ),
    },
    "file_markup": {
        "en": ("Web pages cannot be attached", "HTML, SVG and XML can hold scripts. Save it as PDF or as a picture."),
        "ru": (
            "Веб-страницы нельзя прикреплять",
            "В HTML, SVG и XML бывают сценарии. Сохраните как PDF или рисунок.",
        ),
    },
    "file_unknown": {
        "en": ("Unknown kind of file", "What this file is cannot be told from its content, or the file is damaged."),
        "ru": ("Неизвестный вид файла", "По содержимому не удалось понять, что это за файл, либо он повреждён."),
    },
    "file_not_allowed": {
        "en": ("Kind of file not allowed", "Files of the type {found} are not allowed here."),
        "ru": ("Такие файлы не разрешены", "Файлы типа {found} здесь не разрешены."),
    },
    "not_multipart": {
        "en": ("Not multipart", "Send the file as multipart/form-data, in a part named {part}."),
        "ru": ("Не multipart", "Передайте файл как multipart/form-data в части с именем {part}."),
    },
    "bad_multipart": {
        "en": ("Malformed request", "The body is not valid multipart/form-data. Nothing was kept."),
        "ru": ("Запрос не читается", "Тело запроса не является корректным multipart/form-data. Ничего не сохранено."),
    },
    "cut_off": {
        "en": ("Cut off", "The file did not arrive to its end. Nothing was kept; send it again."),
        "ru": ("Передача прервана", "Файл пришёл не полностью. Ничего не сохранено; передайте его ещё раз."),
    },
    "no_file_part": {
        "en": ("No file", "There is no part named {part} in the request."),
        "ru": ("Нет файла", "В запросе нет части с именем {part}."),
    },
    "unexpected_part": {
        "en": ("Unexpected part", "One file a request, in a part named {part} with a file name; found: {found}."),
        "ru": ("Лишняя часть", "В запросе — один файл, в части {part} с именем файла; найдена часть: {found}."),
    },
    "other_bot": {
        "en": ("Audience of another bot", "The audience belongs to the bot {audience_bot}, the broadcast to {bot}."),
        "ru": ("Аудитория другого бота", "Аудитория относится к боту {audience_bot}, а рассылка — к {bot}."),
    },
    "bad_name": {
        "en": ("Bad name", "A name has 1 to {longest} characters and no line breaks."),
        "ru": ("Неверное название", "Название — от 1 до {longest} символов, без переносов строк."),
    },
    "bad_text": {
        "en": ("Telegram would refuse this text", "Telegram says: {reason}."),
        "ru": ("Telegram не примет этот текст", "Ответ Telegram: {reason}."),
    },
    "bad_definition": {
        "en": ("Bad audience", "The audience cannot be resolved: {reason}. Where: {path}."),
        "ru": ("Неверная аудитория", "Аудиторию невозможно определить: {reason}. Место: {path}."),
    },
}


IMPORT_FAULTS: dict[str, dict[Language, str]] = {
    "unreadable": {
        "en": "the row cannot be read: a quote is not closed",
        "ru": "строка не читается: не закрыта кавычка",
    },
    "too_many_cells": {"en": "more cells than the header has", "ru": "ячеек больше, чем в заголовке"},
    "bad_date": {"en": "not a day such as 2026-01-31 or 31.01.2026", "ru": "не дата вида 2026-01-31 или 31.01.2026"},
    "too_long": {"en": "too long", "ru": "слишком длинное значение"},
    "unknown_value": {"en": "not one of the possible values", "ru": "недопустимое значение"},
    "not_identified": {"en": "neither chat_id nor external_id", "ru": "нет ни chat_id, ни external_id"},
    "bad_chat_id": {"en": "not a chat id", "ru": "это не chat_id"},
    "group": {"en": "a negative chat id is a group or channel", "ru": "отрицательный chat_id — группа или канал"},
    "invalid": {"en": "cannot be stored", "ru": "значение нельзя сохранить"},
}


def language_of(accept: str | None) -> Language:
    """The better liked of Russian and English in an Accept-Language header; English when neither is named."""
    best: tuple[float, Language] = (0.0, "en")
    for part in (accept or "").split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        wanted = tag.split("-")[0].strip()
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if wanted in ("en", "ru") and weight > best[0]:
            best = (weight, "ru" if wanted == "ru" else "en")
    return best[1]
