"""Figures that tests measure: printed in one form, so that the benchmarks command can collect them."""

PREFIX = "figure: "


def figure(name: str, value: str) -> None:
    """Print a measured value, such as `figure("cold start to first token", "2.1 s")`."""
    print(f"\n{PREFIX}{name} = {value}", flush=True)
