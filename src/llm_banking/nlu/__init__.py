"""Understanding: what a text asks for, how sure that is, and whether it is ours at all."""
