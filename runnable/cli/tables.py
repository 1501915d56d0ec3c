"""Tables for people: as wide as the terminal, or as wide as needed in a file."""

import sys
from collections.abc import Sequence

_WIDE = 200


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in columns.

    Args:
        heads: The names of the columns.
        rows: Their texts.

    Returns:
        Lines; a long text is broken, none is cut.

    Example:
        >>> print(table(("run", "status"), [("r1", "FAIL")]))
        run   status
        r1    FAIL
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    laid_out = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
    for head in heads:
        laid_out.add_column(head, overflow="fold")
    for row in rows:
        # As text, so that nothing in it is taken for markup.
        laid_out.add_row(*map(Text, row))
    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else _WIDE, no_color=True)
    with console.capture() as captured:
        console.print(laid_out)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
