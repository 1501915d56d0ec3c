"""A picture of who asks for what."""

from dependency_injector import containers, providers

from containers.providers import OncePerRun
from containers.run import container
from runnable.scope.injection import injection_points


def graph(drawn: containers.Container | None = None) -> str:
    """Draw which code asks for which service, as a Mermaid flow chart.

    Args:
        drawn: The container whose services are drawn; the default one if None.

    Returns:
        Mermaid text; functions on the left, services on the right, and an arrow
        between services where one is made with another.

    Example:
        >>> graph().splitlines()[0]
        'flowchart LR'
    """
    services = {
        name: provider
        for name, provider in (drawn or container).providers.items()
        if not isinstance(provider, providers.Self)
    }
    names = {provider: name for name, provider in services.items()}
    lines = [f"    {name}([{name}])" for name in services]
    for point in injection_points():
        asking = f"{point.module}.{point.function}"
        wanted = point.service.split(".")[0]
        lines.append(f'    {_identifier(asking)}["{asking}"] --> {wanted}')
    for name, provider in services.items():
        if isinstance(provider, OncePerRun):
            needs = (*provider.args, *provider.kwargs.values())
            lines += [
                f"    {name} --> {names[need]}"
                for need in needs
                if isinstance(need, providers.Provider) and need in names
            ]
    return "\n".join(["flowchart LR", *lines])


def _identifier(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)
