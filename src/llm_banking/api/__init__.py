"""Transport: parse, authorise, call one service, render."""
