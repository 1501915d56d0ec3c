"""Run one step of a run whose steps run in processes of their own."""
