"""Streaming: an assistant that answers word by word, as a model behind an API does.

It has no network: it continues a text by what the manual of `json` says after the same
words. Two people ask at once, in one process, and neither sees the other's answer.
"""

import asyncio
import itertools
import json
import random
import re
from collections import defaultdict
from collections.abc import AsyncIterator

from runnable import AsyncPipeline, AsyncPythonTask, PythonTask, metric


def learn() -> dict[str, list[str]]:
    """Note which words follow each word of the manual."""
    words = re.findall(r"[\w'-]+[.,:]?", f"{json.__doc__} {json.dumps.__doc__}")
    follows: dict[str, list[str]] = defaultdict(list)
    for word, after in itertools.pairwise(words):
        follows[word].append(after)
    return dict(follows)


async def answer(
    follows: dict[str, list[str]], question: str, longest: int
) -> AsyncIterator[dict[str, object]]:
    """Yield one word after the other, and the whole answer at the end."""
    chance = random.Random(question)  # noqa: S311 - no secret
    words = [question.rsplit(maxsplit=1)[-1].strip("?")]
    while len(words) < longest:
        await asyncio.sleep(0)  # a model would be thinking here
        words.append(chance.choice(follows.get(words[-1]) or sorted(follows)))
        yield {"type": "word", "word": words[-1]}
    yield {"type": "done", "text": " ".join(words)}


def judge(text: str) -> int:
    """Count the words of the answer."""
    return len(text.split())


def build() -> AsyncPipeline:
    """Make the pipeline."""
    return AsyncPipeline(
        name="assistant",
        steps=[
            PythonTask(function=learn, returns=["follows"]),
            AsyncPythonTask(function=answer, returns=["text"]),
            PythonTask(function=judge, returns=[metric("words")]),
        ],
    )


async def ask(pipeline: AsyncPipeline, question: str) -> str:
    """Collect the words of an answer as they come."""
    parameters = {"question": question, "longest": 12}
    events = pipeline.execute_streaming(parameters=parameters)
    return " ".join([str(it["word"]) async for it in events if it["type"] == "word"])


async def main() -> None:
    """Answer two people at once."""
    pipeline, questions = build(), ["What is JSON?", "Who is obj?"]
    answers = await asyncio.gather(*(ask(pipeline, it) for it in questions))
    for question, text in zip(questions, answers, strict=True):
        print(f"{question} {text}")


if __name__ == "__main__":
    asyncio.run(main())  # noqa: TID251 - the program owns the loop
