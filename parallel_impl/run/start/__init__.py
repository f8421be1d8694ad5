"""What is known before an agent is paid: input, repository, set-up, steps; then the run is opened."""
