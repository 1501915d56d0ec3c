"""Steps with branches: which branches there are, and how they are run."""
