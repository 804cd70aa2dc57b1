"""Check digits: python-stdnum's where it has them, ours for the rest. Each takes the number as written, in capitals."""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib import import_module

Check = Callable[[str], bool]
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def check(name: str) -> Check:
    """A check by its name in a rule: one of ours, or a module of python-stdnum as `nl.bsn`.

    Raises:
        KeyError: there is none of that name.
    """
    ours = _OURS.get(name)
    if ours is not None:
        return ours
    try:
        is_valid: Check = import_module(f"stdnum.{name}").is_valid
    except ImportError:
        raise KeyError(name) from None
    return is_valid


_FIGURES = re.compile("[0-9]+")
_DOUBLED = {str(figure): sum(divmod(2 * figure, 10)) for figure in range(10)}


def digits(number: str) -> str:
    return "".join(_FIGURES.findall(number))


def _plain(number: str) -> str:
    return "".join(filter(str.isalnum, number)).upper()


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    figures = digits(number)
    return (sum(map(int, figures[::-2])) + sum(map(_DOUBLED.__getitem__, figures[-2::-2]))) % 10 == 0


def iban(number: str) -> bool:
    """ISO 13616-1: the length of its country is checked by whoever cut it out."""
    plain = _plain(number)
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


_LOOKED_AT = 512
_SHORT = 64


def entropy_bits(text: str) -> float:
    """Shannon entropy per character of what stands in `text` itself."""
    text = text[:_LOOKED_AT]
    size = len(text)
    counts = Counter(text).values()
    if size <= _SHORT:
        return -float(sum(map(_terms(size).__getitem__, counts)))
    shares = [count / size for count in counts]
    return -float(sum(map(operator.mul, shares, map(math.log2, shares))))


@cache
def _terms(size: int) -> list[float]:
    """What a character that stands there so often adds, of so many."""
    shares = [count / size for count in range(1, size + 1)]
    return [0.0, *map(operator.mul, shares, map(math.log2, shares))]


def _weighted(number: str, weights: tuple[int, ...]) -> int:
    return sum(weight * int(figure) for weight, figure in zip(weights, number, strict=False))


def _npi(number: str) -> bool:
    plain = digits(number)
    return plain[:1] in ("1", "2") and luhn("80840" + plain)


def _dea(number: str) -> bool:
    plain = digits(number)[-7:]
    return (_weighted(plain[:6], (1, 2, 1, 2, 1, 2))) % 10 == int(plain[6])


def _aba(number: str) -> bool:
    plain = digits(number)
    area = int(plain[:2])
    in_use = area <= 12 or 21 <= area <= 32 or 61 <= area <= 72 or area == 80
    return in_use and plain != "000000000" and _weighted(plain, (3, 7, 1, 3, 7, 1, 3, 7, 1)) % 10 == 0


def _digit_sum(number: str, weights: tuple[int, ...]) -> int:
    return sum(sum(divmod(weight * int(figure), 10)) for weight, figure in zip(weights, number, strict=False))


