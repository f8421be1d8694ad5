"""A landed run on a forge: its branch pushed, its pull request opened, its checks awaited."""
