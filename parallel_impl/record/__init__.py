"""The record room: events, the journal that keeps them, the state that they fold to, results."""
