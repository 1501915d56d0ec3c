"""The pipeline that the service runs: ordinary functions, which know no service."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from runnable import AsyncPythonTask, Pipeline, PythonTask, metric


def look_up(prompt: str) -> list[str]:
    """Find what is known; a prompt of nothing is an error."""
    if not prompt.strip():
        raise ValueError("there is nothing to answer")
    return prompt.split()


async def answer(words: list[str]) -> AsyncIterator[dict[str, object]]:
    """Stand in for a model that is paid for with the tenant's own key."""
    # The task names this secret, so it alone sees it here; it is in no environment.
    account = hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest()[:8]
    for word in words:
        if word == "slowly":
            await asyncio.sleep(30)
        await asyncio.sleep(0)
        yield {"type": "word", "word": word.upper()}
    yield {"type": "done", "text": " ".join(words).upper(), "account": account}


def judge(text: str) -> int:
    """Score the answer; it fails as long as the service is told to."""
    if "FLAKY" in text and Path("flaky").exists():
        raise RuntimeError("the judge is not well")
    return len(text)


PIPELINE = Pipeline(
    steps=[
        PythonTask(name="look up", function=look_up, returns=["words"]),
        AsyncPythonTask(
            name="answer",
            function=answer,
            returns=["text", "account"],
            secrets=["API_KEY"],
        ),
        PythonTask(name="judge", function=judge, returns=[metric("score")]),
    ],
    name="answers",
)
