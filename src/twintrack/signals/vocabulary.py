"""Words that are evidence, as rows: a code for each, one byte, so that a text becomes a short string of codes.

Languages have function words that the seven others lack or use rarely, chosen by hand. Task and difficulty words are
English first, with the commonest imperative of the seven other languages. A word stands in one row only; where it
could stand in two (French and Dutch `en`) it stands in none.
"""

from __future__ import annotations

EN, DE, FR, ES, IT, PT, NL, PL, RU, UK = range(1, 11)
CODE, MATH, QUANTITY, REASON, EXTRACT, SUMMARISE, TRANSLATE, CLASSIFY, WRITE = range(11, 20)
CONSTRAINT, NEGATION = range(20, 22)

LANGUAGE_OF_CODE = {
    EN: "en", DE: "de", FR: "fr", ES: "es", IT: "it", PT: "pt", NL: "nl", PL: "pl", RU: "ru", UK: "uk",
}  # fmt: skip

LANGUAGES = bytes(LANGUAGE_OF_CODE)
"""Codes of function words. For `bytes.translate`, which leaves those of task and difficulty."""

_ROWS: tuple[tuple[int, str], ...] = (
    (
        EN,
        "the of and to is that with for you this are it be from they have was by an my your does or at can "
        "what which who when where how",
    ),
    (DE, "der das und ist nicht ein eine mit für auf wie ich sie dem den zu bitte wird auch kann ihr wir im zum"),
    (FR, "le les des et est une pour dans je vous sur au qui ce pas avec sont cette nous ou où aux"),
    (ES, "el los las por está cómo pero qué su al lo este esta muy sin usted cuál una puede debe según hay"),
    (IT, "il che è per della non gli sono dei nel alla anche questo più una puoi cosa delle degli nella viene"),
    (PT, "não uma em da os você é ao isso são mais na dos pelo das qual como eu um pode seu está ou"),
    (NL, "het een van niet voor zijn ik dat met op aan te ook maar wat naar deze je bij wordt worden"),
    (PL, "nie się na jest że jak co czy są dla od tego oraz przez proszę który jeśli"),
    (RU, "и в не на что с по как это из для мне или я вы он она также который его при был мне пожалуйста"),
    (UK, "і що та є як це або мені ви він вона також який його від був цей буде"),
    (
        CODE,
        "code python javascript typescript java golang sql html css function functions bug compile compiler "
        "regex api json yaml bash script debug refactor traceback stacktrace docker kubernetes async pytest "
        "unittest exception runtime django flask numpy pandas codebase linter def const "
        "endpoint postgres sqlite cpp программу funktion código codice",
    ),
    (
        MATH,
        "equation equations integral derivative theorem polynomial matrix eigenvalue probability modulo triangle "
        "algebra geometry calculus arithmetic solve calculate compute factorial logarithm sqrt integer integers "
        "prime divisible remainder vertices radius perimeter hypotenuse frac berechne calcule calcola oblicz",
    ),
    (
        QUANTITY,
        "many much total each per percent twice half times cost costs sum average remaining left altogether hours "
        "minutes miles dollars cents older younger ratio fewer",
    ),
    (
        REASON,
        "why prove proof explain justify deduce infer reasoning logically argue argument compare contrast evaluate "
        "analyze analyse critique tradeoff tradeoffs derive hypothesis implications diagnose plan strategy design "
        "architecture assess optimal optimize trace warum pourquoi perché почему dlaczego waarom begründe",
    ),
    (EXTRACT, "extract parse fields entities extraction extrahiere extraire extrae estrai extraia wyodrębnij"),
    (
        SUMMARISE,
        "summarize summarise summary summarization tldr tl condense shorten brief gist zusammenfassung résume résumé "
        "resumen resuma riassumi riassunto samenvatting streszczenie podsumuj fasse резюмируй кратко",
    ),
    (
        TRANSLATE,
        "translate translation translated übersetze übersetzen traduis traduire traduce traducir traduci traduz "
        "traduza vertaal przetłumacz переведи переклади",
    ),
    (
        CLASSIFY,
        "classify classification categorize categorise labels sentiment spam category categories tag intent "
        "toxic klassifiziere classifie clasifica classifica sklasyfikuj",
    ),
    (
        WRITE,
        "write draft compose poem story essay email letter blog rewrite rephrase tweet slogan headline lyrics "
        "schreibe écris escribe scrivi escreva schrijf napisz напиши",
    ),
    (
        CONSTRAINT,
        "must exactly only should never always ensure avoid without least most maximum minimum format require "
        "required requirements constraint constraints include exclude strictly valid unless until both whether",
    ),
    (NEGATION, "not except false incorrect neither nor none cannot incorrectly untrue"),
)  # fmt: skip


def _codes() -> dict[bytes, int]:
    """Word as lower-case UTF-8 to code; a word claimed by two rows of different codes belongs to neither.

    A word of task or difficulty wins over a language's function word: there it is the rarer evidence. Sentences
    begin with capitals, and `evidence.py` lowers only ASCII, so other initials stand here in both cases.
    """
    codes: dict[bytes, int] = {}
    doubtful = set()
    for code, words in reversed(_ROWS):
        for word in words.split():
            for form in {word, word if word[0].isascii() else word.capitalize()}:
                key = form.encode()
                if codes.setdefault(key, code) != code and codes[key] <= UK:
                    doubtful.add(key)
    return {word: code for word, code in codes.items() if word not in doubtful}


CODES = _codes()
