"""What a killed run left, and how a run goes on or is given up."""
