"""Task class of a request, from counted evidence: words of the vocabulary and marks of code and mathematics.

A class is a word for the ledger and a prior for output length and difficulty. It is a guess: ordinary conversation
mentions code and numbers too, and no rule excludes a model because of it.
"""

from __future__ import annotations

from twintrack.signals.evidence import Evidence
from twintrack.signals.vocabulary import CLASSIFY, CODE, EXTRACT, MATH, REASON, SUMMARISE, TRANSLATE, WRITE

TASKS = (
    "chat", "code", "math", "reasoning", "extract", "summarise", "translate", "classify", "write", "embed",
)  # fmt: skip

_NAME = {
    CODE: "code", MATH: "math", REASON: "reasoning", EXTRACT: "extract", SUMMARISE: "summarise",
    TRANSLATE: "translate", CLASSIFY: "classify", WRITE: "write",
}  # fmt: skip
_YIELDING = (WRITE, REASON)
_NOT_TASK = bytes(code for code in range(256) if code not in _NAME)

_UNSPACED = tuple(
    (word.encode(), name)
    for name, words in (
        ("translate", "翻译 翻譯 翻訳 번역"),
        ("summarise", "总结 總結 摘要 要約 요약"),
        ("code", "代码 函数 関数 コード プログラム 코드"),
        ("classify", "分类 分類 분류"),
        ("extract", "提取 抽出 추출"),
        ("reasoning", "证明 證明 証明 为什么 なぜ 증명"),
        ("math", "计算 計算 계산"),
    )
    for word in words.split()
)
"""Scripts without spaces have no words to look up; these few are searched for."""


def task(evidence: Evidence) -> str:
    """One of `TASKS` but `embed`, which follows from the endpoint. Without evidence: chat."""
    named = evidence.telling and evidence.telling.translate(None, _NOT_TASK)
    code, maths = evidence.code, evidence.maths
    if evidence.leads and not named:
        for word, name in _UNSPACED:
            if word in evidence.data:
                return name
    scores: dict[str, int] = {}
    for each in named:
        name = _NAME[each]
        # Code is written and explained, too: these two yield to a word of anything else, not to fewer than their own.
        scores[name] = scores.get(name, 0) + (3 if each in _YIELDING else 4)
    # Punctuation and numbers alone prove nothing unless there are several kinds of them.
    if code > 1:
        scores["code"] = 4 * code
    if maths > 1:
        scores["math"] = 4 * maths
    if named and named[0] not in _YIELDING:
        # The first is usually the imperative: "Summarise this function" asks for a summary.
        scores[_NAME[named[0]]] += 8
    return max(scores, key=scores.__getitem__) if scores else "chat"
