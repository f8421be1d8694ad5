"""The run room: the loop, one attempt, and putting the accepted work together."""
