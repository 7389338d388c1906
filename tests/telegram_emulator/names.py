"""Russian and English names for people who do not exist, and a rough transliteration for their usernames."""

# fmt: off
MEN = (
    "Александр", "Дмитрий", "Максим", "Сергей", "Андрей", "Алексей", "Артём", "Илья", "Кирилл", "Михаил", "Никита",
    "Матвей", "Роман", "Егор", "Павел",
)
WOMEN = (
    "Анна", "Мария", "Елена", "Дарья", "Алина", "Ирина", "Екатерина", "Ольга", "Татьяна", "Наталья", "Юлия",
    "Светлана", "Ксения", "Полина", "Вера",
)
SURNAMES = (
    "Иванов", "Смирнов", "Кузнецов", "Попов", "Васильев", "Петров", "Соколов", "Михайлов", "Новиков", "Фёдоров",
    "Морозов", "Волков", "Алексеев", "Лебедев", "Семёнов", "Егоров", "Павлов", "Козлов", "Степанов", "Николаев",
    "Орлов", "Андреев", "Макаров", "Никитин", "Захаров",
)
ENGLISH = (
    "James", "Emma", "Oliver", "Sophia", "William", "Grace", "Henry", "Amelia", "Thomas", "Chloe", "Daniel", "Alice",
    "Samuel", "Ruth", "Edward",
)
ENGLISH_SURNAMES = (
    "Smith", "Taylor", "Brown", "Wilson", "Evans", "Walker", "Wright", "Hughes", "Green", "Hall", "Wood", "Clarke",
    "Turner", "Hill",
)
LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}
# fmt: on


def latin(word: str) -> str:
    return "".join(LATIN.get(letter, letter) for letter in word.lower())
