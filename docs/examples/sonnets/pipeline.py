"""A text corpus: which words make each sonnet what it is.

Three sonnets of Shakespeare lie beside this file.
"""

import math
import re
from collections import Counter
from pathlib import Path

from runnable import Map, Pipeline, PythonTask, metric

HERE = Path(__file__).parent


def find() -> list[str]:
    """List the texts."""
    return sorted(it.name for it in HERE.glob("*.txt"))


def count(text: str) -> dict[str, int]:
    """Count the words of one text."""
    words = re.findall(r"[a-z']+", (HERE / text).read_text().lower())
    return dict(Counter(words))


def weigh(
    texts: list[str], counts: list[dict[str, int]]
) -> tuple[dict[str, list[str]], int]:
    """Choose the words that are frequent in one text, and in few others."""
    found_in = Counter(word for words in counts for word in words)

    def weight(word: str, words: dict[str, int]) -> float:
        return words[word] * math.log(len(counts) / found_in[word])

    chosen = {
        text: sorted(words, key=lambda it: (-weight(it, words), it))[:5]
        for text, words in zip(texts, counts, strict=True)
    }
    return chosen, sum(sum(words.values()) for words in counts)


def build() -> Pipeline:
    """Make the pipeline."""
    return Pipeline(
        name="sonnets",
        steps=[
            PythonTask(function=find, returns=["texts"]),
            Map(
                name="each",
                iterate_on="texts",
                iterate_as="text",
                branch=PythonTask(function=count, returns=["counts"]).as_pipeline(),
            ),
            PythonTask(function=weigh, returns=["chosen", metric("words")]),
        ],
    )


if __name__ == "__main__":
    run_log = build().execute()
    for text, words in run_log["chosen"].items():
        print(f"{text}: {', '.join(words)}")