def _de_rvnr(number: str) -> bool:
    plain = _plain(number)
    letter = f"{ord(plain[8]) - 64:02d}"
    return _digit_sum(plain[:8] + letter + plain[9:11], (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10 == int(plain[11])


def _de_kvnr(number: str) -> bool:
    plain = _plain(number)
    spelled = f"{ord(plain[0]) - 64:02d}{plain[1:9]}"
    return _digit_sum(spelled, (1, 2, 1, 2, 1, 2, 1, 2, 1, 2)) % 10 == int(plain[9])


def _icao(number: str) -> bool:
    """Nine characters without a check digit, or ten with the one of ICAO Doc 9303."""
    plain = _plain(number)
    if len(plain) == 9:
        return any(char.isdigit() for char in plain)
    weights = (7, 3, 1) * 3
    total = sum(weight * int(char, 36) for weight, char in zip(weights, plain, strict=False))
    return total % 10 == int(plain[9])


def _fr_nir(number: str) -> bool:
    plain = _plain(number)
    if len(plain) == 13:
        return True
    body = plain[:13].replace("2A", "19", 1).replace("2B", "18", 1) if not plain[:13].isdigit() else plain[:13]
    return body.isdigit() and 97 - int(body) % 97 == int(plain[13:])


def _lu_matricule(number: str) -> bool:
    return luhn(digits(number)[:12])


def _es_naf(number: str) -> bool:
    plain = digits(number)
    if len(plain) < 11:
        return False
    body = plain[:-2]
    short = int(body[:2] + body[3:]) if body[2] == "0" else int(body)
    return short % 97 == int(plain[-2:]) or int(body) % 97 == int(plain[-2:])


def _pt_niss(number: str) -> bool:
    plain = digits(number)
    return 9 - _weighted(plain[:10], (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)) % 10 == int(plain[10])


def _pl_dowod(number: str) -> bool:
    plain = _plain(number)
    values = [int(char, 36) for char in plain]
    return sum(weight * value for weight, value in zip((7, 3, 1, 9, 7, 3, 1, 7, 3), values, strict=True)) % 10 == 0


def _hu_taj(number: str) -> bool:
    plain = digits(number)
    return _weighted(plain[:8], (3, 7, 3, 7, 3, 7, 3, 7)) % 10 == int(plain[8])


def _ru_snils(number: str) -> bool:
    plain = digits(number)
    total = _weighted(plain[:9], (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101
    return total % 100 == int(plain[9:])


def _hkid(number: str) -> bool:
    plain = _plain(number).rjust(9)
    values = [36 if char == " " else int(char, 36) for char in plain[:8]]
    total = sum(weight * value for weight, value in zip(range(9, 1, -1), values, strict=True))
    return (total + int(plain[8], 16)) % 11 == 0


_TW_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def _tw_id(number: str) -> bool:
    plain = _plain(number)
    area = _TW_LETTERS.index(plain[0]) + 10
    return (area // 10 + area % 10 * 9 + _weighted(plain[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def _sg_nric(number: str) -> bool:
    plain = _plain(number)
    total = _weighted(plain[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(plain[0], 0)
    if plain[0] in "ST":
        return "JZIHGFEDCBA"[total % 11] == plain[8]
    if plain[0] in "FG":
        return "XWUTRQPNMLK"[total % 11] == plain[8]
    return "XWUTRQPNJLK"[10 - total % 11] == plain[8]


def _uy_ci(number: str) -> bool:
    plain = digits(number)
    return -_weighted(plain[:7], (2, 9, 8, 7, 6, 3, 4)) % 10 == int(plain[7])


def _au_medicare(number: str) -> bool:
    plain = digits(number)
    return _weighted(plain[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(plain[8])


def _base58(text: str) -> bool:
    """Base58Check: the last four bytes are the start of the double SHA-256."""
    from hashlib import sha256

    value = 0
    for char in text:
        value = value * 58 + _BASE58.index(char)
    whole = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return sha256(sha256(whole[:-4]).digest()).digest()[:4] == whole[-4:]


_OURS: dict[str, Check] = {
    "luhn": luhn, "iban_mod97": iban, "npi": _npi, "dea": _dea, "aba": _aba, "de_rvnr": _de_rvnr, "de_kvnr": _de_kvnr,
    "icao_or_plain": _icao, "fr_nir": _fr_nir, "lu_matricule": _lu_matricule, "es_naf": _es_naf, "pt_niss": _pt_niss,
    "pl_dowod": _pl_dowod, "hu_taj": _hu_taj, "ru_snils": _ru_snils, "hkid": _hkid, "tw_id": _tw_id,
    "sg_nric": _sg_nric, "uy_ci": _uy_ci, "au_medicare": _au_medicare, "base58": _base58,
}  # fmt: skip
