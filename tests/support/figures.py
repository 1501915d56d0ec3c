"""Count attacks: how many of each kind were attempted, and how many succeeded."""

from collections import Counter


class Figures:
    """Attempted and failed promises, for each kind of attack."""

    def __init__(self) -> None:
        self.attempted: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def check(self, kind: str, held: bool, example: object = "") -> None:
        """Count one attempt, and whether the promise was kept."""
        self.attempted[kind] += 1
        if not held:
            self.failed[kind] += 1
            self.examples.setdefault(kind, str(example)[:200])

    def table(self) -> str:
        """Return a line for each kind."""
        width = max(map(len, self.attempted), default=0)
        lines = [f"{'kind':{width}}  attempted  failed"]
        for kind, count in self.attempted.items():
            example = self.examples.get(kind, "")
            lines.append(f"{kind:{width}}  {count:9}  {self.failed[kind]:6}  {example}")
        return "\n".join(line.rstrip() for line in lines)
